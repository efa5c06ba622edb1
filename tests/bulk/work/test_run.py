"""A run in virtual time: order, pace, back-pressure, settling, and how it ends."""

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from fcasync._facts.clock import SYSTEM_CLOCK
from fcasync.bulk import Outcome, read_journal
from fcasync.bulk._journal.header import Header
from fcasync.bulk._journal.sqlite import FileJournal, read_job
from fcasync.bulk._plan.verbs import UNSUBSCRIBE
from fcasync.errors import (
    APIConnectionError,
    AuthenticationError,
    FCError,
    InvalidArgumentError,
    InvalidRequestError,
    JournalError,
    RateLimitError,
    ServerError,
)
from fcasync.models import Account, Event, EventData
from tests._virtual import EPOCH
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off

LOST = APIConnectionError("reset", may_have_executed=True)


def test_every_account_gets_one_outcome() -> None:
    """A run ends when the source does, with one succeeded outcome for each account."""
    network = FakeNetwork(ids(300), pace=fast())
    outcomes, report = work_off(network)
    assert sorted(outcome.account_id for outcome in outcomes) == network.ids
    assert {outcome.status for outcome in outcomes} == {"succeeded"}
    assert all(outcome.account and outcome.attempts == 1 for outcome in outcomes)
    assert (report.total, report.requests, report.unfinished) == (300, 300, 0)
    assert network.executions == dict.fromkeys(network.ids, 1)


class Closing:
    """An asynchronous iterator that is not a generator."""

    def __init__(self, items: list[str]) -> None:
        self.items = items

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        if not self.items:
            raise StopAsyncIteration
        return self.items.pop(0)


async def generate(items: list[str]) -> AsyncIterator[str]:
    for item in items:
        await asyncio.sleep(0.01)
        yield item


@pytest.mark.parametrize(
    "make",
    [
        list,
        tuple,
        iter,
        generate,
        Closing,
        lambda items: (item for item in items),
        lambda items: [Account(id=item) for item in items],
    ],
)
def test_any_iterable_is_a_source(make: Any) -> None:
    """Lists, iterators and asynchronous generators, of ids or of Accounts."""
    network = FakeNetwork(ids(20), pace=fast())
    outcomes, _ = work_off(network, make(list(network.ids)))
    assert {outcome.account_id for outcome in outcomes} == set(network.ids)


@pytest.mark.parametrize("source", ["fca_1", b"fca_1", 5, None.__class__])
def test_a_source_that_is_not_iterable_is_refused(source: Any) -> None:
    """One id is not a list of its letters."""
    with pytest.raises(InvalidArgumentError, match="source must be an iterable"):
        FakeNetwork(ids(1)).run(source)


def test_an_id_that_comes_twice_is_refreshed_once() -> None:
    """Duplicates in flight are dropped."""
    network = FakeNetwork(ids(10), pace=fast())
    outcomes, _ = work_off(network, [*network.ids, *network.ids])
    assert len(outcomes) == 10
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_an_invalid_id_fails_alone() -> None:
    """A bad line in a file of a million is reported, and the others go on."""
    network = FakeNetwork(ids(3), pace=fast())
    outcomes, report = work_off(network, [*network.ids, "fca_1\n", 7])
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert [outcome.reason for outcome in failed] == ["invalid_id", "invalid_id"]
    assert "\n" not in failed[0].account_id
    assert report.by_status() == {
        "accepted": 0,
        "succeeded": 3,
        "failed": 2,
        "skipped": 0,
        "deferred": 0,
        "pending": 0,
    }


def test_the_source_is_read_only_as_fast_as_outcomes_are_taken() -> None:
    """A million ids are never held at once: the window is bounded, taken outcomes open it."""
    taken = read = 0
    most = 0

    def source() -> Iterator[str]:
        nonlocal read, most
        for name in ids(3000):
            read += 1
            most = max(most, read - taken)
            yield name

    async def main() -> None:
        nonlocal taken
        network = FakeNetwork(ids(3000), pace=fast())
        run = network.run(source(), concurrency=10)
        async with run:
            async for _ in run:
                taken += 1
                if taken < 5:
                    await asyncio.sleep(60)

    virtually(main())
    assert taken == 3000
    assert most <= 2 * 10 + 64 + 1


