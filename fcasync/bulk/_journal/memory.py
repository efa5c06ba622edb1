"""The memory of a run without a journal: which accounts it has had, and nothing else."""

import sqlite3
from collections.abc import Callable
from pathlib import Path

from fcasync.bulk._journal.connections import CACHE_KIB, OPTIONS, as_journal_errors, unusable
from fcasync.bulk._plan.task import OVER, Row, Task

_ADD = "INSERT OR IGNORE INTO account VALUES (?)"
_NAME = Path("the memory of a run without a journal")
_PRAGMAS = (
    f"PRAGMA cache_size = -{CACHE_KIB}",
    # Nothing is ever taken back, and nothing is read again after a crash.
    "PRAGMA journal_mode = OFF",
    "PRAGMA synchronous = OFF",
)


class Memory:
    """Knows the accounts of this run by their ids, so that one that is named twice is done once.

    Nobody resumes such a run, so there is nothing to wait for: it calls back at once, from the
    event loop's own thread. A set of a million ids would take 110 MB. So they are kept by SQLite,
    which has no more than its cache in memory, and the rest in a temporary file without a name;
    asking it takes a few microseconds, and nothing is synchronized with the disk.
    """

    def __init__(self) -> None:
        self.acknowledged = 0
        self.over: frozenset[str] = frozenset()
        self.finished_at: int | None = None
        with as_journal_errors(_NAME):
            self._database = sqlite3.connect("", **OPTIONS)
            for pragma in _PRAGMAS:
                self._database.execute(pragma)
            self._database.execute("CREATE TABLE account (id TEXT PRIMARY KEY) WITHOUT ROWID")
            self._database.execute("BEGIN")

    def admit(self, task: Task, then: Callable[[Row | None], None]) -> None:
        """Call *then* with None if the account is new, and else with OVER."""
        try:
            added = self._database.execute(_ADD, (task.stripe_account + task.account_id,))
        except sqlite3.Error as error:
            raise unusable(_NAME, error) from error
        # What is in work is known to the reader: this one was finished, by this very run.
        then(None if added.rowcount else OVER)

    def store(self, task: Task, then: Callable[[], None] | None = None, seq: int = 0) -> None:
        """Call *then*: whoever wants to know what became of *task* keeps a journal."""
        if then is not None:
            then()

    async def run(self) -> None:
        """Return: nothing waits to be written."""

    async def flush(self) -> None:
        """Do the same."""

    def close(self) -> None:
        """Forget everything; everybody heard of it at once."""
        self._database.close()
