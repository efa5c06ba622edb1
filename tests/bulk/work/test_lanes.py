"""What lanes give back, and how they end when it gets in their way."""

import asyncio
import tracemalloc
from collections import Counter
from typing import Any

import pytest

from fcasync.bulk import Tenants
from fcasync.bulk._plan.verbs import REFRESH
from fcasync.bulk._work.lane import Lane
from fcasync.bulk._work.settings import Settings
from fcasync.errors import FCError, PermissionDeniedError
from fcasync.models import Account
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork
from tests.bulk.work.test_tenants import names, platform, work_off

REVOKED = PermissionDeniedError("access may have been revoked", status=403)


def test_what_is_accepted_after_a_tenant_was_denied_is_not_waited_for() -> None:
    """Nobody may look any more, so its outcome is pending at once, not after wait_timeout."""
    own = platform(["acct_1"], 20, settle_seconds=30.0)
    tenant = own.tenants["acct_1"]
    late = tenant.ids[0]

    def fault(account_id: str, attempt: int) -> FCError | None:
        return None if account_id == late else REVOKED

    async def send(account_id: str, key: str) -> object:
        response = await FakeNetwork.send(tenant, account_id, key)
        if account_id == late:
            await own.clock.sleep(5.0)
        return response

    async def denied(*_: object) -> object:
        raise REVOKED

    tenant.fault = fault
    for name, instead in {"send": send, "retrieve": denied, "list_page": denied}.items():
        setattr(tenant, name, instead)
    outcomes, report = work_off(own, Tenants({"acct_1": tenant.ids}), wait=True)
    ends = Counter((each.account_id == late, each.status.value) for each in outcomes)
    assert ends == {(True, "pending"): 1, (False, "failed"): 19}
    assert report.elapsed < 60


@pytest.mark.parametrize("rate", [3.0, 10.0, 50.0])
def test_a_tenant_may_be_denied_while_its_turn_waits_for_the_total_rate(rate: float) -> None:
    """The turn goes to another, and its accounts fail as denied."""
    own = platform(names(3), 20, latency=0.3)
    own.tenants["acct_1"].fault = lambda account_id, attempt: REVOKED
    _, report = work_off(own, Tenants(names(3)), total_rate=rate)
    assert report.tenants["acct_1"] == {"failed": 20}
    assert report.succeeded == 40


@pytest.mark.parametrize("seconds", [0.0, 0.04, 0.5])
def test_a_run_that_is_stopped_leaves_nothing_in_flight(seconds: float) -> None:
    """Even turns that were given and never begun: the client's next call needs the room."""
    own = platform(names(3), 100, latency=0.04)

    async def main() -> None:
        async with own.run(Tenants(names(3)), concurrency=64) as run:

            async def stop() -> None:
                await own.clock.sleep(seconds)
                run.stop()

            stopping = asyncio.create_task(stop())
            async for _ in run:
                pass
            await stopping

    virtually(main())
    for tenant in own.tenants.values():
        assert not tenant.pace.operation.in_flight.count
        assert not tenant.pace.tenant.in_flight.count


def test_ceilings_take_no_memory() -> None:
    """However many requests were sent at them."""
    network = FakeNetwork(["fca_1"])
    settings = Settings(verb=REFRESH, max_rate=1e6)

    def send(count: int) -> None:
        for now in range(count):
            lane.reserve(float(now))
            network.pace.lost()

    lane = Lane(network, settings, lambda task, event: None, lambda lane, error: None)
    send(1000)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        send(20_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 20_000


def test_at_once_may_be_any_number() -> None:
    """A number that bounds nothing costs nothing."""
    own = platform(names(2), 3)
    _, report = work_off(own, Tenants(names(2), at_once=10**9))
    assert report.succeeded == 6


def test_a_source_of_tenants_that_raises_ends_the_run_with_its_error() -> None:
    """Exactly as it was raised, and the sources of the tenants in work are closed."""
    own = platform(names(2), 3)
    closed: list[str] = []

    async def accounts(name: str) -> Any:
        try:
            for account_id in own.tenants[name].ids:
                yield account_id
            await asyncio.Event().wait()
        finally:
            closed.append(name)

    async def tenants() -> Any:
        for name in names(2):
            yield name, accounts(name)
        await asyncio.sleep(1.0)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        work_off(own, Tenants(tenants()))
    assert sorted(closed) == names(2)


def test_a_tenant_may_be_given_accounts_as_objects() -> None:
    """And what is nobody's id fails alone, counted for its tenant."""
    own = platform(names(1), 3)
    objects: list[object] = [Account(id=each) for each in own.tenants["acct_0"].ids]
    outcomes, report = work_off(own, Tenants({"acct_0": [*objects, *objects, 7, ""]}))
    assert Counter(each.reason for each in outcomes) == {None: 3, "invalid_id": 2}
    assert report.tenants == {"acct_0": {"succeeded": 3, "failed": 2}}
