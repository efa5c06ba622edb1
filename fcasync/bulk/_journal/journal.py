"""What a group commit writes to."""

from collections.abc import Sequence
from typing import Protocol

from fcasync.bulk._plan.task import Row


class Journal(Protocol):
    """Where a run keeps what it must not forget. Called from one thread at a time."""

    @property
    def rows(self) -> int:
        """Accounts in it."""

    def commit(
        self,
        admitted: Sequence[Row],
        rows: Sequence[Row],
        acknowledged: int = 0,
        over: frozenset[str] = frozenset(),
    ) -> dict[tuple[str, str], Row]:
        """Write *rows*, and those of *admitted* that are new; return the rest as they are known.

        OVER stands for those whose status is in *over*.
        """

    def close(
        self, *, is_complete: bool, acknowledged: int = 0, finished_at: int | None = None
    ) -> None:
        """Close it, with a note that nothing is missing at its end if it *is_complete*."""
