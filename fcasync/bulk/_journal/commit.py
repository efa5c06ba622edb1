"""Group commit: many small writes, one transaction, one wait for the disk."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import attrs

from fcasync._facts.clock import Clock
from fcasync.bulk._journal.journal import Journal
from fcasync.bulk._plan.task import Row

LARGEST = 500
"""Most writes of one commit; calling back for more would hold up the event loop."""
BATCH = 64
"""As many writes are committed without waiting for more."""
LONGEST_DELAY = 0.05
"""Longest time that a write waits for others, in seconds."""


@attrs.frozen
class _Write:
    row: Row
    is_admission: bool
    then: Callable[[Row | None], None]


class GroupCommit:
    """Writes rows to disk in a thread of its own, and calls back when they are there.

    While one batch is being written the next one gathers, so batches grow with the load.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._queue: deque[_Write] = deque()
        self._batch: list[_Write] = []
        self._news = asyncio.Event()
        self._enough = asyncio.Event()
        self.has_failed = False
        """Whether the disk has refused a batch; nothing more is written then."""
        self.acknowledged = 0
        """Number of the last outcome that the caller has certainly seen."""
        self.finished_at: int | None = None
        """The server's Unix time, once nothing is left to do."""
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fcasync-journal")

    def admit(self, row: Row, then: Callable[[Row | None], None]) -> None:
        """Write *row* if its account is new; call *then* with the row that was there before."""
        self._put(_Write(row, True, then))

    def store(self, row: Row, then: Callable[[Row | None], None]) -> None:
        """Write *row*; call *then* when it is on disk."""
        self._put(_Write(row, False, then))

    def _put(self, write: _Write) -> None:
        self._queue.append(write)
        self._news.set()
        if len(self._queue) >= BATCH:
            self._enough.set()

    async def run(self) -> None:
        """Commit what is queued, until cancelled.

        Raises:
            JournalError: The disk is full, or failed.
        """
        loop = asyncio.get_running_loop()
        while True:
            await self._gather()
            self._batch = self._next_batch()
            known = await loop.run_in_executor(self._thread, self._commit, self._batch)
            batch, self._batch = self._batch, []
            for write in batch:
                write.then(known.pop(write.row.key, None) if write.is_admission else None)

    async def flush(self) -> None:
        """Commit what is left and call back, after :meth:`run` has ended or was cancelled.

        A batch that was on its way is written again: that changes nothing.
        """
        if self.has_failed:
            return
        loop = asyncio.get_running_loop()
        while self._batch or self._queue:
            self._batch = self._batch or self._next_batch()
            await loop.run_in_executor(self._thread, self._commit, self._batch)
            batch, self._batch = self._batch, []
            self._call_back(batch)

    def _call_back(self, batch: list[_Write]) -> None:
        """Say what is on disk; nothing is begun any more for whom it has just admitted."""
        for write in batch:
            if not write.is_admission:
                write.then(None)

    def _next_batch(self) -> list[_Write]:
        return [self._queue.popleft() for _ in range(min(len(self._queue), LARGEST))]

    async def _gather(self) -> None:
        self._news.clear()
        if not self._queue:
            await self._news.wait()
        self._enough.clear()
        if len(self._queue) < BATCH:
            late = asyncio.ensure_future(self._clock.sleep(LONGEST_DELAY))
            enough = asyncio.ensure_future(self._enough.wait())
            try:
                await asyncio.wait((late, enough), return_when=asyncio.FIRST_COMPLETED)
            finally:
                late.cancel()
                enough.cancel()

    def _commit(self, batch: list[_Write]) -> dict[tuple[str, str], Row]:
        admitted = [write.row for write in batch if write.is_admission]
        rows = [write.row for write in batch if not write.is_admission]
        try:
            return self._journal.commit(admitted, rows, self.acknowledged)
        except BaseException:
            self.has_failed = True
            raise

    def close(self) -> None:
        """Write what is left, end the thread and close the journal; the loop waits for it.

        Safe after :meth:`run` was cancelled: a batch that was on its way is written again.
        """
        self._thread.shutdown(wait=True)
        rest = [*self._batch, *self._queue]
        try:
            if rest and not self.has_failed:
                self._commit(rest)
                self._call_back(rest)
        finally:
            self._journal.close(
                is_complete=not self.has_failed,
                acknowledged=self.acknowledged,
                finished_at=self.finished_at,
            )