def test_the_requests_in_flight_are_bounded() -> None:
    """Concurrency is a ceiling, whatever the pace allows."""
    network = FakeNetwork(ids(500), latency=10.0, pace=fast())
    work_off(network, concurrency=50)
    assert network.most_in_flight == 50


def test_a_ceiling_for_the_rate_holds_from_the_first_second() -> None:
    """max_rate=20 sends at most 20 in any second."""
    network = FakeNetwork(ids(200), pace=fast())
    work_off(network, max_rate=20.0)
    times = [when for when, _ in network.sends]
    assert all(later - first >= 0.95 for first, later in zip(times, times[20:], strict=False))


def test_a_run_starts_slowly_and_doubles() -> None:
    """The limit is unknown, so the first second sees about 25 requests, Stripe's lowest limit."""
    network = FakeNetwork(ids(1200))
    work_off(network)
    start = network.sends[0][0]
    counts = [
        sum(second <= when - start < second + 1 for when, _ in network.sends) for second in (0, 2)
    ]
    assert 25 <= counts[0] <= 50
    assert 120 <= counts[1] <= 300


@pytest.mark.parametrize(
    ("rate", "accounts", "goodput", "refused"),
    [
        (lambda now: 100.0, 9_000, 0.95, 0.02),
        (lambda now: 40.0 if 60 <= now < 120 else 100.0, 11_000, 0.95, 0.04),
    ],
)
def test_an_unknown_limit_is_found_and_used(
    rate: Any, accounts: int, goodput: float, refused: float
) -> None:
    """The whole run, disk and settling aside, uses the limit and is rarely refused."""
    network = FakeNetwork(ids(accounts), latency=0.12, rate=rate, burst=25.0)
    _, report = work_off(network)
    possible = sum(rate(second + 0.5) for second in range(int(report.elapsed)))
    assert accounts / possible >= goodput
    assert network.limited / len(network.sends) <= refused


def test_a_429_goes_to_the_head_of_the_queue() -> None:
    """What was refused for the rate goes next, and the refusal is not an attempt."""

    def fault(account_id: str, attempt: int) -> FCError | None:
        first = account_id == "fca_000000" and attempt <= 3
        return RateLimitError("no", status=429) if first else None

    network = FakeNetwork(ids(200), fault=fault, latency=0.01)
    outcomes, report = work_off(network)
    order = [name for _, name in network.sends]
    assert order[:8].count("fca_000000") >= 3
    first = next(outcome for outcome in outcomes if outcome.account_id == "fca_000000")
    assert (first.attempts, report.rate_limited, report.retries) == (1, 3, 0)


def test_failures_are_repeated_with_the_same_key() -> None:
    """A lost answer costs a repeat, and Stripe says that it knew the key."""
    network = FakeNetwork(ids(5), pace=fast())
    executed: list[str] = []

    def fault(account_id: str, attempt: int) -> FCError | None:
        if attempt > 2:
            return None
        executed.append(account_id)
        return LOST

    network.fault = fault
    outcomes, report = work_off(network)
    assert {outcome.attempts for outcome in outcomes} == {3}
    assert report.retries == 10
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_a_failed_account_does_not_end_the_run() -> None:
    """What Stripe refuses is an outcome with the error in it."""
    refused = InvalidRequestError("closed", status=400, code="account_closed")
    network = FakeNetwork(
        ids(20), pace=fast(), fault=lambda name, _: refused if name.endswith("7") else None
    )
    outcomes, report = work_off(network)
    failed = [outcome for outcome in outcomes if outcome.status == "failed"]
    assert [(o.reason, o.error) for o in failed] == [("account_closed", refused)] * 2
    assert report.by_status()["succeeded"] == 18
    assert report.to_dict()["by_reason"] == {"failed: account_closed": 2}


