"""The sandbox as an object: its arguments, and how it starts and stops."""

from typing import Any

import aiohttp
import pytest

from fcasync.sandbox import Sandbox
from tests.sandbox.conftest import Http, port_of
from tests.sandbox.worlds import ACCOUNTS


async def test_a_threaded_sandbox_serves_a_loop_too() -> None:
    """`threaded=True` works under `async with`, and its numbers are read across threads."""
    async with Sandbox(threaded=True, varied=False) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        async with (
            aiohttp.ClientSession(sandbox.url, headers=headers) as session,
            session.get(ACCOUNTS) as answer,
        ):
            assert answer.status == 200
        sandbox.advance(5)
        assert len(sandbox.ledger) == 1
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.url


def test_a_sandbox_that_is_not_threaded_needs_a_loop() -> None:
    """The wrong `with` says which one is right."""
    with pytest.raises(TypeError, match="async with"), Sandbox():
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"accounts": -1},
        {"accounts": 2**27 + 1},
        {"seed": 1.5},
        {"seed": 2**64},
        {"rate_limit": 0},
        {"settle_seconds": -1},
        {"latency": float("nan")},
        {"failure_rate": 2},
        {"webhook_duplicates": -0.1},
        {"api_key": "sk_live_1234567890"},
        {"api_key": "hello"},
        {"webhook_url": "localhost:3000/hook"},
        {"webhook_url": "http:///hook"},
    ],
)
def test_a_sandbox_refuses_bad_arguments(wrong: dict[str, Any]) -> None:
    """Arguments are checked when the sandbox is made."""
    with pytest.raises(ValueError, match=next(iter(wrong))) as refused:
        Sandbox(**wrong)

    assert "1234567890" not in str(refused.value)


async def test_a_sandbox_runs_once_at_a_time(sandbox: Sandbox, http: Http) -> None:
    """Entering one that runs is an error, and does the one that runs no harm."""
    with pytest.raises(RuntimeError, match="running already"):
        await sandbox.__aenter__()

    assert (await http.send("GET", ACCOUNTS))[0] == 200


def test_a_threaded_sandbox_runs_once_at_a_time() -> None:
    """The same holds across threads."""
    with Sandbox(threaded=True) as sandbox:
        with pytest.raises(RuntimeError, match="running already"):
            sandbox.__enter__()

        assert sandbox.ledger == []


def test_a_sandbox_that_could_not_start_can_be_started_later() -> None:
    """After a busy port, what it holds can still be read, and it can try again."""
    with Sandbox(threaded=True) as first:
        port = port_of(first)
        second = Sandbox(port=port, threaded=True)
        with pytest.raises(OSError, match="in use"):
            second.__enter__()
        assert second.ledger == []
    with second:
        assert port_of(second) == port


async def test_a_busy_port_is_an_error_at_the_start(sandbox: Sandbox) -> None:
    """The port that was asked for, or none."""
    port = port_of(sandbox)
    with pytest.raises(OSError, match="address already in use"), Sandbox(port=port, threaded=True):
        pass


async def test_a_repr_shows_where_it_is_and_no_key(sandbox: Sandbox) -> None:
    """A sandbox can be printed: URL and size, never the key."""
    assert repr(sandbox) == f"<Sandbox {sandbox.url}, 25 accounts>"
    assert repr(Sandbox(3)) == "<Sandbox not started, 3 accounts>"
