"""Many connected accounts in one run: each at its own pace, and none in the way of another."""

import asyncio
import contextlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import attrs
import pytest

import fcasync
from fcasync.bulk import BulkRun, Outcome, Report, Tenants, read_journal
from fcasync.bulk._work.denial import ALL_DENIED
from fcasync.bulk._work.work import Work
from fcasync.errors import AuthenticationError, FCError, JournalError, PermissionDeniedError
from fcasync.sandbox import Sandbox
from tests._virtual import EPOCH
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, ids

REVOKED = PermissionDeniedError("access may have been revoked", status=403)
EXPIRED = AuthenticationError("expired key", status=401)


def platform(names: list[str], accounts: int = 100, **facts: Any) -> FakeNetwork:
    """Return a platform whose tenants have accounts behind 25 requests a second each."""
    own = FakeNetwork(ids(1))
    limits = {"rate": lambda now: 25.0, "burst": 25.0, **facts}
    for name in names:
        own.tenants[name] = FakeNetwork(
            [f"{each}{name}" for each in ids(accounts)],
            clock=own.clock,
            stripe_account=name,
            **limits,
        )
    return own


def work_off(own: FakeNetwork, source: Any, **settings: Any) -> tuple[list[Outcome], Report]:
    async def main() -> tuple[list[Outcome], Report]:
        async with own.run(source, **settings) as run:
            outcomes = [outcome async for outcome in run]
        return outcomes, run.report

    return virtually(main())


def names(count: int) -> list[str]:
    return [f"acct_{number}" for number in range(count)]


def test_every_account_of_every_tenant_is_refreshed_once() -> None:
    """Outcomes name their tenant, and the report counts them by tenant."""
    own = platform(names(5), 40)
    outcomes, report = work_off(own, Tenants(names(5)))
    done = {(outcome.stripe_account, outcome.account_id) for outcome in outcomes}
    assert len(done) == len(outcomes) == report.total == 200
    assert all(
        set(tenant.executions.values()) == {1} and len(tenant.executions) == 40
        for tenant in own.tenants.values()
    )
    assert report.tenants == {name: {"succeeded": 40} for name in names(5)}
    assert "tenants       5" in str(report)
    assert not own.sends


def test_tenants_go_at_their_own_pace_side_by_side() -> None:
    """Ten tenants of 25/s take as long as one, and 429s of one slow no other."""
    one, ten = platform(names(1), 500), platform(names(10), 500)
    _, alone = work_off(one, Tenants(names(1)))
    _, together = work_off(ten, Tenants(names(10)))
    assert together.elapsed < 1.3 * alone.elapsed


def test_a_slow_tenant_and_one_that_hangs_slow_nobody() -> None:
    """The others are through as soon as they are without them."""
    quick = names(8)
    alone = platform(quick, 300, latency=0.3)
    work_off(alone, Tenants(quick), concurrency=64)

    def ends(own: FakeNetwork) -> float:
        return max(at for name in quick for at, _ in own.tenants[name].sends)

    both = platform([*quick, "acct_slow", "acct_hung"], 300, latency=0.3)
    both.tenants["acct_slow"].rate = lambda now: 1.0
    both.tenants["acct_slow"].ids = both.tenants["acct_slow"].ids[:60]
    both.tenants["acct_hung"].latency = 30.0
    both.tenants["acct_hung"].ids = both.tenants["acct_hung"].ids[:200]
    work_off(both, Tenants(["acct_hung", "acct_slow", *quick]), concurrency=64)
    assert ends(both) < 1.25 * ends(alone)


def test_no_more_tenants_are_at_work_than_asked_for() -> None:
    """The next one begins when one has ended."""
    own = platform(names(6), 10, latency=1.0)
    source = Tenants(names(6), at_once=2)
    most = 0

    async def main() -> None:
        nonlocal most
        async with own.run(source) as run:
            async for _ in run:
                assert isinstance(run._work, Work)
                most = max(most, len(run._work.schedule.lanes))

    virtually(main())
    assert most == 2
    begun = [own.tenants[name].sends[0][0] for name in names(6)]
    assert begun == sorted(begun)
    assert begun[4] > begun[0]


