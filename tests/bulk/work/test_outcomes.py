"""Outcomes: each says what is known, and every one of them is handed out."""

import asyncio
import json
import logging
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from fcasync.bulk import BulkRun, Outcome, OutcomeStatus, read_journal
from fcasync.bulk._journal.rows import read_unfinished
from fcasync.bulk._journal.sqlite import FileJournal
from fcasync.errors import (
    AuthenticationError,
    FCError,
    InvalidArgumentError,
    InvalidRequestError,
    JournalError,
    NotFoundError,
)
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off

EPOCH = 1_760_000_000.0
REFUSED = InvalidRequestError("no", status=400, code="account_closed")


def test_without_waiting_a_refresh_is_accepted() -> None:
    """The bank has not answered, so nothing is claimed about it."""
    network = FakeNetwork(ids(5), pace=fast(), settle_seconds=60.0)
    outcomes, report = work_off(network)
    assert {outcome.status for outcome in outcomes} == {"accepted"}
    assert (report.accepted, report.succeeded, report.failed) == (5, 0, 0)
    assert "accepted      5 of 5 accounts; their banks have not answered" in str(report)


def test_an_outcome_is_a_row_of_plain_data() -> None:
    """Everything but the account: for JSON, and for data frames, which would see one column."""
    outcome = Outcome(
        account_id="fca_1",
        status=OutcomeStatus.DEFERRED,
        reason="too_early",
        error=REFUSED,
        available_at=datetime(2026, 11, 24, 3, tzinfo=UTC),
        stripe_account="acct_1",
    )
    row = outcome.to_dict()
    assert json.loads(json.dumps(row)) == row
    assert row == {
        "account_id": "fca_1",
        "stripe_account": "acct_1",
        "status": "deferred",
        "reason": "too_early",
        "error": "no (400, account_closed)",
        "attempts": 0,
        "replayed": False,
        "available_at": "2026-11-24T03:00:00+00:00",
        "again": False,
    }
    assert row.keys() == {field.name for field in attrs.fields(Outcome)} - {"account"}
    assert type(row["status"]) is str


def test_an_accepted_job_can_be_waited_for_later(tmp_path: Path) -> None:
    """The same journal with wait=True asks the banks, and sends nothing."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(5), pace=fast(), settle_seconds=60.0)
    work_off(network, journal=path)
    network.clock.shift(3600)
    outcomes, report = work_off(network, journal=path, wait=True)
    assert [outcome.status for outcome in outcomes] == ["succeeded"] * 5
    assert (report.succeeded, report.accepted, report.requests) == (5, 0, 0)


def stopped_world() -> FakeNetwork:
    """Return a world with accounts that are inactive, too early, or ready."""
    network = FakeNetwork(
        ids(30), pace=fast(), refreshed_before=EPOCH - 100.0, cooldown=1000.0, settle_seconds=5.0
    )
    for number, name in enumerate(network.ids):
        if number % 3 == 0:
            network.status[name] = "inactive"
        elif number % 3 == 1:
            network.refreshed_at[name] = EPOCH - 90_000.0  # its time has come
    return network


def kinds(outcomes: list[Outcome]) -> set[tuple[str, str, str | None, Any]]:
    return {(o.account_id, o.status, o.reason, o.available_at) for o in outcomes}


def test_an_account_ends_the_same_way_however_it_was_named() -> None:
    """As an id, a refusal is looked behind; as an Account, it is foreseen."""
    by_id, _ = work_off(stopped_world())
    network = stopped_world()

    async def main() -> list[Outcome]:
        accounts = [network.account(name) for name in network.ids]
        async with network.run(accounts) as run:
            return [outcome async for outcome in run]

    by_account = virtually(main())
    assert kinds(by_id) == kinds(by_account)
    assert {(o.status, o.reason) for o in by_id} == {
        ("skipped", "inactive"),
        ("deferred", "too_early"),
        ("accepted", None),
    }
    assert all(o.available_at for o in by_id if o.status == "deferred")


@pytest.mark.parametrize("named", ["by id", "as an Account"])
def test_an_account_ends_the_same_way_after_a_stop(tmp_path: Path, named: str) -> None:
    """What was in work when a job was stopped is judged as it would have been before."""
    undisturbed, _ = work_off(stopped_world())
    network = stopped_world()
    path = tmp_path / "job.sqlite"
    source: list[Any] = list(network.ids)

    async def begin() -> None:
        if named == "as an Account":
            source[:] = [network.account(name) for name in network.ids]
        async with network.run(source, journal=path, concurrency=4):
            await asyncio.sleep(0.3)

    virtually(begin())
    assert len(list(read_journal(path))) < 30
    work_off(network, source, journal=path)
    assert kinds(list(read_journal(path))) == kinds(undisturbed)


def test_what_was_not_acknowledged_is_handed_out_again(tmp_path: Path) -> None:
    """An error in the loop's body leaves its outcome to the next run, marked as seen perhaps."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(40), pace=fast())
    handed: list[str] = []

    async def main() -> None:
        async with network.run(journal=path, concurrency=4) as run:
            async for outcome in run:
                handed.append(outcome.account_id)
                if len(handed) == 10:
                    raise LookupError(outcome.account_id)

    with pytest.raises(LookupError):
        virtually(main())
    outcomes, report = work_off(network, journal=path)
    again = [outcome.account_id for outcome in outcomes if outcome.again]
    assert again[0] == handed[-1]
    assert not set(again) & set(handed[:-1])
    assert set(handed) | {outcome.account_id for outcome in outcomes} == set(network.ids)
    assert len(outcomes) == 31
    assert (report.total, report.earlier) == (40, 9 + len(again))


