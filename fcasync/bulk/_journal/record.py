"""What a run needs of its memory while it is at work."""

from collections.abc import Callable
from typing import Protocol

from fcasync.bulk._plan.task import Row, Task


class Record(Protocol):
    """Where a run writes down its accounts, each before something happens to it."""

    acknowledged: int
    """Number of the last outcome that the caller has certainly seen."""
    over: frozenset[str]
    """Statuses of rows that this run has nothing to do with any more."""
    finished_at: int | None
    """The server's Unix time, once nothing is left to do."""

    def admit(self, task: Task, then: Callable[[Row | None], None]) -> None:
        """Write *task* down if its account is new; call *then* with what was known before.

        That is OVER if its status is in *over*.
        """

    def store(self, task: Task, then: Callable[[], None] | None = None, seq: int = 0) -> None:
        """Write *task* down as it is now.

        Args:
            task: What is to be remembered.
            then: Called when it is on disk.
            seq: The number of its outcome; 0 if it has none.
        """

    async def run(self) -> None:
        """Write, until cancelled.

        Raises:
            JournalError: The disk is full, or failed.
        """

    async def flush(self) -> None:
        """Write what is left, after :meth:`run` has ended or was cancelled."""

    def close(self) -> int | None:
        """Write what is left, and end.

        Returns:
            How many accounts are written down, if some were of which nobody was told.
        """
