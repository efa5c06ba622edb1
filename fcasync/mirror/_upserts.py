"""Inserts that replace older rows, many rows in one statement.

SQLAlchemy writes the SQL for one row; the values then go to the driver as they are, because binding
them one by one would take more time than the database does.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache, lru_cache
from itertools import chain
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Table, and_, literal_column, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.ext.asyncio import AsyncConnection

from fcasync.mirror import _tables as tables

Row: TypeAlias = tuple[Any, ...]
"""One row: its values in the order of the table's columns."""
Condition: TypeAlias = Callable[[Any, Any], ColumnElement[bool]]
"""When a row replaces another; gets the columns of the stored row and of the new one."""

LARGEST: Final = 256
"""Most rows of one statement: 256 of 15 columns stay far below the 32 766 parameters of SQLite."""

STATE: Final = ("cursor", "cursor_at", "refresh", "refresh_status", "ownership")
"""The columns of ``sync_state`` that a sync begins with."""

_VALUES: Final = re.compile(r"(.* VALUES )(\(.*?\))( ON CONFLICT .*)", re.DOTALL)
"""What stands before, in and behind the values of a row."""
_NUMBER: Final = re.compile(r"\$(\d+)")
"""A parameter of PostgreSQL."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


def _account(old: Any, new: Any) -> ColumnElement[bool]:
    # The read of another machine may be late, and its clock wrong; a refresh is known exactly.
    later = or_(
        new.refreshed_at > old.refreshed_at,
        and_(new.refreshed_at == old.refreshed_at, new.read_at >= old.read_at),
    )
    # Nothing comes back from a disconnection, so a row that says otherwise is older.
    over: Any = literal_column("'disconnected'")
    stays = or_(old.status.is_(None), old.status != over, new.status == over)
    return and_(later, stays)


def _balance(old: Any, new: Any) -> ColumnElement[bool]:
    return and_(new.amount != old.amount, new.refreshed_at >= old.refreshed_at)


def _transaction(old: Any, new: Any) -> ColumnElement[bool]:
    # Whoever writes holds the claim, so its rows are the later ones. The comparison of times is
    # for a list that Stripe served from an older copy.
    return and_(new.updated >= old.updated, new.raw != old.raw)


def _always(old: Any, new: Any) -> ColumnElement[bool]:
    return and_(old.account == new.account)


class Upsert:
    """The statement that writes rows into a table."""

    def __init__(
        self,
        table: Table,
        condition: Condition = _always,
        *,
        changes: Sequence[str] | None = None,
        returns: Sequence[str] = (),
    ) -> None:
        self._table = table
        self._condition = condition
        self._changes = changes
        """The columns to replace; None stands for all but the key."""
        self._returns = returns
        """The columns of the rows written that are returned."""

    async def write(self, connection: AsyncConnection, rows: Sequence[Row]) -> list[Row]:
        """Write *rows*, no two of them with the same key; return what the statement returns."""
        found: list[Row] = []
        for part in _parts(rows):
            statement = self._sql(connection.dialect, len(part))
            values = tuple(chain.from_iterable(part))
            found += await _execute(connection, statement, values, returns=bool(self._returns))
        return found

    @cache  # noqa: B019 - there is one object per table, for as long as the program runs
    def _sql(self, dialect: Dialect, size: int) -> str:
        """Return the statement for *size* rows: that for one, with its values repeated."""
        before, one, after = self._for_one(dialect)
        width = len(self._table.columns)
        rows = (
            _NUMBER.sub(lambda found, row=row: f"${int(found[1]) + row * width}", one)  # type: ignore[misc]
            for row in range(size)
        )
        return f"{before}{', '.join(rows)}{after}"

    @cache  # noqa: B019
    def _for_one(self, dialect: Dialect) -> tuple[str, str, str]:
        insert: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        names = list(self._table.columns.keys())
        statement = insert(self._table).values(dict.fromkeys(names, None))
        new, old = statement.excluded, self._table.c
        key = [column.name for column in self._table.primary_key]
        changes: dict[str, Any] = {
            name: new[name] for name in self._changes or names if name not in key
        }
        if "revision" in changes:
            changes["revision"] = old.revision + literal_column("1")
        statement = statement.on_conflict_do_update(
            index_elements=key, set_=changes, where=self._condition(old, new)
        )
        if self._returns:
            news = {"is_new": old.revision == literal_column("1")} if "revision" in changes else {}
            statement = statement.returning(
                *(news[name] if name in news else old[name] for name in self._returns)
            )
        found = _VALUES.fullmatch(str(statement.compile(dialect=dialect)))
        assert found is not None  # noqa: S101 - SQLAlchemy writes it so
        return found[1], found[2], found[3]


async def _execute(
    connection: AsyncConnection, statement: str, values: Row, *, returns: bool
) -> Iterable[Row]:
    if connection.dialect.name == "sqlite":
        # Straight to the driver: one hop to its thread instead of two, and plain tuples.
        raw: Any = await connection.get_raw_connection()
        found: Iterable[Row] = await raw.driver_connection.execute_fetchall(statement, values)
        return found
    result = await connection.exec_driver_sql(statement, values)
    return map(tuple, result) if returns else ()


def _parts(rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Split *rows* into powers of two, so that few different statements are prepared."""
    start = 0
    while left := len(rows) - start:
        size = min(LARGEST, 1 << (left.bit_length() - 1))
        yield rows[start : start + size]
        start += size


ACCOUNTS: Final = Upsert(tables.accounts, _account)
BALANCES: Final = Upsert(tables.balances, _balance)
OWNERS: Final = Upsert(tables.owners)
TRANSACTIONS: Final = Upsert(
    tables.transactions,
    _transaction,
    returns=("stripe_account", "account", "status", "is_new"),
)
CLAIMS: Final = Upsert(
    tables.sync_state,
    changes=("claim",),
    returns=("stripe_account", "account", *STATE),
)
STATES: Final = Upsert(tables.sync_state)


class Instants:
    """Unix times as the driver takes them: SQLite as text, PostgreSQL as datetimes."""

    def __init__(self, *, as_text: bool) -> None:
        self.of: Callable[[float | None], Any] = _text if as_text else _datetime
        """Returns a Unix time as a value; None stays None."""


@lru_cache(maxsize=65_536)  # banks report many transactions of one day, or of one instant
def _text(at: float | None) -> str | None:
    return None if at is None else (_EPOCH + timedelta(seconds=int(at))).isoformat(" ")[:19]


@lru_cache(maxsize=65_536)
def _datetime(at: float | None) -> datetime | None:
    return None if at is None else _EPOCH + timedelta(seconds=int(at))
