"""A transaction as steps: a generator says what to execute, and a database carries it out.

The same steps serve both databases. In PostgreSQL each is a round trip; in SQLite all of them,
from ``BEGIN`` to ``COMMIT``, are one visit to the thread of the connection, because each visit
costs as much as writing twenty rows.
"""

import sqlite3
from collections.abc import Generator, Sequence
from contextlib import suppress
from typing import Any, TypeAlias, TypeVar

import attrs
from sqlalchemy.ext.asyncio import AsyncConnection

T = TypeVar("T")

Row: TypeAlias = tuple[Any, ...]
Statement: TypeAlias = tuple[str, Sequence[Any]]
"""SQL in the words of the driver, and its values."""
Steps: TypeAlias = Generator[Statement, Sequence[Row], T]
"""Yields statements, gets the rows that each returns, and returns what the transaction was for."""


@attrs.frozen
class Whole:
    """A whole transaction for a :class:`SteppedConnection`."""

    begin: str
    """``BEGIN`` or ``BEGIN IMMEDIATE``."""
    steps: Steps[Any]


@attrs.frozen
class _Done:
    result: Any

    def fetchall(self) -> Any:
        return self.result


class SteppedConnection(sqlite3.Connection):
    """A SQLite connection whose ``execute`` also takes a whole transaction.

    aiosqlite has no call for a function of ours; what it has is ``execute_fetchall``, which calls
    ``execute`` and ``fetchall`` in its thread.
    """

    def execute(self, sql: Any, parameters: Any = ()) -> Any:
        """Execute a statement, or carry out a :class:`Whole`."""
        if isinstance(sql, Whole):
            return _Done(self._carry_out(sql))
        return super().execute(sql, parameters)

    def _carry_out(self, whole: Whole) -> Any:
        execute, steps = super().execute, whole.steps
        execute(whole.begin)
        try:
            sql, values = next(steps)
            while True:
                sql, values = steps.send(execute(sql, values).fetchall())
        except StopIteration as end:
            execute("COMMIT")
            return end.value
        finally:
            if self.in_transaction:
                with suppress(sqlite3.Error):  # the first error says what is wrong
                    self.rollback()


async def carry_out_in_sqlite(connection: AsyncConnection, whole: Whole) -> Any:
    """Carry out *whole* in one visit to the thread of *connection*."""
    raw = await connection.get_raw_connection()
    driver: Any = raw.driver_connection
    return await driver.execute_fetchall(whole)


async def carry_out(connection: AsyncConnection, steps: Steps[T]) -> T:
    """Carry out *steps* in the transaction that *connection* is in."""
    try:
        sql, values = next(steps)
        while True:
            result = await connection.exec_driver_sql(sql, tuple(values))
            rows = [tuple(row) for row in result] if result.returns_rows else []
            sql, values = steps.send(rows)
    except StopIteration as end:
        done: T = end.value
        return done