def test_leaving_in_good_order_acknowledges(tmp_path: Path) -> None:
    """After a break the outcome in hand is not handed out again, and the rest is."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(40), pace=fast())

    async def main() -> str:
        async with network.run(journal=path) as run:
            async for outcome in run:
                await asyncio.sleep(5.0)
                return outcome.account_id
        raise AssertionError

    first = virtually(main())
    outcomes, _ = work_off(network, journal=path)
    assert {outcome.account_id for outcome in outcomes} == set(network.ids) - {first}
    assert work_off(network, journal=path)[0] == []


def test_an_orderly_stop_hands_out_what_is_finished(tmp_path: Path) -> None:
    """After stop() iteration goes on until the caller has everything that is on disk."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(400), pace=fast())

    async def main() -> set[str]:
        seen = set()
        async with network.run(journal=path, concurrency=16) as run:
            async for outcome in run:
                seen.add(outcome.account_id)
                if len(seen) == 50:
                    assert run.stop() is True
            assert run.stop() is False
        assert run.report.finished_at is None
        return seen

    seen = virtually(main())
    assert seen == {outcome.account_id for outcome in read_journal(path)}
    outcomes, _ = work_off(network, journal=path)
    assert not any(outcome.again for outcome in outcomes)
    assert seen | {outcome.account_id for outcome in outcomes} == set(network.ids)


def test_an_error_that_ends_the_run_comes_after_all_outcomes(tmp_path: Path) -> None:
    """What was finished when the key was revoked is handed out first."""
    path = tmp_path / "job.sqlite"
    revoked = AuthenticationError("revoked", status=401)
    network = FakeNetwork(ids(100), pace=fast())
    network.fault = lambda name, _: revoked if name > "fca_000050" else None
    seen = set()

    async def main() -> None:
        async with network.run(journal=path) as run:
            async for outcome in run:
                seen.add(outcome.account_id)

    with pytest.raises(AuthenticationError):
        virtually(main())
    assert seen == {outcome.account_id for outcome in read_journal(path)}