def test_a_bad_key_ends_the_run(tmp_path: Path) -> None:
    """401 concerns all accounts: it is raised, with everything finished so far on disk."""
    path = tmp_path / "job.sqlite"
    revoked = AuthenticationError("revoked", status=401)
    network = FakeNetwork(
        ids(100),
        pace=fast(),
        fault=lambda name, _: revoked if name > "fca_000050" else None,
    )
    with pytest.raises(AuthenticationError, match="revoked"):
        work_off(network, journal=path)
    done = {outcome.account_id for outcome in read_journal(path)}
    assert done
    assert done <= set(network.executions)
    network.fault = lambda *_: None
    _, report = work_off(network, journal=path)
    assert report.total == 100
    assert report.resumed == len(done)
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_a_bad_key_is_raised_even_if_nobody_iterates() -> None:
    """Leaving the block raises what ended the run, unless the caller has seen it."""

    async def main() -> None:
        network = FakeNetwork(
            ids(3), pace=fast(), fault=lambda *_: AuthenticationError("revoked", status=401)
        )
        async with network.run():
            await asyncio.sleep(5)

    with pytest.raises(AuthenticationError):
        virtually(main())


@pytest.mark.parametrize(("failures", "starts"), [(2, True), (3, False)])
def test_a_run_begins_with_the_servers_time(failures: int, starts: bool) -> None:
    """A network that is down for a moment is waited for; if it stays down, entering fails."""
    network = FakeNetwork(ids(3), pace=fast())
    list_page, answers = network.list_page, iter([LOST] * failures)

    async def flaky(starting_after: str | None, limit: int) -> Any:
        if error := next(answers, None):
            raise error
        return await list_page(starting_after, limit)

    network.list_page = flaky  # type: ignore[method-assign]
    if starts:
        assert work_off(network)[1].total == 3
    else:
        with pytest.raises(APIConnectionError):
            work_off(network)
        assert network.sends == []


def test_an_error_of_the_source_is_raised_as_it_is() -> None:
    """A list that breaks off is the caller's to judge; the journal has the rest."""

    def source() -> Iterator[str]:
        yield from ids(5)
        raise LookupError("page 2 is missing")

    with pytest.raises(LookupError, match="page 2 is missing"):
        work_off(FakeNetwork(ids(5), pace=fast()), source())


def test_a_network_that_is_down_ends_the_run_and_fails_nobody(tmp_path: Path) -> None:
    """An outage is not a property of an account: after a minute of silence the run gives up."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(2000), pace=fast(), fault=lambda *_: LOST)
    with pytest.raises(APIConnectionError):
        work_off(network, journal=path)
    assert [outcome for outcome in read_journal(path) if outcome.reason != "unconfirmed"] == []
    assert len(list(read_journal(path))) < 600


def test_a_full_disk_ends_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing more is sent than what the disk can remember; what it has stays good."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(500), pace=fast())
    commit = FileJournal.commit
    full = JournalError("job.sqlite cannot be written (disk full)", path=str(path))

    def commit_or_fail(self: FileJournal, *args: Any) -> Any:
        if len(network.sends) > 200:
            raise full
        return commit(self, *args)

    monkeypatch.setattr(FileJournal, "commit", commit_or_fail)
    with pytest.raises(JournalError, match="disk full"):
        work_off(network, journal=path)
    monkeypatch.undo()
    _, report = work_off(network, journal=path)
    assert report.by_status()["succeeded"] == 500
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_leaving_early_stops_and_the_same_call_resumes(tmp_path: Path) -> None:
    """After a break every outcome seen is on disk, and nothing is done twice."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(100), pace=fast())
    seen = set()

    async def main() -> None:
        async with network.run(journal=path) as run:
            async for outcome in run:
                seen.add(outcome.account_id)
                if len(seen) == 10:
                    break
        assert len(asyncio.all_tasks()) == 1

    virtually(main())
    assert seen <= {outcome.account_id for outcome in read_journal(path)}
    outcomes, report = work_off(network, journal=path)
    assert seen.isdisjoint(outcome.account_id for outcome in outcomes)
    assert seen | {outcome.account_id for outcome in outcomes} == set(network.ids)
    assert (report.total, report.earlier) == (100, 10 + sum(o.again for o in outcomes))
    assert network.executions == dict.fromkeys(network.ids, 1)


