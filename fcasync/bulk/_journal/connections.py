"""Connections to a journal's file, and SQLite's errors as a JournalError."""

import sqlite3
import sysconfig
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from fcasync.bulk._journal import files
from fcasync.errors import JournalError

CACHE_KIB = 8192
"""Pages held in memory, whatever the number of accounts."""
CHECKPOINT_PAGES = 4000
"""The log is copied into the file when it has grown to 16 MB. Accounts whose ids come in no order
each change a page of their own, twice within moments: a longer log copies it once."""
OPTIONS: dict[str, Any] = {
    "isolation_level": None,
    "check_same_thread": False,
    # A cached statement would keep a closed journal locked until the garbage is collected, which
    # builds without the interpreter's lock do late.
    "cached_statements": 0 if sysconfig.get_config_var("Py_GIL_DISABLED") else 16,
}
_NO_ROOM = (sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN)


def open_for_reading(path: Path) -> sqlite3.Connection:
    """Return a connection that changes nothing, neither in the file nor beside it."""
    try:
        return _open(path, files.reading_mode(path))
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF not in _NO_ROOM:
            raise
    # A log can be read only with an index beside it, for which a full disk has no room. Whoever
    # holds the only lock keeps the index in memory (https://www.sqlite.org/wal.html, section 6).
    return _open(path, "mode=rw", "PRAGMA locking_mode = EXCLUSIVE")


def open_for_writing(path: Path) -> sqlite3.Connection:
    """Return a connection that holds the only lock, from its first access until it is closed."""
    return _open(
        path,
        "mode=rw",
        "PRAGMA locking_mode = EXCLUSIVE",
        "PRAGMA journal_mode = WAL",
        "PRAGMA synchronous = FULL",
        f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}",
    )


def _open(path: Path, mode: str, *pragmas: str) -> sqlite3.Connection:
    uri = f"{path.absolute().as_uri()}?{mode}"
    database: sqlite3.Connection = sqlite3.connect(uri, uri=True, timeout=0, **OPTIONS)
    try:
        for pragma in (*pragmas, f"PRAGMA cache_size = -{CACHE_KIB}"):
            database.execute(pragma)
        database.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
    except BaseException:
        database.close()
        raise
    return database


@contextmanager
def as_journal_errors(path: Path) -> Iterator[None]:
    """Turn what SQLite and its rows raise about *path* into a JournalError."""
    try:
        yield
    except OSError as error:
        raise JournalError(f"{path} cannot be used: {error.strerror}", path=str(path)) from error
    except (sqlite3.Error, ValueError, TypeError, OverflowError) as error:
        raise unusable(path, error) from error


def unusable(path: Path, error: Exception) -> JournalError:
    """Return what to raise when SQLite, or a row, is at fault."""
    return JournalError(_sentence(path, error), path=str(path))


def _sentence(path: Path, error: Exception) -> str:
    code = getattr(error, "sqlite_errorcode", None)
    if code is not None and code & 0xFF in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
        return f"{path} is in use by another run"
    if code is not None and code & 0xFF in (*_NO_ROOM, sqlite3.SQLITE_READONLY):
        return f"{path} cannot be written ({error}); finished accounts are already saved"
    return f"{path} is damaged or not a journal ({error}); restore it or start a new job"
