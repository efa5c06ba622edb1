"""Connections to a journal's file, and SQLite's errors as a JournalError."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from fcasync.bulk._journal import files
from fcasync.errors import JournalError

CACHE_KIB = 8192
"""Pages held in memory, whatever the number of accounts."""


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that changes nothing, neither in the file nor beside it."""
    return _connect(path, files.reading_mode(path))


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection that holds the only lock, from its first access until it is closed."""
    database = _connect(path, "mode=rw")
    try:
        database.execute("PRAGMA locking_mode = EXCLUSIVE")
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = FULL")
    except BaseException:
        database.close()
        raise
    return database


def _connect(path: Path, mode: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    database = sqlite3.connect(
        uri, uri=True, timeout=0, isolation_level=None, check_same_thread=False
    )
    database.execute(f"PRAGMA cache_size = -{CACHE_KIB}")
    return database


@contextmanager
def as_journal_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and its rows raise about *path* into a JournalError."""
    try:
        yield
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        raise JournalError(_sentence(path, error), path=str(path)) from error


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
        return f"{path} cannot be written ({error}); finished accounts are already saved"
    return f"{path} is damaged or not a journal ({error}); restore it or start a new job"