@pytest.mark.parametrize("seconds", [0.05, 0.15, 0.26, 0.4, 1.0])
def test_cancellation_leaves_nothing_behind(tmp_path: Path, seconds: float) -> None:
    """Cancelled anywhere, also while entering: no task, no thread, no lock; the rest resumes."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(200), pace=fast())

    async def job() -> None:
        async with network.run(journal=path, concurrency=20) as run:
            await run.finish()

    async def main() -> None:
        task = asyncio.create_task(job())
        await asyncio.sleep(seconds)
        task.cancel()
        await asyncio.wait([task])
        assert task.cancelled()
        assert len(asyncio.all_tasks()) == 1

    virtually(main())
    assert [thread.name for thread in threading.enumerate() if "journal" in thread.name] == []
    _, report = work_off(network, journal=path)
    assert report.total == 200
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_a_run_is_entered_once() -> None:
    """Its report would mean nothing otherwise."""

    async def main() -> None:
        network = FakeNetwork(ids(1), pace=fast())
        run = network.run()
        with pytest.raises(InvalidArgumentError, match="enter the run first"):
            await anext(run)
        async with run:
            await run.finish()
        with pytest.raises(InvalidArgumentError, match="entered once"):
            await run.__aenter__()

    virtually(main())


def test_waiting_shows_what_the_banks_said() -> None:
    """With wait=True the outcome is the bank's; the account is as it settled."""
    network = FakeNetwork(
        ids(50), pace=fast(), settle_seconds=5.0, fails_at_bank=frozenset({"fca_000007"})
    )
    outcomes, _ = work_off(network, wait=True)
    by_id = {outcome.account_id: outcome for outcome in outcomes}
    assert by_id["fca_000007"].reason == "balance_refresh_failed"
    assert sum(outcome.status == "succeeded" for outcome in outcomes) == 49
    assert all(
        outcome.account and outcome.account.balance_refresh.status != "pending"  # type: ignore[union-attr]
        for outcome in outcomes
    )


def test_many_accounts_settle_by_pages() -> None:
    """A thousand waiting accounts cost some tens of requests, not thousands."""
    network = FakeNetwork(ids(1000), pace=fast(), settle_seconds=30.0)
    outcomes, _ = work_off(network, wait=True)
    assert len(outcomes) == 1000
    assert network.lists + network.gets <= 300


def test_few_accounts_among_many_settle_one_by_one() -> None:
    """Walking a long list for a handful of accounts would cost more than asking for them."""
    network = FakeNetwork(ids(20_000), pace=fast(), settle_seconds=30.0)
    outcomes, _ = work_off(network, network.ids[-30:], wait=True)
    assert len(outcomes) == 30
    assert network.lists <= 16
    assert network.gets <= 30 * 8


def test_webhooks_save_the_polls() -> None:
    """run.observe(event) settles an account at once; what it does not know it ignores."""
    network = FakeNetwork(ids(5), pace=fast(), settle_seconds=500.0)

    async def main() -> list[Outcome]:
        async with network.run(wait=True) as run:
            await asyncio.sleep(1.0)
            network.settle_seconds = 0.0
            told = [run.observe(event(network.account(name))) for name in network.ids]
            told.append(run.observe(event(network.account("fca_other"))))
            told.append(run.observe(None))
            assert told == [True] * 5 + [False, False]
            return [outcome async for outcome in run]

    gets = network.gets
    assert {outcome.status for outcome in virtually(main())} == {"succeeded"}
    assert network.gets == gets