def test_a_total_rate_holds_for_all_of_them() -> None:
    """The ceilings of the tenants and that of all are both kept."""
    own = platform(names(10), 50)
    work_off(own, Tenants(names(10)), total_rate=20.0, max_rate=5.0)
    sent = sorted(at for tenant in own.tenants.values() for at, _ in tenant.sends)
    assert len(sent) == 500
    assert 500 / (sent[-1] - sent[0]) < 21.0
    for tenant in own.tenants.values():
        assert len(tenant.sends) / max(tenant.sends[-1][0] - tenant.sends[0][0], 1.0) < 5.6


def denying(error: FCError) -> Callable[[str, int], FCError]:
    return lambda account_id, attempt: error


def test_a_tenant_that_took_its_access_away_ends_alone() -> None:
    """Its accounts fail as denied, with the error; the others are refreshed."""
    own = platform(names(3), 200)
    own.tenants["acct_1"].fault = denying(REVOKED)
    outcomes, report = work_off(own, Tenants(names(3)))
    mine = [outcome for outcome in outcomes if outcome.stripe_account == "acct_1"]
    assert {(each.status, each.reason, str(each.error)) for each in mine} == {
        ("failed", "denied", "access may have been revoked (403)")
    }
    assert len(mine) == 200
    assert len(own.tenants["acct_1"].sends) < 60
    assert report.tenants["acct_0"] == report.tenants["acct_2"] == {"succeeded": 200}
    assert report.barred == ("acct_1",)
    assert "3 (1 denied: acct_1)" in str(report)


def test_a_tenant_whose_accounts_cannot_be_listed_ends_alone() -> None:
    """There is nothing to hand out then; the report names it."""

    @attrs.define(slots=False)
    class Unlisted(FakeNetwork):
        async def _accounts(self) -> Any:
            for account_id in self.ids:
                yield self.account(account_id)
            raise REVOKED

    own = platform(names(2), 5)
    own.tenants["acct_0"] = Unlisted([], clock=own.clock)
    outcomes, report = work_off(own, Tenants(names(2)))
    assert len(outcomes) == 5
    assert report.barred == ("acct_0",)


def test_a_tenant_that_is_denied_while_its_banks_are_waited_for_leaves_them_pending() -> None:
    """What was accepted stays accepted; nobody waits for what cannot be seen."""
    own = platform(names(2), 30, settle_seconds=20.0)
    revoked = own.tenants["acct_0"]

    async def refused(*args: Any) -> Any:
        await own.clock.sleep(0.1)
        raise REVOKED

    revoked.retrieve = refused  # type: ignore[method-assign, assignment]
    revoked.list_page = refused  # type: ignore[method-assign, assignment]
    _, report = work_off(own, Tenants(names(2)), wait=True)
    assert report.tenants == {"acct_0": {"pending": 30}, "acct_1": {"succeeded": 30}}


def test_a_401_at_one_tenant_ends_it_alone_if_the_key_is_good() -> None:
    """The platform's own account says whether it is."""
    own = platform(names(2), 20)
    own.tenants["acct_0"].fault = denying(EXPIRED)
    _, report = work_off(own, Tenants(names(2)))
    assert report.tenants == {"acct_0": {"failed": 20}, "acct_1": {"succeeded": 20}}


def test_a_key_that_went_bad_ends_the_run() -> None:
    """Nobody gets a message that his access was revoked."""
    own = platform(names(2), 200)
    listed = own.list_page
    for tenant in own.tenants.values():
        tenant.fault = lambda account_id, attempt: EXPIRED if own.clock.monotonic() > 2 else None

    async def list_page(*args: Any) -> Any:
        if own.clock.monotonic() > 2:
            raise EXPIRED
        return await listed(*args)

    own.list_page = list_page  # type: ignore[method-assign, assignment]
    with pytest.raises(AuthenticationError):
        work_off(own, Tenants(names(2)))


