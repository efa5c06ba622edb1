"""The memory of a bulk job: one SQLite file that survives being killed at any moment.

One row describes the job, one each account. Every row carries a checksum, and the job's row the
number of the others, because SQLite itself does not notice a byte that was overwritten.
"""

import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import Any, Protocol
from uuid import uuid4
from zlib import crc32

import attrs
import orjson

from fcasync.bulk._journal import files
from fcasync.bulk._plan.task import Row
from fcasync.errors import JournalError

FORMAT = 1
"""Version of the file's layout."""
APPLICATION_ID = 0x66636131
"""``fca1``: what the command ``file`` shows."""
CACHE_KIB = 8192
"""Pages held in memory, whatever the number of accounts."""

_COLUMNS = tuple(field.name for field in attrs.fields(Row))
_IS_CERTAIN, _REPLAYED = _COLUMNS.index("is_certain"), _COLUMNS.index("replayed")
_read = attrgetter(*_COLUMNS)
_WIDTH = len(_COLUMNS) + 1
_NAMES = ", ".join((*_COLUMNS, "checksum"))
_VALUES = ", ".join(f"json_extract(value, '$[{place}]')" for place in range(_WIDTH))

_SCHEMA = f"""
PRAGMA application_id = {APPLICATION_ID};
PRAGMA user_version = {FORMAT};
CREATE TABLE job (
    id TEXT, operation TEXT, features TEXT, api_key TEXT, stripe_account TEXT, stripe_version TEXT,
    created INTEGER, is_whole INTEGER, rows INTEGER, checksum INTEGER
);
CREATE TABLE task (
    account_id TEXT PRIMARY KEY, status TEXT, generation INTEGER, sent_at INTEGER,
    is_certain INTEGER, attempts INTEGER, replayed INTEGER, reason TEXT, error TEXT,
    available_at INTEGER, checksum INTEGER
) WITHOUT ROWID;
"""

# One statement for a whole batch: each statement costs a turn of the interpreter's lock, which a
# busy event loop gives away only every 5 ms.
_FIND = f"""
SELECT json_group_array(json_array({_NAMES})) FROM task
WHERE account_id IN (SELECT value FROM json_each(?))
"""  # noqa: S608 - made of constants
_WRITE = f"INSERT OR REPLACE INTO task ({_NAMES}) SELECT {_VALUES} FROM json_each(?)"  # noqa: S608


@attrs.frozen(kw_only=True)
class Header:
    """What a journal is for."""

    id: str = attrs.field(factory=lambda: uuid4().hex)
    operation: str
    features: str
    """Sorted, with commas."""
    api_key: str
    """Mode and fingerprint of the key, never the key."""
    stripe_account: str | None
    stripe_version: str
    created: int
    """The server's Unix time."""


_COMPARED = {
    "operation": "operation",
    "features": "features",
    "api_key": "API key",
    "stripe_account": "stripe_account",
    "stripe_version": "stripe_version",
}


class Journal(Protocol):
    """Where a run keeps what it must not forget."""

    header: Header
    was_cut_short: bool
    """Whether a run did not close it, ever: something may be missing that nobody can see."""

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


class FileJournal:
    """A journal in a file, locked for one run. Its methods may be called from any one thread."""

    def __init__(self, path: Path, database: sqlite3.Connection, was_cut_short: bool) -> None:
        self.path = path
        self.was_cut_short = was_cut_short
        self._database = database
        self.header, _, self._rows = _read_header(database)
        self._set_header(is_whole=False)
        # Into the file itself: if the log beside it were lost, its loss must be noticed.
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()

    @classmethod
    def open(cls, path: Path, header: Header) -> "FileJournal":
        """Open the journal at *path*, or create it for *header*.

        Raises:
            JournalError: It is for another job, in use, damaged or not ours; it is unchanged.
        """
        with _explain(path):
            if not files.check(path):
                _create(path, header)
            with _connect(path, files.reading_mode(path)) as reader:
                _verify(reader.handle)
                found, is_whole, _ = _read_header(reader.handle)
            _compare(path, found, header)
            database = _connect(path, "mode=rw").handle
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
        with _explain(self.path):
            self._database.execute("BEGIN IMMEDIATE")
            try:
                known = self._find([row.account_id for row in admitted]) if admitted else {}
                new = {row.account_id: row for row in admitted if row.account_id not in known}
                self._write([*new.values(), *rows], added=len(new))
                self._database.execute("COMMIT")
            except BaseException:
                self._database.rollback()
                raise
        return known

    def _find(self, ids: list[str]) -> dict[str, Row]:
        (found,) = self._database.execute(_FIND, (orjson.dumps(ids).decode(),)).fetchone()
        return {values[0]: _row(values) for values in orjson.loads(found)}

    def _write(self, rows: list[Row], added: int) -> None:
        if rows:
            self._database.execute(_WRITE, (orjson.dumps([_cells(row) for row in rows]).decode(),))
        if added:
            self._rows += added
            self._write_header(is_whole=False)

    def _set_header(self, *, is_whole: bool) -> None:
        self._database.execute("BEGIN IMMEDIATE")
        self._write_header(is_whole=is_whole)
        self._database.execute("COMMIT")

    def _write_header(self, *, is_whole: bool) -> None:
        values = (*attrs.astuple(self.header), int(is_whole), self._rows)
        self._database.execute(
            "UPDATE job SET is_whole = ?, rows = ?, checksum = ?", (*values[-2:], _sum(values))
        )

    def counts(self) -> Counter[tuple[str, str | None]]:
        """Return how many accounts there are of each status and reason."""
        select = "SELECT status, reason, COUNT(*) FROM task GROUP BY status, reason"
        found = self._database.execute(select)
        return Counter({(status, reason): count for status, reason, count in found})

    def close(self, *, is_complete: bool) -> None:
        """Close it, with a note that nothing is missing at its end if it *is_complete*."""
        with _explain(self.path):
            try:
                if is_complete and not self.was_cut_short:
                    self._set_header(is_whole=True)
            finally:
                self._database.close()
                files.tidy(self.path)