def event(account: Account) -> Event[Account]:
    return Event(id="evt_1", data=EventData(object=account))


def test_a_bank_that_does_not_answer_is_pending_and_resumes(tmp_path: Path) -> None:
    """After wait_timeout the outcome is pending; a later run waits on, and sends nothing."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(3), pace=fast(), settle_seconds=1e6)
    outcomes, report = work_off(network, wait=True, wait_timeout=100.0, journal=path)
    assert [outcome.status for outcome in outcomes] == ["pending"] * 3
    assert [outcome.error for outcome in outcomes] == [None] * 3
    assert 100 <= report.elapsed <= 110
    sent = len(network.sends)
    network.settle_seconds = 0.0
    outcomes, report = work_off(network, wait=True, journal=path)
    assert [outcome.status for outcome in outcomes] == ["succeeded"] * 3
    assert (len(network.sends), report.total) == (sent, 3)


def test_failed_accounts_can_be_taken_up_again(tmp_path: Path) -> None:
    """Resuming leaves failures alone; retry_failed=True does just those again."""
    path = tmp_path / "job.sqlite"
    broken = ServerError("oops", status=500, idempotent_replayed=True)
    network = FakeNetwork(
        ids(10), pace=fast(), fault=lambda n, _: broken if n < "fca_000003" else None
    )
    _, report = work_off(network, journal=path)
    assert report.to_dict()["by_reason"] == {"failed: stored_error": 3}
    network.fault = lambda *_: None
    outcomes, report = work_off(network, journal=path)
    assert (outcomes, report.by_status()["failed"]) == ([], 3)
    outcomes, report = work_off(network, journal=path, retry_failed=True)
    assert len(outcomes) == 3
    assert report.by_status()["succeeded"] == 10
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_a_journal_can_be_demanded_to_be_new(tmp_path: Path) -> None:
    """resume=False never goes on with an earlier job by accident."""
    path = tmp_path / "job.sqlite"
    work_off(FakeNetwork(ids(1), pace=fast()), journal=path, resume=False)
    with pytest.raises(JournalError, match="exists; resume=True"):
        work_off(FakeNetwork(ids(1), pace=fast()), journal=path, resume=False)


def test_progress_and_repr_show_how_far_it_is() -> None:
    """Figures may be asked for at any time."""

    async def main() -> None:
        network = FakeNetwork(ids(100), pace=fast())
        run = network.run(concurrency=10)
        assert repr(run) == "<BulkRun 0 done, 0 failed, 0 waiting>"
        async with run:
            for _ in range(40):
                await anext(run)
            progress = run.progress
            assert progress.done >= 40
            assert progress.total == 100
            assert progress.in_flight <= 10
            assert str(progress).startswith(f"{progress.done} of 100 done, 0 failed, ")
            assert f"<BulkRun {progress.done} done, 0 failed" in repr(run)
            await run.finish()
        assert run.progress.eta == 0.0
        assert run.report.rate == pytest.approx(100 / run.report.elapsed)

    virtually(main())


def test_the_total_is_known_once_the_source_has_ended() -> None:
    """A source without a length has no total until it was read; repeated ids do not count."""

    async def main() -> None:
        network = FakeNetwork(ids(30), pace=fast())
        run = network.run(iter([*network.ids, *network.ids[:5]]), concurrency=2)
        async with run:
            assert run.progress.total is None
            await run.finish()
            assert run.progress.total == 30

    virtually(main())


def test_a_report_reads_well() -> None:
    """Text, HTML and plain data say the same."""
    _, report = work_off(FakeNetwork(ids(10), pace=fast()))
    assert str(report).splitlines() == [
        "refreshed     10 of 10 accounts",
        "failed        0",
        "requests      10 (0 retries, 0 replays)",
        "reads         1",
        f"elapsed       {report.elapsed:.1f} s",
        f"rate          {report.rate:.1f} accounts/s, no 429s",
    ]
    assert "10 accounts" in report._repr_html_()
    assert report.to_dict()["by_status"]["succeeded"] == 10


def test_a_report_of_a_dry_run_says_what_would_be_sent() -> None:
    """The headline is the number that the caller wanted to know, and there is no rate."""
    network = FakeNetwork(ids(22), status=dict.fromkeys(ids(4), "inactive"))
    _, report = work_off(network, network.accounts(), dry_run=True)
    assert str(report).splitlines()[:3] == [
        "would refresh 18 of 22 accounts",
        "skipped       4 (4 inactive)",
        "failed        0",
    ]
    assert "rate" not in str(report)
    assert report.to_dict()["dry_run"] is True
    _, report = work_off(network, ids(1), dry_run=True, verb=UNSUBSCRIBE)
    assert str(report).splitlines()[:2] == [
        "would unsubscribe 1 of 1 account",
        "failed            0",
    ]


def test_a_report_of_a_run_that_sent_nothing_has_no_rate(tmp_path: Path) -> None:
    """Neither a job that is finished nor one without accounts went at any speed."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(3), pace=fast())
    _, report = work_off(network, journal=path)
    assert "accounts/s" in str(report)
    _, report = work_off(network, journal=path)
    _, empty = work_off(network, [])
    for text in (str(report), str(empty), empty._repr_html_()):
        assert "accounts/s" not in text
        assert "elapsed" not in text


