"""A server that is down is probed, and everything goes on as before when it is back."""

import asyncio
from collections import Counter
from copy import copy
from typing import Any

import pytest

from fcasync.bulk import Tenants
from fcasync.errors import APIConnectionError, FCError, RateLimitError, ServerError
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off
from tests.bulk.work.test_tenants import names, platform

UNAVAILABLE = ServerError("unavailable", status=503)
LOST = APIConnectionError("reset")


def down(*_: Any) -> FCError:
    return copy(UNAVAILABLE)


def outage(network: FakeNetwork, begins: float, ends: float) -> Any:
    """Return a fault that lasts from the one time to the other, in seconds of the run."""

    def fault(*_: Any) -> FCError | None:
        return down() if begins <= network.clock.monotonic() < ends else None

    return fault


@pytest.mark.parametrize("latency", [0.01, 0.05, 0.5])
@pytest.mark.parametrize("error", [UNAVAILABLE, LOST], ids=["503", "lost"])
def test_a_server_that_is_down_for_a_minute_gets_few_requests(
    error: FCError, latency: float
) -> None:
    """The job ends after a minute, as documented, and has sent one or two hundred until then."""
    network = FakeNetwork(ids(264), latency=latency, fault=lambda *_: copy(error))
    with pytest.raises(type(error), match=r"nothing was answered for 6[0-2] s"):
        work_off(network)
    times = [when for when, _ in network.sends]
    assert 100 <= len(times) <= 200
    assert times[-1] - times[0] < 65
    assert len([when for when in times if when - times[0] >= 40]) <= 30


def test_a_fast_job_brakes_as_hard() -> None:
    """What it had in flight is all that it sends beyond a job in slow start."""
    network = FakeNetwork(ids(3000), latency=0.05, pace=fast())
    network.fault = outage(network, 1.0, 1000.0)
    with pytest.raises(ServerError):
        work_off(network)
    assert len([when for when, _ in network.sends if when >= 1.1]) <= 200


def test_after_an_outage_the_former_pace_returns_at_once() -> None:
    """Within two seconds of the end, and no account was refreshed twice or blamed."""
    network = FakeNetwork(ids(3000), latency=0.05)
    network.fault = outage(network, 5.0, 45.0)
    _, report = work_off(network, max_rate=100.0)
    assert (report.succeeded, report.failed) == (3000, 0)
    assert network.executions == dict.fromkeys(network.ids, 1)
    seconds = Counter(int(when) for when, _ in network.sends)
    assert sum(seconds[second] for second in range(6, 45)) <= 200
    assert seconds[4] >= 90
    assert min(seconds[second] for second in (47, 48, 49)) >= 90


@pytest.mark.parametrize("percent", [1, 5, 20])
def test_a_failure_now_and_then_slows_nothing(percent: int) -> None:
    """A server that answers most requests is not down: what failed is repeated, as ever."""

    def flaky(account_id: str, attempt: int) -> FCError | None:
        return down() if attempt == 1 and int(account_id[4:]) % (100 // percent) == 0 else None

    sound, unsteady = (
        FakeNetwork(ids(3000), latency=0.05, pace=fast(), fault=fault)
        for fault in (lambda *_: None, flaky)
    )
    _, without = work_off(sound, max_rate=100.0)
    _, report = work_off(unsteady, max_rate=100.0)
    assert report.succeeded == 3000
    assert report.elapsed <= (1 + percent / 100) * without.elapsed + 3


def test_429s_are_no_outage() -> None:
    """They slow the pace as they ever did, however many come in a row."""
    network = FakeNetwork(
        ids(100),
        latency=0.05,
        pace=fast(),
        fault=lambda _, attempt: RateLimitError("slow down", status=429) if attempt < 4 else None,
    )
    _, report = work_off(network)
    assert report.succeeded == 100
    assert report.rate_limited == 300


def test_an_outage_at_one_tenant_slows_no_other() -> None:
    """It is probed, and they are through as soon as they are without it."""
    quick = names(8)
    alone = platform(quick, 300, latency=0.05)
    _, without = work_off(alone, Tenants(quick))
    own = platform([*quick, "acct_down"], 300, latency=0.05)
    broken = own.tenants["acct_down"]
    broken.fault = down
    finished: dict[str, float] = {}

    async def main() -> None:
        async with own.run(Tenants([*quick, "acct_down"])) as run:
            async for outcome in run:
                assert outcome.stripe_account is not None
                finished[outcome.stripe_account] = own.clock.monotonic()
                if sum(run.report.tenants[name]["succeeded"] for name in run.report.tenants) == (
                    2400
                ):
                    break

    virtually(main())
    assert sorted(finished) == quick
    assert max(finished.values()) <= without.elapsed + 1
    assert len(broken.sends) <= 150


def test_many_tenants_on_one_server_that_is_down_probe_it_together() -> None:
    """Fifty tenants are not fifty probes a second: they share one brake, until one is answered."""
    own = platform(names(50), 40, latency=0.05)
    for tenant in own.tenants.values():
        tenant.fault = outage(own, 0.0, 50.0)
    _, report = work_off(own, Tenants(names(50)))
    assert (report.succeeded, report.failed) == (2000, 0)
    times = sorted(when for tenant in own.tenants.values() for when, _ in tenant.sends)
    assert len([when for when in times if when < 50.0]) <= 400
    assert len([when for when in times if 40.0 <= when < 50.0]) <= 11
    assert times[-1] < 90


def test_accounts_that_are_looked_at_first_are_probed_alike() -> None:
    """max_age fetches accounts before it sends anything; a server that is down gets few GETs."""
    network = FakeNetwork(ids(264), latency=0.05)

    async def unseen(account_id: str) -> Any:
        network.gets += 1
        await network.clock.sleep(0.05)
        raise down()

    network.retrieve = unseen  # type: ignore[method-assign]
    with pytest.raises(ServerError):
        work_off(network, max_age=60.0)
    assert 100 <= network.gets <= 200


def test_progress_and_report_say_that_the_server_is_down() -> None:
    """What alone arrives, and for how long, while that lasts."""
    network = FakeNetwork(ids(264), latency=0.05)
    network.fault = outage(network, 2.0, 30.0)

    async def main() -> list[str]:
        said = []
        async with network.run() as run:
            finishing = asyncio.create_task(run.finish())
            for second in (1, 20, 45):
                await network.clock.sleep(second - network.clock.monotonic())
                said.append(str(run.progress))
            await finishing
        assert run.report.outage is None
        return said

    before, during, after = virtually(main())
    assert "only" not in before + after
    assert "only 503 for 18 s" in during


def test_the_report_of_a_run_that_an_outage_ended_says_so() -> None:
    """It stands where the reader looks for the reason."""
    network = FakeNetwork(ids(264), latency=0.05, fault=down)

    async def main() -> str:
        run = network.run()
        with pytest.raises(ServerError):
            await run
        assert run.report.to_dict()["outage"] == run.report.outage
        return str(run.report)

    assert "server        only 503 for 0:01:0" in virtually(main())
