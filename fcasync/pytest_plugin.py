"""pytest fixtures: a sandbox, a client for it, and the clock of both.

Every pytest run imports this plugin where fcasync is installed, so it imports the rest of fcasync
only when a fixture is used. ::

    @pytest.mark.fc_sandbox(accounts=2, faults=[{"kind": "status", "status": 503, "times": 1}])
    async def test_a_refresh_survives_an_outage(fc_client, fc_sandbox):
        page = await fc_client.accounts.list()
        await fc_client.accounts.refresh(page.data[0], features=["balance"])
        assert [row["status"] for row in fc_sandbox.ledger] == [503, 200, 200]

The fixtures are plain functions, so tests may be synchronous, or async under any plugin.
"""

import time
from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from fcasync import Client
    from fcasync.sandbox import Sandbox
    from fcasync.testing import FakeClock

__all__ = ["fc_client", "fc_clock", "fc_sandbox"]


def pytest_configure(config: pytest.Config) -> None:
    """Register the marker."""
    config.addinivalue_line(
        "markers",
        "fc_sandbox(**arguments): arguments of fcasync.sandbox.Sandbox for the fixture fc_sandbox.",
    )


@pytest.fixture
def fc_clock() -> "FakeClock":
    """The clock of `fc_client` and `fc_sandbox`; it starts with the current time.

    Its time passes only by sleeps and `advance`, so retries and polls take no real time.
    """
    from fcasync.testing import FakeClock  # noqa: PLC0415 - costs nothing when unused

    return FakeClock(start=time.time())


@pytest.fixture
def fc_sandbox(request: pytest.FixtureRequest, fc_clock: "FakeClock") -> Iterator["Sandbox"]:
    """A sandbox for this test, on a thread of its own.

    Its arguments come from ``@pytest.mark.fc_sandbox(...)``. It shares the time of `fc_clock`, but
    injected delays take real time.
    """
    from fcasync.sandbox import Sandbox  # noqa: PLC0415 - costs nothing when unused
    from fcasync.testing import FakeClock  # noqa: PLC0415

    marker = request.node.get_closest_marker("fc_sandbox")
    arguments = marker.kwargs if marker else {}
    # The sandbox has a loop of its own: its waits take real time and do not move the clock.
    began = fc_clock.time() - fc_clock.monotonic()
    clock = FakeClock(began, fc_clock.draw, paced_by=fc_clock.monotonic)
    with Sandbox(**{"clock": clock, "threaded": True} | arguments) as sandbox:
        yield sandbox


@pytest.fixture
def fc_client(fc_sandbox: "Sandbox", fc_clock: "FakeClock") -> Iterator["Client"]:
    """A client for `fc_sandbox`; it is closed after the test."""
    from fcasync import Client  # noqa: PLC0415 - costs nothing when unused
    from fcasync._wire.transport import AiohttpTransport  # noqa: PLC0415

    transport = AiohttpTransport(max_connections=100, max_response_bytes=8 << 20)
    client = Client(
        fc_sandbox.api_key, base_url=fc_sandbox.url, clock=fc_clock, transport=transport
    )
    yield client
    # The loops belong to the plugin that runs async tests, and no longer run.
    for loop in transport.loops:
        if not (loop.is_running() or loop.is_closed()):
            loop.run_until_complete(client.aclose())