def test_a_finished_journal_says_so_and_sends_nothing(tmp_path: Path) -> None:
    """A journal is one job: the second call reports when it finished, and counts apart."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(10), pace=fast())
    _, first = work_off(network, journal=path)
    assert first.finished_at is not None
    assert (first.now, first.earlier, first.found_finished) == (10, 0, False)
    outcomes, report = work_off(network, [*network.ids, "fca_new"], journal=path)
    assert (outcomes, report.requests) == ([], 0)
    assert (report.now, report.earlier, report.found_finished) == (0, 10, True)
    assert report.finished_at == first.finished_at
    assert "refreshed     10 of 10 accounts, 0 now and 10 earlier" in str(report)


def test_a_job_with_deferred_accounts_is_not_finished(tmp_path: Path) -> None:
    """The same call takes them up when their time has come."""
    path = tmp_path / "job.sqlite"
    network = stopped_world()
    _, report = work_off(network, journal=path)
    assert report.finished_at is None
    network.clock.shift(2000)
    outcomes, report = work_off(network, journal=path)
    assert {(o.status, o.reason) for o in outcomes} == {("accepted", None)}
    assert (len(outcomes), report.deferred) == (10, 0)
    assert report.finished_at is not None


def test_without_a_journal_a_repeated_id_is_one_outcome() -> None:
    """Also after the first one is long done."""
    network = FakeNetwork(ids(5), pace=fast())

    async def source() -> Any:
        for _ in range(3):
            for name in network.ids:
                yield name
            await asyncio.sleep(10.0)

    outcomes, report = work_off(network, source())
    assert (len(outcomes), report.total, len(network.sends)) == (5, 5, 5)


def test_statuses_are_numbers_of_the_report() -> None:
    """No dict needs to be looked into."""
    _, report = work_off(stopped_world())
    assert (report.skipped, report.deferred, report.accepted) == (10, 10, 10)
    assert (report.succeeded, report.failed, report.pending) == (0, 0, 0)


def test_a_run_logs_its_start_its_limit_and_its_end(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """At INFO an operator sees what a job did, without a line for each account."""
    caplog.set_level(logging.INFO, "fcasync")
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(400), rate=lambda now: 20.0, burst=5.0)

    async def main() -> None:
        async with network.run(journal=path) as run:
            async for _ in run:
                if run.report.total > 200:
                    run.stop()

    virtually(main())
    work_off(network, journal=path)
    work_off(network, journal=path)
    text = [record.getMessage() for record in caplog.records if record.levelno == logging.INFO]
    assert text[0] == f"bulk refresh starts ({path})"
    assert any(line.startswith("bulk: the rate limit is about ") for line in text)
    assert any(line.startswith("bulk refresh ended: ") for line in text)
    assert any(line.startswith("bulk refresh resumes with ") for line in text)
    assert any(line.startswith("bulk refresh finished: 400 succeeded") for line in text)
    assert f"bulk refresh found its job finished ({path})" in text
    assert len(text) < 30


def test_a_run_cannot_be_entered_twice_at_once() -> None:
    """The second one is refused before it sends anything."""

    async def main() -> None:
        network = FakeNetwork(ids(5), pace=fast())
        run = network.run()

        async def use() -> None:
            async with run:
                await run.finish()

        first, second = await asyncio.gather(use(), use(), return_exceptions=True)
        assert first is None
        assert isinstance(second, InvalidArgumentError)

    virtually(main())


def test_an_again_outcome_keeps_its_error(tmp_path: Path) -> None:
    """What is read back from the journal says why it failed."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(3), pace=fast())

    async def main() -> None:
        async with network.run(["not an id", *network.ids, "fca_nobody"], journal=path):
            await asyncio.sleep(5.0)
            raise LookupError

    network.fault = lambda name, _: _gone(network, name)
    with pytest.raises(LookupError):
        virtually(main())
    outcomes, _ = work_off(network, journal=path)
    again = {outcome.account_id: outcome for outcome in outcomes if outcome.again}
    assert set(again) == {*network.ids, "fca_nobody"}
    assert "no such account" in str(again["fca_nobody"].error)


def failed_at_the_bank(path: Path) -> FakeNetwork:
    """Return a network on which a job has just ended, and the bank has failed one account."""
    network = FakeNetwork(ids(3), pace=fast(), settle_seconds=5.0, cooldown=900.0)
    network.fails_at_bank = frozenset(network.ids[:1])
    _, report = work_off(network, journal=path, wait=True)
    assert report.to_dict()["by_reason"] == {"failed: balance_refresh_failed": 1}
    network.clock.shift(60)
    return network


@pytest.mark.parametrize(("max_age", "sends"), [(None, 1), (1.0, 0)])
def test_a_failure_that_is_retried_too_early_is_deferred(
    tmp_path: Path, max_age: float | None, sends: int
) -> None:
    """It ends as in a fresh job: the bank that failed before has not failed again."""
    path = tmp_path / "job.sqlite"
    network = failed_at_the_bank(path)
    sent = len(network.sends)
    [outcome], report = work_off(
        network, journal=path, wait=True, retry_failed=True, max_age=max_age
    )
    assert (outcome.status, outcome.reason, outcome.error) == ("deferred", "too_early", None)
    assert outcome.available_at == datetime.fromtimestamp(
        network.refreshed_at[network.ids[0]] + 900, UTC
    )
    assert (report.failed, report.deferred) == (0, 1)
    assert len(network.sends) - sent == sends
    network.clock.shift(1000)
    network.fails_at_bank = frozenset()
    _, report = work_off(network, journal=path, wait=True)
    assert report.succeeded == 3
    assert network.executions == {network.ids[0]: 2, network.ids[1]: 1, network.ids[2]: 1}


