"""The memory of a bulk job: one SQLite file that survives being killed at any moment.

One row describes the job, one each account. Every row carries a checksum, and the job's row the
number of the others, because SQLite itself does not notice a byte that was overwritten.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from itertools import islice
from pathlib import Path

import attrs

from fcasync.bulk._journal import cells, contents, files, format_1, statements
from fcasync.bulk._journal.connections import (
    as_journal_errors,
    open_for_reading,
    open_for_writing,
)
from fcasync.bulk._journal.header import Header, Standing, compare
from fcasync.bulk._journal.tasks import Tasks
from fcasync.bulk._plan.task import Row
from fcasync.errors import JournalError

BATCH = 1000
"""Rows that are rewritten at a time when a journal is brought to the present format."""


class FileJournal:
    """A journal in a file, locked for one run. Its methods may be called from any one thread."""

    def __init__(self, path: Path, database: sqlite3.Connection, was_cut_short: bool) -> None:
        self.path = path
        self.was_cut_short = was_cut_short
        self._database = database
        self._tasks = Tasks(database)
        if contents.version(database) == format_1.FORMAT:
            self._upgrade()
        self.header, self._standing = contents.read_job(database)
        self.finished_at = self._standing.finished_at
        self._had_rows = self._standing.rows > 0  # of earlier runs: only they can be over
        (self.last_seq,) = database.execute(statements.LAST_OUTCOME).fetchone()
        with self._transaction():
            self._mark(attrs.evolve(self._standing, is_whole=False))
        # Into the file itself: if the log beside it were lost, its loss must be noticed.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @property
    def rows(self) -> int:
        """Accounts in it."""
        return self._standing.rows

    @classmethod
    def open(cls, path: Path, header: Header, *, is_named: bool = False) -> "FileJournal":
        """Open the journal at *path*, or create it for *header*.

        Args:
            path: The file.
            header: The job at hand.
            is_named: Whether the job has a name, so that a journal of it may have been lost.

        Raises:
            JournalError: It is for another job, in use, damaged or not ours; it is unchanged.
        """
        with as_journal_errors(path):
            if not files.check(path):
                _publish(path, header, Standing(is_whole=not is_named))
            with closing(open_for_reading(path)) as database:
                contents.verify(database)
                found, standing = contents.read_job(database)
            compare(path, found, header, is_named=is_named)
            database = open_for_writing(path)
            try:
                return cls(path, database, was_cut_short=not standing.is_whole)
            except BaseException:
                database.close()
                raise

    def commit(
        self,
        admitted: Sequence[Row],
        rows: Sequence[Row],
        acknowledged: int = 0,
        over: frozenset[str] = frozenset(),
    ) -> dict[tuple[str, str], Row]:
        """Write *rows*, and those of *admitted* that are new; return the rest as they are known.

        Args:
            admitted: Accounts that were read from the source.
            rows: What became of accounts.
            acknowledged: Number of the last outcome that the caller has certainly seen.
            over: Statuses whose rows are of no interest: OVER is returned in their place.

        Raises:
            JournalError: The disk is full, or failed; nothing of it was written.
        """
        with as_journal_errors(self.path), self._transaction():
            keys = [row.key for row in admitted]
            known = self._tasks.find(keys, over if self._had_rows else frozenset())
            new = {row.key: row for row in admitted if row.key not in known}
            self._tasks.write_new(new.values())
            self._tasks.write(rows)
            self._note(len(new), acknowledged)
        return known

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        before = getattr(self, "_standing", None)
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self._database.rollback()
            if before is not None:
                self._standing = before
            raise

    def _note(self, added: int, acknowledged: int) -> None:
        before = self._standing
        after = Standing(
            is_whole=before.is_whole,
            rows=before.rows + added,
            acknowledged=max(acknowledged, before.acknowledged),
        )
        if after != before:
            self._mark(after)

    def _mark(self, standing: Standing) -> None:
        self._standing = standing
        self._database.execute(statements.MARK_JOB, cells.of_standing(self.header, standing))

    def _upgrade(self) -> None:
        """Bring a journal of the first format to the present one, all or nothing."""
        with self._transaction():
            header, standing = contents.read_job(self._database)
            for statement in (*format_1.SET_ASIDE, *statements.CREATE):
                self._database.execute(statement)
            self._database.execute(statements.BEGIN_JOB, cells.of_job(header, standing))
            rows = map(format_1.to_row, self._database.execute(format_1.READ_SET_ASIDE))
            while batch := list(islice(rows, BATCH)):
                self._tasks.write(batch)
            for statement in format_1.DROP:
                self._database.execute(statement)

    def counts(self) -> Counter[tuple[str, str | None]]:
        """Return how many accounts there are of each status and reason."""
        found = self._database.execute(statements.COUNT_TASKS)
        return Counter({(status, reason): count for status, reason, count in found})

    def tenants(self) -> Counter[tuple[str, str]]:
        """Return how many accounts there are of each connected account and status."""
        found = self._database.execute(statements.COUNT_TENANTS)
        return Counter({(tenant, status): count for tenant, status, count in found})

    def unacknowledged(self) -> list[Row]:
        """Return the outcomes that the caller has perhaps not seen, in their order."""
        after = (self._standing.acknowledged,)
        found = self._database.execute(statements.READ_OUTCOMES_AFTER, after)
        return [cells.to_row(values) for values in found]

    def close(
        self, *, is_complete: bool, acknowledged: int = 0, finished_at: int | None = None
    ) -> None:
        """Close it.

        Args:
            is_complete: Whether nothing is missing at its end.
            acknowledged: Number of the last outcome that the caller has certainly seen.
            finished_at: The server's Unix time if nothing is left to do.
        """
        with as_journal_errors(self.path):
            try:
                if is_complete:
                    with self._transaction():
                        standing = Standing(
                            is_whole=not self.was_cut_short,
                            rows=self._standing.rows,
                            acknowledged=max(acknowledged, self._standing.acknowledged),
                            finished_at=finished_at,
                        )
                        self._mark(standing)
            finally:
                self._database.close()
                files.tidy(self.path)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the journal at *path*, in the order of their ids.

    Raises:
        JournalError: There is none, or it is in use, damaged or not ours.
    """
    with _reading(path) as database:
        yield from contents.read_rows(database)


def read_job(path: Path) -> tuple[Header, Standing]:
    """Return what the journal at *path* is for, and how far its job has come.

    Raises:
        JournalError: There is none, or it is in use, damaged or not ours.
    """
    with _reading(path) as database:
        return contents.read_job(database)


@contextmanager
def _reading(path: Path) -> Iterator[sqlite3.Connection]:
    with as_journal_errors(path):
        if not files.check(path):
            raise JournalError(f"{path} does not exist", path=str(path))
        with closing(open_for_reading(path)) as database:
            contents.verify(database)
            yield database


def _publish(path: Path, header: Header, standing: Standing) -> None:
    built = files.new(path)
    try:
        with closing(sqlite3.connect(built, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = FULL")
            _create(database, header, standing)
        files.publish(built, path)
    finally:
        built.unlink(missing_ok=True)


def _create(database: sqlite3.Connection, header: Header, standing: Standing) -> None:
    for statement in statements.CREATE:
        database.execute(statement)
    database.execute(statements.BEGIN_JOB, cells.of_job(header, standing))
