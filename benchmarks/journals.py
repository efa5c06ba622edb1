"""The journal of a bulk job, as a run uses it: the jobs return what they measured, in seconds."""

import asyncio
import random
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import fcasync as fc
from benchmarks import data
from fcasync._facts.clock import SYSTEM_CLOCK
from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.header import Header
from fcasync.bulk._journal.sqlite import FileJournal
from fcasync.bulk._outcome import OutcomeStatus
from fcasync.bulk._plan.task import Row, State, Task
from fcasync.bulk._plan.verdicts import Verdict
from fcasync.bulk._work.network import fingerprint

WINDOW = 576
"""Accounts under way at a time: as many as a run with the default concurrency."""
HEADER = Header(
    operation="refresh",
    features="balance",
    api_key=fingerprint(data.KEY),
    stripe_account=None,
    stripe_version=data.API_VERSION,
    created=1_760_000_000,
)


@contextmanager
def _folder() -> Iterator[Path]:
    with TemporaryDirectory() as folder:
        yield Path(folder)


def row(account_id: str, status: str = "open", seq: int = 0) -> Row:
    return Row(account_id, status, 0, HEADER.created, seq=seq)


def random_ids(count: int) -> list[str]:
    rng = random.Random(0)
    letters = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
    return ["fca_1" + "".join(rng.choices(letters, k=23)) for _ in range(count)]


@cache
def finished(count: int) -> bytes:
    """Return the file of a job that has finished *count* accounts."""
    ids = [data.account_id(number) for number in range(count)]
    with _folder() as folder:
        path = folder / "job.sqlite"
        journal = FileJournal.open(path, HEADER)
        for first in range(0, count, 1000):
            rows = [
                row(each, "succeeded", first + number)
                for number, each in enumerate(ids[first : first + 1000], 1)
            ]
            journal.commit(rows, [], first + len(rows))
        journal.close(is_complete=True, acknowledged=count, finished_at=HEADER.created)
        return path.read_bytes()


class Journals:
    """Writes and reads journals."""

    def __init__(self, url: str) -> None:
        self._url = url

    async def record_random(self, *, times: int) -> float:
        """Write *times* accounts, whose ids come in random order."""
        return await self._record(random_ids(times))

    async def record_sorted(self, *, times: int) -> float:
        """Write *times* accounts, whose ids come in the order of their creation."""
        return await self._record([data.account_id(number) for number in range(times)])

    async def open(self, *, times: int) -> float:
        """Run a job again that has finished *times* accounts."""
        return await self._run_again(times, more=0)

    async def resume(self, *, times: int) -> float:
        """Run a job again that has finished *times* accounts, over these and one more."""
        return await self._run_again(times, more=1)

    async def _record(self, ids: list[str]) -> float:
        """Admit every account and store its outcome, as many under way as in a run."""
        left, under_way, done = iter(ids), 0, asyncio.Event()
        with _folder() as folder:
            commit = GroupCommit(FileJournal.open(folder / "job.sqlite", HEADER), SYSTEM_CLOCK)

            def begin() -> None:
                nonlocal under_way
                if account_id := next(left, None):
                    under_way += 1
                    task = Task(account_id, HEADER.created)
                    commit.admit(task, lambda _: finish(task))

            def finish(task: Task) -> None:
                task.state, task.verdict = State.DONE, Verdict(OutcomeStatus.SUCCEEDED)
                commit.store(task, end, seq=1)

            def end() -> None:
                nonlocal under_way
                under_way -= 1
                begin()
                if not under_way:
                    done.set()

            began = time.process_time()
            for _ in range(WINDOW):
                begin()
            work = asyncio.create_task(commit.run())
            await done.wait()
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)
            commit.close()
            return time.process_time() - began

    async def _run_again(self, count: int, *, more: int) -> float:
        ids = [data.account_id(number) for number in range(count + more)]
        with _folder() as folder:
            path = folder / "job.sqlite"
            path.touch(0o600)
            path.write_bytes(finished(count))
            if more:
                # As a run closes it that was stopped before its end.
                FileJournal.open(path, HEADER).close(is_complete=True, acknowledged=count)
            began = time.process_time()
            async with (
                fc.Client(data.KEY, base_url=self._url) as client,
                client.bulk.refresh(ids, features=["balance"], journal=path) as run,
            ):
                report = await run.finish()
            spent = time.process_time() - began
        assert report.requests == more
        return spent

    async def aclose(self) -> None:
        """Nothing is open."""


async def connect(url: str) -> Journals:
    return Journals(url)
