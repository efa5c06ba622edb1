"""What a journal's file holds, whichever version of fcasync wrote it; all of it is verified."""

import sqlite3
from collections.abc import Iterator, Sequence
from typing import Any

from fcasync.bulk._journal import cells, format_1, statements
from fcasync.bulk._journal.header import Header, Standing
from fcasync.bulk._plan.task import Row


def verify(database: sqlite3.Connection) -> None:
    """Read the whole file once.

    Raises:
        ValueError: Something in it is not as it was written.
    """
    (application_id,) = database.execute("PRAGMA application_id").fetchone()
    if application_id != statements.APPLICATION_ID:
        raise ValueError(f"its application_id is {application_id}, not {statements.APPLICATION_ID}")
    version(database)
    (verdict,) = database.execute("PRAGMA integrity_check(1)").fetchone()
    if verdict != "ok":
        raise ValueError(verdict)
    _, standing = read_job(database)
    count = sum(1 for _ in _verified(database))
    if count != standing.rows:
        raise ValueError(f"it has {count} rows where there should be {standing.rows}")


def version(database: sqlite3.Connection) -> int:
    """Return the version of the file's layout.

    Raises:
        ValueError: This version of fcasync does not know it.
    """
    found: int = database.execute("PRAGMA user_version").fetchone()[0]
    if found not in (format_1.FORMAT, statements.FORMAT):
        raise ValueError(f"its user_version is {found}, not {statements.FORMAT}")
    return found


def read_job(database: sqlite3.Connection) -> tuple[Header, Standing]:
    """Return what the journal is for, and how far its job has come."""
    is_old = version(database) == format_1.FORMAT
    statement = format_1.READ_JOB if is_old else statements.READ_JOB
    found = database.execute(statement).fetchall()
    if len(found) != 1 or found[0][-1] != cells.checksum(found[0][:-1]):
        raise ValueError("its description of the job is not as it was written")
    return format_1.to_job(found[0]) if is_old else cells.to_job(found[0])


def read_rows(database: sqlite3.Connection) -> Iterator[Row]:
    """Yield all rows, in the order of their keys."""
    is_old = version(database) == format_1.FORMAT
    return map(format_1.to_row if is_old else cells.to_row, _verified(database))


def _verified(database: sqlite3.Connection) -> Iterator[Sequence[Any]]:
    """Yield the cells of all rows; most are only verified, so no row is made of them."""
    is_old = version(database) == format_1.FORMAT
    for values in database.execute(format_1.READ_TASKS if is_old else statements.READ_TASKS):
        if values[-1] != cells.checksum(values[:-1]):
            raise ValueError(f"the row of {values[0]!r} is not as it was written")
        yield values