def test_a_key_that_may_do_it_for_nobody_ends_the_run() -> None:
    """A restricted key without the permission gets a 403 everywhere."""
    own = platform(names(ALL_DENIED + 5), 2)
    for tenant in own.tenants.values():
        tenant.fault = denying(REVOKED)
    with pytest.raises(PermissionDeniedError):
        work_off(own, Tenants(names(ALL_DENIED + 5), at_once=3))


def test_the_same_id_at_two_tenants_is_two_accounts(tmp_path: Path) -> None:
    """With and without a journal."""
    for journal in (None, tmp_path / "job.sqlite"):
        own = platform(names(2), 0)
        for tenant in own.tenants.values():
            tenant.ids = ids(3)
        outcomes, _ = work_off(own, Tenants(names(2)), journal=journal)
        assert len(outcomes) == 6
        assert [tenant.executions for tenant in own.tenants.values()] == [
            dict.fromkeys(ids(3), 1),
            dict.fromkeys(ids(3), 1),
        ]


def test_a_run_goes_on_where_it_stopped(tmp_path: Path) -> None:
    """Tenants and accounts that are done are passed, and the others are done once."""
    own = platform(names(4), 50)
    settings = {"journal": tmp_path / "job.sqlite"}

    async def partly() -> None:
        async with own.run(Tenants(names(4)), **settings) as run:
            seen = 0
            async for _ in run:
                seen += 1
                if seen == 60:
                    break

    virtually(partly())
    outcomes, report = work_off(own, Tenants(names(4)), **settings)
    assert report.total == 200
    assert report.tenants == {name: {"succeeded": 50} for name in names(4)}
    assert all(set(tenant.executions.values()) == {1} for tenant in own.tenants.values())
    assert len(outcomes) >= 140
    found = [(each.stripe_account, each.account_id) for each in read_journal(settings["journal"])]
    assert len(set(found)) == 200


