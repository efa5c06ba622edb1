"""The memory of a bulk job: one SQLite file that survives being killed at any moment.

One row describes the job, one each account. Every row carries a checksum, and the job's row the
number of the others, because SQLite itself does not notice a byte that was overwritten.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager
from operator import attrgetter
from pathlib import Path
from typing import Any
from zlib import crc32

import attrs
import orjson

from fcasync.bulk._journal import files, statements
from fcasync.bulk._journal.connections import (
    as_journal_errors,
    open_for_reading,
    open_for_writing,
)
from fcasync.bulk._journal.header import Header, compare
from fcasync.bulk._journal.statements import APPLICATION_ID, COLUMNS, FORMAT
from fcasync.bulk._plan.task import Row
from fcasync.errors import JournalError

_IS_CERTAIN, _REPLAYED = COLUMNS.index("is_certain"), COLUMNS.index("replayed")
_read = attrgetter(*COLUMNS)


class FileJournal:
    """A journal in a file, locked for one run. Its methods may be called from any one thread."""

    def __init__(self, path: Path, database: sqlite3.Connection, was_cut_short: bool) -> None:
        self.path = path
        self.was_cut_short = was_cut_short
        self._database = database
        self.header, _, self._rows = _read_header(database)
        with self._transaction():
            self._mark(is_whole=False)
        # Into the file itself: if the log beside it were lost, its loss must be noticed.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @classmethod
    def open(cls, path: Path, header: Header) -> "FileJournal":
        """Open the journal at *path*, or create it for *header*.

        Raises:
            JournalError: It is for another job, in use, damaged or not ours; it is unchanged.
        """
        with as_journal_errors(path):
            if not files.check(path):
                _create(path, header)
            with closing(open_for_reading(path)) as database:
                _verify(database)
                found, is_whole, _ = _read_header(database)
            compare(path, found, header)
            database = open_for_writing(path)
            try:
                return cls(path, database, was_cut_short=not is_whole)
            except BaseException:
                database.close()
                raise

    def commit(self, admitted: Sequence[Row], rows: Sequence[Row]) -> dict[str, Row]:
        """Write *rows*, and those of *admitted* that are new; return the rest as they are known.

        Raises:
            JournalError: The disk is full, or failed; nothing of it was written.
        """
        with as_journal_errors(self.path), self._transaction():
            known = self._find([row.account_id for row in admitted]) if admitted else {}
            new = {row.account_id: row for row in admitted if row.account_id not in known}
            self._write([*new.values(), *rows], added=len(new))
        return known

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.execute("BEGIN IMMEDIATE")
        try:
            yield
            self._database.execute("COMMIT")
        except BaseException:
            self._database.rollback()
            raise

    def _find(self, ids: list[str]) -> dict[str, Row]:
        asked = orjson.dumps(ids).decode()
        (found,) = self._database.execute(statements.FIND_TASKS, (asked,)).fetchone()
        return {values[0]: _row(values) for values in orjson.loads(found)}

    def _write(self, rows: list[Row], added: int) -> None:
        if rows:
            cells = orjson.dumps([_cells(row) for row in rows]).decode()
            self._database.execute(statements.WRITE_TASKS, (cells,))
        if added:
            self._rows += added
            self._mark(is_whole=False)

    def _mark(self, *, is_whole: bool) -> None:
        marks = (int(is_whole), self._rows)
        checksum = _sum((*attrs.astuple(self.header), *marks))
        self._database.execute(statements.MARK_JOB, (*marks, checksum))

    def counts(self) -> Counter[tuple[str, str | None]]:
        """Return how many accounts there are of each status and reason."""
        found = self._database.execute(statements.COUNT_TASKS)
        return Counter({(status, reason): count for status, reason, count in found})

    def close(self, *, is_complete: bool) -> None:
        """Close it, with a note that nothing is missing at its end if it *is_complete*."""
        with as_journal_errors(self.path):
            try:
                if is_complete and not self.was_cut_short:
                    with self._transaction():
                        self._mark(is_whole=True)
            finally:
                self._database.close()
                files.tidy(self.path)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the journal at *path*, in the order of their ids.

    Raises:
        JournalError: There is none, or it is in use, damaged or not ours.
    """
    with as_journal_errors(path):
        if not files.check(path):
            raise JournalError(f"{path} does not exist", path=str(path))
        with closing(open_for_reading(path)) as database:
            _verify(database)
            for values in database.execute(statements.READ_TASKS):
                yield _row(values)


def _create(path: Path, header: Header) -> None:
    built = files.new(path)
    try:
        with closing(sqlite3.connect(built, isolation_level=None)) as database:
            database.execute("PRAGMA synchronous = FULL")
            database.executescript(statements.CREATE)
            values = (*attrs.astuple(header), 1, 0)
            database.execute(statements.BEGIN_JOB, (*values, _sum(values)))
        files.publish(built, path)
    finally:
        built.unlink(missing_ok=True)


def _verify(database: sqlite3.Connection) -> None:
    """Read the whole file once.

    Raises:
        ValueError: Something in it is not as it was written.
    """
    for pragma, expected in (("application_id", APPLICATION_ID), ("user_version", FORMAT)):
        (found,) = database.execute(f"PRAGMA {pragma}").fetchone()
        if found != expected:
            raise ValueError(f"its {pragma} is {found}, not {expected}")
    (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise ValueError(verdict)
    _, _, expected = _read_header(database)
    count = 0
    for values in database.execute(statements.READ_TASKS):
        if values[-1] != _sum(values[:-1]):
            raise ValueError(f"the row of {values[0]!r} is not as it was written")
        count += 1
    if count != expected:
        raise ValueError(f"it has {count} rows where there should be {expected}")


def _read_header(database: sqlite3.Connection) -> tuple[Header, bool, int]:
    found = database.execute(statements.READ_JOB).fetchall()
    if len(found) != 1 or found[0][-1] != _sum(found[0][:-1]):
        raise ValueError("its description of the job is not as it was written")
    *values, is_whole, rows, _ = found[0]
    names = [field.name for field in attrs.fields(Header)]
    return Header(**dict(zip(names, values, strict=True))), bool(is_whole), rows


def _sum(values: Iterable[Any]) -> int:
    return crc32(orjson.dumps(list(values)))


def _cells(row: Row) -> list[Any]:
    # On the way of every account, twice: much faster than attrs.astuple.
    values = list(_read(row))
    values[_IS_CERTAIN], values[_REPLAYED] = int(row.is_certain), int(row.replayed)
    values.append(_sum(values))
    return values


def _row(values: Sequence[Any]) -> Row:
    known = dict(zip(COLUMNS, values, strict=False))
    known["is_certain"] = bool(known["is_certain"])
    known["replayed"] = bool(known["replayed"])
    return Row(**known)
