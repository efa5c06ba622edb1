"""What a run does when the server, its clock or the network misbehaves."""

from collections.abc import Iterator
from copy import copy
from pathlib import Path
from typing import Any

import pytest

from fcasync.bulk import Report
from fcasync.bulk._journal.sqlite import FileJournal, read_job
from fcasync.bulk._plan.task import Row
from fcasync.errors import (
    APIConnectionError,
    FCError,
    NotFoundError,
    PermissionDeniedError,
    ServerError,
)
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off

LOST = APIConnectionError("reset", may_have_executed=True)
EPOCH = 1_760_000_000
DENIED = PermissionDeniedError("not yours", status=403)
STORED = ServerError("oops", status=500, idempotent_replayed=True)


def executing(network: FakeNetwork, error: FCError) -> Any:
    """Return a fault that carries the first request of each account out and answers *error*."""
    done: set[str] = set()

    def fault(account_id: str, attempt: int) -> FCError | None:
        if account_id in done:
            return error if error is STORED else None
        done.add(account_id)
        network.executions[account_id] = network.executions.get(account_id, 0) + 1
        network.refreshed_at[account_id] = network.clock.time()
        return error

    return fault


def test_a_refused_look_leaves_the_outcome_uncertain(tmp_path: Path) -> None:
    """A stored 500 whose account cannot be fetched may have run: no new key is sent for it."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(20), pace=fast())
    network.fault = executing(network, STORED)
    retrieve = network.retrieve

    async def refuse(account_id: str) -> Any:
        raise NotFoundError("no such account", status=404)

    network.retrieve = refuse  # type: ignore[method-assign]
    _, report = work_off(network, journal=path)
    assert report.failed == 20
    network.retrieve = retrieve  # type: ignore[method-assign]
    network.fault = lambda *_: None
    network.clock.shift(30 * 3600)  # all keys are forgotten
    _, report = work_off(network, journal=path, retry_failed=True)
    assert report.succeeded == 20
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_a_clock_that_is_set_back_in_a_run_repeats_nothing() -> None:
    """Lost answers, then a server whose clock goes two hours back: still one refresh each.

    Every tenth answer arrives, or it would be an outage.
    """
    network = FakeNetwork(ids(300), pace=fast())
    fault = executing(network, LOST)

    def set_back(account_id: str, attempt: int) -> FCError | None:
        index = network.ids.index(account_id)
        if index == 150 and attempt == 1:
            network.clock.shift(-7200)
        # From there on all keys are gone, so that everything has to be looked at.
        network.keys.clear()
        lost = fault(account_id, attempt) if index % 10 else None
        return lost or (STORED if attempt == 2 else None)

    network.fault = set_back
    _, report = work_off(network)
    assert (report.total, report.failed) == (300, 0)
    assert network.executions == dict.fromkeys(network.ids, 1)


UNAVAILABLE = ServerError("unavailable", status=503)


class Outage:
    """A server that is down for some minutes, and a job that is started again whenever it ends.

    The runs share one stretch of virtual time.
    """

    def __init__(self, error: FCError, path: Path, minutes: int) -> None:
        self.error, self.path, self.minutes = error, path, minutes
        self.network = FakeNetwork(ids(3000), pace=fast(), latency=5.0)
        self.ends: list[FCError] = []
        self.most_read = 0

    def down(self, *_: Any) -> FCError | None:
        return copy(self.error) if self.network.clock.monotonic() < self.minutes * 60 else None

    async def unseen(self, account_id: str) -> Any:
        if error := self.down():
            await self.network.clock.sleep(5.0)  # with the client's retries
            raise error
        return await FakeNetwork.retrieve(self.network, account_id)

    async def run(self) -> Report:
        read = 0

        def source() -> Iterator[str]:
            nonlocal read
            for name in self.network.ids:
                read += 1
                yield name

        run = self.network.run(source(), journal=self.path, concurrency=64)
        try:
            async with run:
                await run.finish()
        except FCError as error:
            self.ends.append(error)
            self.most_read = max(self.most_read, read)
        return run.report

    def last(self) -> Report:
        """Start the job until it ends well; return its last report."""

        async def main() -> Report:
            report = await self.run()
            while report.finished_at is None:
                report = await self.run()
            return report

        return virtually(main())

    def check(self, report: Report) -> None:
        """Compare the report with what was done, and how long it took with what was promised."""
        assert (report.total, report.failed, report.unfinished) == (3000, 0, 0)
        assert self.network.executions == dict.fromkeys(self.network.ids, 1)
        assert self.most_read <= 2 * 64 + 64 + 1
        assert self.minutes / 3 <= len(self.ends) <= self.minutes
        for error in self.ends:
            assert type(error) is type(self.error)
            assert "s, so the run ends; the same call resumes it" in str(error)


@pytest.mark.parametrize(("error", "minutes"), [(UNAVAILABLE, 16), (LOST, 3)])
def test_an_outage_costs_no_account(tmp_path: Path, error: FCError, minutes: int) -> None:
    """Nothing but 503 is like a dead network: one window is read, nobody is blamed, runs end."""
    outage = Outage(error, tmp_path / "job.sqlite", minutes)
    outage.network.fault = outage.down
    outage.check(outage.last())


@pytest.mark.parametrize("error", [UNAVAILABLE, LOST])
def test_an_outage_costs_no_account_that_is_looked_at(tmp_path: Path, error: FCError) -> None:
    """A day after a stop accounts are fetched first; that nobody answers is not their fault."""
    outage = Outage(error, tmp_path / "job.sqlite", 3)
    network = outage.network

    async def begin() -> None:
        async with network.run(journal=outage.path, concurrency=64):
            await network.clock.sleep(8.0)

    network.fault = lambda *_: copy(LOST)
    virtually(begin())
    network.clock.shift(30 * 3600)
    network.fault = outage.down
    network.retrieve = outage.unseen  # type: ignore[method-assign]
    outage.check(outage.last())
    assert network.gets >= 64


def test_looks_that_fail_now_and_then_end_no_run(tmp_path: Path) -> None:
    """Hundreds of failures in minutes are not an outage while others are answered in between."""
    path = tmp_path / "job.sqlite"
    network = FakeNetwork(ids(300), pace=fast(), fault=lambda *_: copy(LOST))
    seen: set[str] = set()

    async def begin() -> None:
        async with network.run(journal=path):
            await network.clock.sleep(2.0)

    async def flaky(account_id: str) -> Any:
        if account_id in seen or account_id in network.ids[::2]:
            return await FakeNetwork.retrieve(network, account_id)
        seen.add(account_id)
        raise copy(LOST)

    virtually(begin())
    network.clock.shift(30 * 3600)
    network.fault = lambda *_: None
    network.retrieve = flaky  # type: ignore[method-assign]
    _, report = work_off(network, journal=path, max_rate=5.0)
    assert (report.total, report.failed, len(seen)) == (300, 0, 150)
    assert report.elapsed > 60


def killed_a_day_ago(path: Path) -> FakeNetwork:
    """Return a network whose accounts were sent by a run that was killed, and is a day old."""
    network = FakeNetwork(ids(6), pace=fast())
    work_off(network, network.ids[:1], journal=path)
    journal = FileJournal.open(path, read_job(path)[0])
    journal.commit([Row(name, "open", 0, EPOCH) for name in network.ids[1:]], [])
    journal.close(is_complete=False)
    for name in network.ids[1:]:
        network.executions[name], network.refreshed_at[name] = 1, EPOCH + 5.0
    network.clock.shift(30 * 3600)
    network.keys.clear()
    return network


def refusing(error: FCError) -> Any:
    async def retrieve(account_id: str) -> Any:
        raise error

    return retrieve


def test_a_look_that_is_denied_after_a_crash_ends_the_run_and_fails_nobody(tmp_path: Path) -> None:
    """Whether the accounts were refreshed is found out when the key may look again."""
    path = tmp_path / "job.sqlite"
    network = killed_a_day_ago(path)
    retrieve, network.retrieve = network.retrieve, refusing(DENIED)  # type: ignore[method-assign]
    with pytest.raises(PermissionDeniedError):
        work_off(network, journal=path)
    network.retrieve = retrieve  # type: ignore[method-assign]
    _, report = work_off(network, journal=path)
    assert report.succeeded == 6
    assert network.executions == dict.fromkeys(network.ids, 1)


def test_accounts_that_are_gone_after_a_crash_are_uncertain_failures(tmp_path: Path) -> None:
    """They may have been refreshed before they went: nothing is sent for them."""
    path = tmp_path / "job.sqlite"
    network = killed_a_day_ago(path)
    gone = NotFoundError("no such account", status=404, code="resource_missing")
    network.retrieve = refusing(gone)  # type: ignore[method-assign]
    outcomes, report = work_off(network, journal=path)
    assert {(o.status, o.reason) for o in outcomes} == {("failed", "resource_missing")}
    assert (len(outcomes), report.total) == (5, 6)
    assert network.executions == dict.fromkeys(network.ids, 1)
