"""Group commit: many small writes, one transaction, one wait for the disk."""

import asyncio
from collections import deque
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

from fcasync._facts.clock import Clock
from fcasync.bulk._journal.journal import Journal
from fcasync.bulk._journal.rows import row_of
from fcasync.bulk._plan.task import Row, Task

LARGEST = 500
"""Most writes of one commit; calling back for more would hold up the event loop."""
BATCH = 64
"""As many writes are committed without waiting for more."""
LONGEST_DELAY = 0.05
"""Longest time that a write waits for others, in seconds."""

Write = tuple[Row, bool, Callable[..., None] | None]
"""A row, whether it is written only if it is new, and whom to call then: with what was known of
it before if it is, else without an argument."""


class GroupCommit:
    """Writes rows to disk in a thread of its own, and calls back when they are there.

    While one batch is being written the next one gathers, so batches grow with the load.
    """

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._queue: deque[Write] = deque()
        self._batch: list[Write] = []
        self._news = asyncio.Event()
        self._enough = asyncio.Event()
        self._has_failed = False  # the disk has refused a batch; nothing more is written then
        self.acknowledged = 0
        self.over: frozenset[str] = frozenset()
        self.finished_at: int | None = None
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="fcasync.bulk.journal")

    def admit(self, task: Task, then: Callable[[Row | None], None]) -> None:
        """Write *task* down if its account is new; call *then* with the row that was there."""
        self._put((row_of(task), True, then))

    def store(self, task: Task, then: Callable[[], None] | None = None, seq: int = 0) -> None:
        """Write *task* down as it is now; call *then* when it is on disk."""
        self._put((row_of(task, seq), False, then))

    def put(self, row: Row, then: Callable[..., None] | None, *, is_admission: bool) -> None:
        """Write a row that another process has made; *then* is called as by the others."""
        self._put((row, is_admission, then))

    def _put(self, write: Write) -> None:
        self._queue.append(write)
        waiting = len(self._queue)
        if waiting == 1:
            self._news.set()
        elif waiting == BATCH:
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
            for row, is_admission, then in batch:
                if is_admission and then is not None:
                    then(known.pop(row.key, None) if known else None)
                elif then is not None:
                    then()

    async def flush(self) -> None:
        """Commit what is left and call back, after :meth:`run` has ended or was cancelled.

        A batch that was on its way is written again: that changes nothing.
        """
        if self._has_failed:
            return
        loop = asyncio.get_running_loop()
        while self._batch or self._queue:
            self._batch = self._batch or self._next_batch()
            await loop.run_in_executor(self._thread, self._commit, self._batch)
            batch, self._batch = self._batch, []
            self._call_back(batch)

    def _call_back(self, batch: list[Write]) -> None:
        """Say what is on disk; nothing is begun any more for whom it has just admitted."""
        for _, is_admission, then in batch:
            if not is_admission and then is not None:
                then()

    def _next_batch(self) -> list[Write]:
        return [self._queue.popleft() for _ in range(min(len(self._queue), LARGEST))]

    async def _gather(self) -> None:
        self._news.clear()
        if not self._queue:
            await self._news.wait()
        self._enough.clear()
        if len(self._queue) < BATCH:
            late = asyncio.create_task(
                self._clock.sleep(LONGEST_DELAY), name="fcasync.bulk.commit_at_last"
            )
            late.add_done_callback(lambda _: self._enough.set())
            try:
                await self._enough.wait()
            finally:
                late.cancel()

    def _commit(self, batch: list[Write]) -> dict[tuple[str, str], Row]:
        admitted = [row for row, is_admission, _ in batch if is_admission]
        rows = [row for row, is_admission, _ in batch if not is_admission]
        try:
            return self._journal.commit(admitted, rows, self.acknowledged, self.over)
        except BaseException:
            self._has_failed = True
            raise

    def close(self) -> int | None:
        """Write what is left, end the thread and close the journal; the loop waits for it.

        Safe after :meth:`run` was cancelled: a batch that was on its way is written again.

        Returns:
            How many accounts are in the journal; None if the disk has failed.
        """
        self._thread.shutdown(wait=True)
        rest = [*self._batch, *self._queue]
        try:
            if rest and not self._has_failed:
                self._commit(rest)
                self._call_back(rest)
        finally:
            self._journal.close(
                is_complete=not self._has_failed,
                acknowledged=self.acknowledged,
                finished_at=self.finished_at,
            )
        return None if self._has_failed else self._journal.rows