def test_a_failure_that_is_retried_too_early_sends_nothing_where_its_account_is_at_hand(
    tmp_path: Path,
) -> None:
    """What the source shows need not be asked for."""
    path = tmp_path / "job.sqlite"
    network = failed_at_the_bank(path)
    sent, gets = len(network.sends), network.gets
    [outcome], _ = work_off(network, network.accounts(), journal=path, wait=True, retry_failed=True)
    assert (outcome.status, outcome.reason) == ("deferred", "too_early")
    assert outcome.available_at is not None
    assert (len(network.sends), network.gets) == (sent, gets)


def _gone(network: FakeNetwork, name: str) -> FCError | None:
    return None if name in network.ids else NotFoundError("no such account", status=404)


def test_retrying_failures_does_not_finish_a_job_that_was_stopped(tmp_path: Path) -> None:
    """Its source may be a part of the job's: what was never read must still be taken up."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(100), pace=fast(), fault=lambda *_: REFUSED)

    async def begin() -> None:
        async with network.run(journal=path, concurrency=1) as run:
            await anext(run)

    virtually(begin())
    network.fault = lambda *_: None
    failed = [outcome.account_id for outcome in read_journal(path)]
    _, report = work_off(network, failed, journal=path, retry_failed=True)
    assert report.finished_at is None
    _, report = work_off(network, journal=path)
    assert (report.succeeded, report.found_finished) == (100, False)
    assert report.finished_at is not None


def test_retrying_failures_leaves_a_finished_job_finished(tmp_path: Path) -> None:
    """The whole source was read before."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(10), pace=fast(), fault=lambda *_: REFUSED)
    work_off(network, journal=path)
    network.fault = lambda *_: None
    _, report = work_off(network, network.ids, journal=path, retry_failed=True)
    assert report.finished_at is not None
    assert work_off(network, journal=path)[1].found_finished


class Counted:
    """A source that knows how many items it has given away."""

    def __init__(self, items: list[str]) -> None:
        self.items, self.read = items, 0

    def __iter__(self) -> Iterator[str]:
        for item in self.items:
            self.read += 1
            yield item


async def leave(run: BulkRun, how: str, seconds: float) -> None:
    """Take outcomes for so long, then end the run in one of several ways."""
    ends_at = asyncio.get_running_loop().time() + seconds
    async with run:
        async for _ in run:
            if asyncio.get_running_loop().time() < ends_at:
                continue
            if how == "break":
                break
            if how == "error":
                raise LookupError
            run.stop()


@pytest.mark.parametrize("how", ["stop", "cancel", "break", "error"])
@pytest.mark.parametrize("seconds", [0.11, 0.13, 0.2, 0.26, 0.31, 0.5])
def test_whatever_was_read_is_finished_or_unfinished(
    tmp_path: Path, how: str, seconds: float
) -> None:
    """However a run ends early, its report knows each account that the source has given away."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(400), pace=fast())
    virtually(leave(network.run(journal=path, concurrency=4), "break", 0.0))
    known = len([*read_journal(path), *read_unfinished(path)])
    source = Counted(["not an id", *network.ids])
    run = network.run(source, journal=path, concurrency=4)

    async def main() -> None:
        leaving = asyncio.create_task(leave(run, how, seconds))
        await asyncio.wait([leaving], timeout=seconds if how == "cancel" else None)
        leaving.cancel()
        await asyncio.wait([leaving])

    virtually(main())
    report = run.report
    assert 0 < source.read < 400
    assert report.total + report.unfinished == max(source.read, known + 1)
    assert report.unfinished == len(list(read_unfinished(path)))


def test_what_a_full_disk_could_not_take_is_unfinished(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Accounts that were read and are not on disk have no outcome either."""
    network = FakeNetwork(ids(400), pace=fast())
    commit = FileJournal.commit

    def fail(self: FileJournal, admitted: Any, *args: Any) -> Any:
        if admitted and len(network.sends) > 20:
            raise JournalError("full", path="job.sqlite")
        return commit(self, admitted, *args)

    monkeypatch.setattr(FileJournal, "commit", fail)
    source = Counted(network.ids)
    run = network.run(source, journal=tmp_path / "job.sqlite", concurrency=4)
    with pytest.raises(JournalError, match="full"):
        virtually(leave(run, "stop", 1e9))
    assert run.report.total + run.report.unfinished == source.read
