"""What a run needs of its memory, and a memory that keeps nothing."""

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

    def commit(self, admitted: Sequence[Row], rows: Sequence[Row]) -> dict[str, Row]:
        """Write *rows*, and those of *admitted* that are new; return the rest as they are known."""

    def counts(self) -> Counter[tuple[str, str | None]]:
        """Return how many accounts there are of each status and reason."""

    def close(self, *, is_complete: bool) -> None:
        """Close it, with a note that nothing is missing at its end if it *is_complete*."""


class NoJournal:
    """For a job that nobody means to resume."""

    was_cut_short = False

    def __init__(self, header: Header) -> None:
        self.header = header

    def commit(self, admitted: Sequence[Row], rows: Sequence[Row]) -> dict[str, Row]:
        """Forget everything."""
        return {}

    def counts(self) -> Counter[tuple[str, str | None]]:
        """Return nothing."""
        return Counter()

    def close(self, *, is_complete: bool) -> None:
        """Do nothing."""