@pytest.mark.parametrize("way", ["stop", "break", "cancel"])
async def test_a_run_that_ends_early_hands_out_what_is_finished(tmp_path: Path, way: str) -> None:
    """Whatever was in flight, or on its way to the disk, when the tenants were left alone."""
    async with (
        Sandbox(accounts=30, varied=False, rate_limit=None) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        told: list[Outcome] = []

        async def run_until(count: int) -> Report:
            job = client.bulk.refresh(
                Tenants(names(4)), features=["balance"], journal=tmp_path / "job.sqlite"
            )
            before = len(told)
            async with job as run:
                async for outcome in run:
                    told.append(outcome)
                    if len(told) - before == count:
                        if way == "break":
                            break
                        if way == "cancel":
                            raise asyncio.CancelledError
                        run.stop()
            return job.report

        for count in (1, 7, 13, 21):
            with contextlib.suppress(asyncio.CancelledError):
                await run_until(count)
        report = await run_until(10**9)
        assert len({(each.stripe_account, each.account_id) for each in told}) == report.total == 120
        assert len(told) - sum(each.again for each in told) <= 120
        for name in names(4):
            assert set(sandbox.connected(name).executions("refresh").values()) == {1}


def test_a_journal_of_tenants_is_not_one_of_an_account(tmp_path: Path) -> None:
    """The keys would differ, so neither goes on with the other's."""
    own = platform(names(1), 3)
    settings = {"journal": tmp_path / "job.sqlite"}
    work_off(own, Tenants(names(1)), **settings)
    with pytest.raises(JournalError, match="another job"):
        work_off(own, ids(1), **settings)


def test_shards_of_a_job_do_everything_once() -> None:
    """Each does its own tenants."""
    own = platform(names(7), 5)
    for number in range(3):
        work_off(own, Tenants(names(7)), shard=(number, 3))
    assert [sum(tenant.executions.values()) for tenant in own.tenants.values()] == [5] * 7


@pytest.mark.parametrize("hours", [1, 22, 25])
def test_a_named_job_that_lost_its_journal_repeats_nothing(tmp_path: Path, hours: int) -> None:
    """Its keys follow from its name; when they are too old, each account is looked at."""
    own = platform(names(3), 20)
    settings = {"job_id": "0" * 32, "since": int(EPOCH)}
    first, second = tmp_path / "a.sqlite", tmp_path / "b.sqlite"
    work_off(own, Tenants(names(3)), journal=first, **settings)
    own.clock.advance(hours * 3600.0)
    if hours > 24:
        for tenant in own.tenants.values():
            tenant.keys.clear()  # forgotten by the server as well
    _, report = work_off(own, Tenants(names(3)), journal=second, **settings)
    assert report.succeeded == 60
    assert all(set(tenant.executions.values()) == {1} for tenant in own.tenants.values())
    assert report.requests == (60 if hours < 23 else 0)


def test_a_named_job_without_a_journal_repeats_nothing() -> None:
    """The name is enough, and costs requests."""
    own = platform(names(2), 10)
    settings = {"job_id": "0" * 32, "since": int(EPOCH)}
    for _ in range(2):
        work_off(own, Tenants(names(2)), **settings)
    assert all(set(tenant.executions.values()) == {1} for tenant in own.tenants.values())


def test_a_journal_belongs_to_a_name(tmp_path: Path) -> None:
    """Another name is another job."""
    own = platform(names(1), 2)
    path, since = tmp_path / "job.sqlite", int(EPOCH)
    work_off(own, Tenants(names(1)), journal=path, job_id="0" * 32, since=since)
    with pytest.raises(JournalError, match="another name"):
        work_off(own, Tenants(names(1)), journal=path, job_id="1" * 32, since=since)


async def test_tenants_of_the_sandbox_are_refreshed_over_real_connections(tmp_path: Path) -> None:
    """The whole way: listing, headers, keys, limits of their own, revocation."""
    async with (
        Sandbox(accounts=8, varied=False) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        sandbox.connected("acct_2").revoke()
        job: BulkRun = client.bulk.refresh(
            Tenants(names(4)), features=["balance"], journal=tmp_path / "job.sqlite"
        )
        async with job as run:
            report = await run.finish()
        assert report.tenants == {name: {"accepted": 8} for name in names(4) if name != "acct_2"}
        assert report.barred == ("acct_2",)
        for name in report.tenants:
            assert set(sandbox.connected(name).executions("refresh").values()) == {1}


async def test_what_cannot_work_is_refused_before_anything_is_sent(
    fc_sandbox: Sandbox, fc_client: fcasync.Client
) -> None:
    """Arguments that are for tenants, and clients that act for one."""
    with pytest.raises(fcasync.InvalidArgumentError, match="for Tenants"):
        fc_client.bulk.refresh([], features=["balance"], shard=(0, 2))
    with pytest.raises(fcasync.InvalidArgumentError, match="for Tenants"):
        fc_client.bulk.disconnect([], total_rate=3.0)
    with pytest.raises(fcasync.InvalidArgumentError, match="platform"):
        connected = fc_client.with_options(stripe_account="acct_1")
        connected.bulk.refresh(Tenants(["acct_1"]), features=["balance"])
    with pytest.raises(fcasync.InvalidArgumentError, match="since"):
        fc_client.bulk.refresh([], features=["balance"], job="nightly")
    with pytest.raises(fcasync.InvalidArgumentError, match="future"):
        async with fc_client.bulk.refresh([], features=["balance"], job="nightly", since=2**40):
            pass
    assert not [row for row in fc_sandbox.ledger if row["method"] == "POST"]


def test_a_ceiling_of_each_tenant_is_none_of_all() -> None:
    """The time that is left is shown only from a rate of the whole run."""
    own = platform(names(4), 20)

    async def main() -> None:
        async with own.run(Tenants(names(4)), max_rate=5.0) as run:
            async for _ in run:
                assert run.progress.eta in (None, 0.0)

    virtually(main())
