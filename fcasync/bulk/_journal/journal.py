"""What a run needs of its memory."""

from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from fcasync.bulk._journal.header import Header
from fcasync.bulk._plan.task import Row


class Journal(Protocol):
    """Where a run keeps what it must not forget."""

    header: Header
    was_cut_short: bool
    """Whether some run never closed it: something may be missing that nobody can see."""
    last_seq: int
    """Number of the last outcome of earlier runs."""
    finished_at: int | None
    """The server's Unix time at which an earlier run found nothing left to do."""

    @property
    def rows(self) -> int:
        """Accounts in it."""

    def commit(
        self, admitted: Sequence[Row], rows: Sequence[Row], acknowledged: int = 0
    ) -> dict[tuple[str, str], Row]:
        """Write *rows*, and those of *admitted* that are new; return the rest as they are known."""

    def counts(self) -> Counter[tuple[str, str | None]]:
        """Return how many accounts there are of each status and reason."""

    def unacknowledged(self) -> list[Row]:
        """Return the outcomes that the caller has perhaps not seen, in their order."""

    def close(
        self, *, is_complete: bool, acknowledged: int = 0, finished_at: int | None = None
    ) -> None:
        """Close it, with a note that nothing is missing at its end if it *is_complete*."""
