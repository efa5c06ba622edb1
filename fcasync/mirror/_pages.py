"""A page of transactions, from Stripe's JSON to the values of its rows.

It goes column by column, where Python loops in C, and makes no object per row but the values: row
by row, and through the models, takes three times as long. What is not just as expected (a field is
missing, a type is wrong, a character cannot be stored) goes through the models and row by row; they
say what is wrong with it.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import itemgetter
from typing import Any, Final, TypeAlias

import attrs
import orjson

from fcasync.mirror import _rows as rows
from fcasync.mirror._tables import transactions
from fcasync.models import Page, Transaction
from fcasync.models._convert import decoder

Values: TypeAlias = Sequence[Any]
"""The values of all rows, one after the other; a tuple as soon as it is kept, because the garbage
collector leaves a tuple of strings alone, and walks through a list each time."""

WIDTH: Final = len(transactions.columns)
"""Values of one row."""

_OBJECT: Final = "financial_connections.transaction"
_COLUMN: Final = {name: place for place, name in enumerate(transactions.columns.keys())}
_NONE: Final = type(None)
_TYPES: Final[dict[str, frozenset[type]]] = {
    "id": frozenset({str}),
    "object": frozenset({str}),
    "account": frozenset({str, _NONE}),
    "amount": frozenset({int, _NONE}),
    "currency": frozenset({str, _NONE}),
    "description": frozenset({str, _NONE}),
    "livemode": frozenset({bool, _NONE}),
    "status": frozenset({str, _NONE}),
    "status_transitions": frozenset({dict}),
    "transacted_at": frozenset({int, _NONE}),
    "transaction_refresh": frozenset({str, _NONE}),
    "updated": frozenset({int, _NONE}),
}
"""The fields of a transaction, and the types that the models accept."""
_MOMENTS: Final = ("posted_at", "void_at")
_fields, _moments = itemgetter(*_TYPES), itemgetter(*_MOMENTS)
_MISFITS: Final = (KeyError, TypeError, ValueError, OverflowError)
_decode: Final = decoder(Page[Transaction])


@attrs.frozen
class Last:
    """The last transaction of a page, after which the next page starts."""

    id: str


@attrs.frozen
class ListedPage:
    """A page of transactions as rows."""

    data: Sequence[Last]
    """Only the last one: a walk asks for nothing else."""
    has_more: bool
    values: Values

    def under(self, stripe_account: str, account: str) -> Values:
        """Return the values of the rows, now under their account."""
        values, count = list(self.values), len(self.values) // WIDTH
        values[0::WIDTH] = [stripe_account] * count
        values[1::WIDTH] = [account] * count
        return tuple(values)


def statuses(values: Values) -> Values:
    """Return the status of each row."""
    return values[_COLUMN["status"] :: WIDTH]


def reader(at: rows.At) -> Callable[[Any], ListedPage]:
    """Return the function that turns the JSON of a page into its rows.

    Args:
        at: Returns a Unix time as the driver takes it.
    """

    def read(value: Any) -> ListedPage:
        try:
            values = _by_column(value, at)
        except _MISFITS:
            values = None
        if values is None:
            return _by_model(value, at)
        return ListedPage([Last(value["data"][-1]["id"])], value["has_more"], values)

    return read


def _by_column(value: Any, at: rows.At) -> Values | None:
    """Return the values of a page; None, or an error, if it is not just as expected."""
    items = value["data"]
    is_page = type(value["has_more"]) is bool and value["object"] == "list"
    if not is_page or not isinstance(value["url"], str):
        return None
    found = dict(zip(_TYPES, zip(*map(_fields, items), strict=True), strict=True))
    posted, void = zip(*map(_moments, found["status_transitions"]), strict=True)
    moments = chain(posted, void)
    if not (
        all(types.issuperset(map(type, found[name])) for name, types in _TYPES.items())
        and _TYPES["updated"].issuperset(map(type, moments))
        and set(found["object"]) == {_OBJECT}
        and len(set(found["id"])) == len(items)
        and all(map(rows.WHOLE.__contains__, filter(None, found["amount"])))
        and _can_be_stored(found)
    ):
        return None
    values: list[Any] = [None] * (len(items) * WIDTH)
    for name in ("id", "amount", "currency", "description", "status", "transaction_refresh"):
        values[_COLUMN[name] :: WIDTH] = found[name]
    updated = found["updated"]
    if None in updated:
        times = zip(updated, found["transacted_at"], strict=True)
        updated = tuple((other or 0) if own is None else own for own, other in times)
    instants = {"transacted_at": found["transacted_at"], "updated": updated}
    for name, column in {**instants, "posted_at": posted, "void_at": void}.items():
        values[_COLUMN[name] :: WIDTH] = map(at, column)
    values[_COLUMN["revision"] :: WIDTH] = [1] * len(items)
    values[_COLUMN["raw"] :: WIDTH] = _texts(items, found["status_transitions"])
    return tuple(values)


def _can_be_stored(found: dict[str, tuple[Any, ...]]) -> bool:
    """Return whether no text has a NUL character, which PostgreSQL cannot store."""
    few = set().union(
        *(found[name] for name in ("account", "currency", "status", "transaction_refresh"))
    )
    return "\0" not in "".join(filter(None, chain(found["id"], found["description"], few)))


def _texts(items: list[rows.Json], moments: Sequence[rows.Json]) -> Iterable[str]:
    """Return the JSON to store of each transaction, whose status transitions are *moments*."""
    if set(map(len, items)) == {len(_TYPES)} and set(map(len, moments)) == {len(_MOMENTS)}:
        return map(bytes.decode, map(orjson.dumps, items))
    # What must not be stored can only be in a field that fcasync does not know.
    return map(rows.raw, items)


def _by_model(value: Any, at: rows.At) -> ListedPage:
    """Return the same row by row; a transaction that is on the page twice has one row.

    Raises:
        ProtocolError: The page is not what the API promises.
    """
    page = _decode(value)
    made = (rows.transaction_row(item, at) for item in value["data"])
    found = {row[_COLUMN["id"]]: row for row in made}
    last = [Last(each.id) for each in page.data[-1:]]
    return ListedPage(last, page.has_more, tuple(chain.from_iterable(found.values())))