def read_rows(path: Path) -> Iterator[Row]:
    """Yield the rows of the journal at *path*, in the order of their ids.

    Raises:
        JournalError: There is none, or it is in use, damaged or not ours.
    """
    with _explain(path):
        if not files.check(path):
            raise JournalError(f"{path} does not exist", path=str(path))
        with _connect(path, files.reading_mode(path)) as reader:
            _verify(reader.handle)
            for values in reader.handle.execute(f"SELECT {_NAMES} FROM task"):  # noqa: S608
                yield _row(values)


class _connect:  # noqa: N801 - used like a function
    """A connection that is closed on leaving, unless its handle was taken over."""

    def __init__(self, path: Path, mode: str) -> None:
        uri = f"{path.absolute().as_uri()}?{mode}"
        self.handle = sqlite3.connect(
            uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
        )
        try:
            if mode == "mode=rw":
                # One run at a time: the lock is held from the first access on, until closing.
                self.handle.execute("PRAGMA locking_mode = EXCLUSIVE")
                self.handle.execute("PRAGMA journal_mode = WAL")
                self.handle.execute("PRAGMA synchronous = FULL")
            self.handle.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
        except BaseException:
            self.handle.close()
            raise

    def __enter__(self) -> "_connect":
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.handle.close()


class _explain:  # noqa: N801 - used like a function
    """Turns what SQLite raises into a JournalError."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, sqlite3.Error | ValueError | TypeError | OverflowError):
            raise JournalError(_sentence(self._path, error), path=str(self._path)) from error


def _sentence(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{path} is in use by another run"
    if code is not None and code & 0xFF in (
        sqlite3.SQLITE_FULL,
        sqlite3.SQLITE_IOERR,
        sqlite3.SQLITE_CANTOPEN,
        sqlite3.SQLITE_READONLY,
    ):
        return f"{path} cannot be written ({error}); what is finished is on disk"
    return f"{path} is damaged or no journal ({error}); restore it, or start a new job without it"


def _create(path: Path, header: Header) -> None:
    built = files.new(path)
    try:
        database = sqlite3.connect(built, isolation_level=None)
        try:
            database.execute("PRAGMA synchronous = FULL")
            database.executescript(_SCHEMA)
            values = (*attrs.astuple(header), 1, 0)
            marks = ", ".join("?" * (len(values) + 1))
            database.execute(f"INSERT INTO job VALUES ({marks})", (*values, _sum(values)))  # noqa: S608
        finally:
            database.close()
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
    for values in database.execute(f"SELECT {_NAMES} FROM task"):  # noqa: S608
        if values[-1] != _sum(values[:-1]):
            raise ValueError(f"the row of {values[0]!r} is not as it was written")
        count += 1
    if count != expected:
        raise ValueError(f"it has {count} rows where there should be {expected}")


def _read_header(database: sqlite3.Connection) -> tuple[Header, bool, int]:
    found = database.execute("SELECT * FROM job").fetchall()
    if len(found) != 1 or found[0][-1] != _sum(found[0][:-1]):
        raise ValueError("its description of the job is not as it was written")
    *values, is_whole, rows, _ = found[0]
    names = [field.name for field in attrs.fields(Header)]
    return Header(**dict(zip(names, values, strict=True))), bool(is_whole), rows


def _compare(path: Path, found: Header, wanted: Header) -> None:
    for name, word in _COMPARED.items():
        ours, theirs = getattr(wanted, name), getattr(found, name)
        if ours != theirs:
            raise JournalError(
                f"{path} is the journal of another job ({word}: {theirs or 'none'}, not "
                f"{ours or 'none'}); name another file, or repeat the call that made it",
                path=str(path),
            )


def _sum(values: Iterable[Any]) -> int:
    return crc32(orjson.dumps(list(values)))


def _cells(row: Row) -> list[Any]:
    # On the way of every account, twice: much faster than attrs.astuple.
    values = list(_read(row))
    values[_IS_CERTAIN], values[_REPLAYED] = int(row.is_certain), int(row.replayed)
    values.append(_sum(values))
    return values


def _row(values: Sequence[Any]) -> Row:
    known = dict(zip(_COLUMNS, values, strict=False))
    known["is_certain"] = bool(known["is_certain"])
    known["replayed"] = bool(known["replayed"])
    return Row(**known)
