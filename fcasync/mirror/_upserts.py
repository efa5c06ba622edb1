"""Inserts that replace older rows, many rows in one statement.

SQLAlchemy writes the SQL for one row; the values then go to the driver as they are, because its way
of binding them one by one would take more time than the database does.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from itertools import chain, count
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, Table, and_, literal_column, or_
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect

from fcasync.mirror import _tables as tables
from fcasync.mirror._packed import Packed
from fcasync.mirror._steps import Row, Steps

Condition: TypeAlias = Callable[[Any, Any], ColumnElement[bool]]
"""When a row replaces another; gets the columns of the stored row and of the new one."""

LARGEST: Final = 100
"""Most rows of one statement: a full page. 100 rows of 18 columns stay far below the 32 766
parameters that SQLite and PostgreSQL allow."""

STATE: Final = ("cursor", "cursor_at", "refresh", "refresh_status", "ownership")
"""The columns of ``sync_state`` that a sync begins with."""

_VALUES: Final = re.compile(r"(.*) VALUES \((.*?)\) (ON CONFLICT .*)", re.DOTALL)
"""What stands before, in and behind the values of a row."""
_NUMBER: Final = re.compile(r"\$\d+")
"""A parameter of PostgreSQL."""
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_REMEMBERED: Final = 65_536
"""Most instants that are remembered."""


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
        self._key = tuple(column.name for column in table.primary_key)
        names = [column.name for column in table.columns]
        self._names = tuple(
            name for name in names if changes is None or name in (*self._key, *changes)
        )
        """The columns that are written, in the order of a row's values."""
        self._condition = condition
        self._returns = returns
        """The columns of the rows written that are returned."""

    def write(self, dialect: Dialect, rows: Iterable[Row]) -> Steps[list[Row]]:
        """Write *rows*, no two of them with the same key; return what the statement returns."""
        found: list[Row] = yield from self._write(dialect, tuple(chain.from_iterable(rows)))
        return found

    def write_packed(self, dialect: Dialect, pages: Iterable[Packed]) -> Steps[list[Row]]:
        """Write pages of rows in the same way.

        A full page is a statement of its own; what is smaller shares statements.
        """
        found, small = list[Row](), list[Any]()
        for page in pages:
            if page.count == LARGEST:
                shared = [page.shared[name] for name in self._names if name in page.shared]
                found += yield self._sql(dialect, LARGEST, page.names), (*shared, *page.values)
            else:
                small += page.unpacked(self._names)
        found += yield from self._write(dialect, small)
        return found

    def _write(self, dialect: Dialect, values: Sequence[Any]) -> Steps[list[Row]]:
        width, found = len(self._names), list[Row]()
        start = 0
        for size in sizes(len(values) // width):
            end = start + size * width
            found += yield self._sql(dialect, size, self._names), values[start:end]
            start = end
        return found

    @cache  # noqa: B019 - there is one object per table, for as long as the program runs
    def _sql(self, dialect: Dialect, size: int, names: Sequence[str]) -> str:
        """Return the statement for *size* rows.

        Args:
            dialect: Of the database.
            size: How many rows.
            names: The columns that differ from row to row; a value of the others is bound once,
                before those of the rows.
        """
        insert, places, upsert = self._for_one(dialect)
        numbers = count(1)

        def place(name: str) -> str:
            return _NUMBER.sub(lambda _: f"${next(numbers)}", places[name])

        chosen = {name: place(name) for name in self._names if name not in names}
        chosen |= {name: f"column{number}" for number, name in enumerate(names, 1)}
        select = ", ".join(chosen[name] for name in self._names)
        rows = ", ".join(f"({', '.join(map(place, names))})" for _ in range(size))
        # Without the condition, SQLite would read ON CONFLICT as the ON of a join.
        parts = (insert, "SELECT", select, "FROM (VALUES", rows, ") AS page WHERE true", upsert)
        return " ".join(parts)

    @cache  # noqa: B019
    def _for_one(self, dialect: Dialect) -> tuple[str, dict[str, str], str]:
        """Return what stands before the values of a row, the parameter of each, and the rest."""
        insert: Any = sqlite.insert if dialect.name == "sqlite" else postgresql.insert
        names, key = self._names, self._key
        statement = insert(self._table).values(dict.fromkeys(names, None))
        new, old = statement.excluded, self._table.c
        changes: dict[str, Any] = {name: new[name] for name in names if name not in key}
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
        return found[1], dict(zip(names, found[2].split(", "), strict=True)), found[3]


def sizes(count: int) -> Iterator[int]:
    """Split *count* into powers of two, so that few different statements are prepared."""
    while count:
        size = min(LARGEST, 1 << (count.bit_length() - 1))
        yield size
        count -= size


ACCOUNTS: Final = Upsert(tables.accounts, _account)
BALANCES: Final = Upsert(tables.balances, _balance)
OWNERS: Final = Upsert(tables.owners)
TRANSACTIONS: Final = Upsert(
    tables.transactions,
    _transaction,
    returns=("stripe_account", "account", "status", "is_new"),
)
FIRST_TRANSACTIONS: Final = Upsert(tables.transactions, _transaction)
"""For accounts without any: all rows are new, and returning them would take half as long again."""
CLAIMS: Final = Upsert(
    tables.sync_state,
    changes=("claim",),
    returns=("stripe_account", "account", *STATE),
)
STATES: Final = Upsert(tables.sync_state)


class Instants(dict[Any, Any]):
    """Unix times as the driver takes them: SQLite as text, PostgreSQL as datetimes.

    Banks report many transactions of one day, or of one instant, so those seen are remembered.
    """

    def __init__(self, *, as_text: bool) -> None:
        self._convert: Callable[[float], Any] = _text if as_text else instant
        self.of: Callable[[float | None], Any] = self.__getitem__
        """Returns a Unix time as a value; None stays None."""

    def __missing__(self, at: float | None) -> Any:
        """Convert what is not remembered."""
        if len(self) >= _REMEMBERED:
            self.clear()
        self[at] = value = None if at is None else self._convert(at)
        return value


def _text(at: float) -> str:
    return instant(at).replace(tzinfo=None).isoformat(" ")


def instant(at: float) -> datetime:
    """Return the datetime of a Unix time, in whole seconds."""
    return _EPOCH + timedelta(seconds=int(at))