def test_the_disk_is_asked_before_anything_is_sent(tmp_path: Path) -> None:
    """Every request finds its intent on disk: a kill at any moment leaves no unknown request."""
    path = tmp_path / "job.sqlite"
    known: set[str] = set()
    network = FakeNetwork(ids(100), pace=fast())
    commit = FileJournal.commit

    def watch(self: FileJournal, admitted: Any, *args: Any) -> Any:
        found = commit(self, admitted, *args)
        known.update(row.account_id for row in admitted)
        return found

    network.fault = lambda name, _: None if name in known else pytest.fail(f"{name} is not on disk")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(FileJournal, "commit", watch)
        work_off(network, journal=path)
    assert known == set(network.ids)


def test_no_rows_of_a_torn_journal_are_sent_blindly(tmp_path: Path) -> None:
    """A day after a kill, an account that the journal lost is looked at before it is sent."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(6), pace=fast())
    work_off(network, network.ids[:3], journal=path)
    for name in network.ids[3:5]:  # sent, and then lost with the end of the log
        network.executions[name], network.refreshed_at[name] = 1, EPOCH + 5
    journal = FileJournal.open(path, header_of(path))
    journal.commit([], [])  # another run had begun
    journal.close(is_complete=False)
    network.clock.shift(30 * 3600)
    network.keys.clear()
    _, report = work_off(network, journal=path)
    assert report.to_dict()["by_reason"] == {"succeeded: had_run": 2}
    assert network.executions == dict.fromkeys(network.ids, 1)


def header_of(path: Path) -> Header:
    return read_job(path)[0]


async def test_a_large_journal_is_read_beside_the_loop(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever takes longer with more accounts is done by a thread, also before the run begins."""
    path = tmp_path / "job.sqlite"
    threads = set()

    def noting(name: str) -> None:
        method = getattr(FileJournal, name)

        def note(self: FileJournal, *args: Any, **kwargs: Any) -> Any:
            threads.add(threading.get_ident())
            return method(self, *args, **kwargs)

        monkeypatch.setattr(FileJournal, name, note)

    for name in ("commit", "counts", "unacknowledged"):
        noting(name)
    real = FakeNetwork(ids(5), latency=0.0, clock=SYSTEM_CLOCK)  # type: ignore[arg-type]
    async with real.run(journal=path) as run:
        await run.finish()
    assert threads
    assert threading.get_ident() not in threads
