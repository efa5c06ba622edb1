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
from fcasync.mirror._packed import Packed
from fcasync.models import Page, Transaction
from fcasync.models._convert import decoder

_Columns: TypeAlias = dict[str, Sequence[Any]]

_OBJECT: Final = "financial_connections.transaction"
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
    "transacted_at": frozenset({int, _NONE}),
    "transaction_refresh": frozenset({str, _NONE}),
    "updated": frozenset({int, _NONE}),
    "posted_at": frozenset({int, _NONE}),
    "void_at": frozenset({int, _NONE}),
}
"""The fields of a transaction, and the types that the models accept."""
_MOMENTS: Final = ("posted_at", "void_at")
"""Those that are in ``status_transitions``."""
_OWN: Final = tuple(name for name in _TYPES if name not in _MOMENTS)
_TEXTS: Final = tuple(name for name, types in _TYPES.items() if str in types)
_STORED: Final = tuple(name for name in rows.TRANSACTION if name in _TYPES)
_INSTANTS: Final = ("transacted_at", "updated", *_MOMENTS)
_OFTEN_SHARED: Final = (
    *("object", "account", "currency", "status", "transaction_refresh"),
    *("updated", "posted_at", "void_at"),
)
"""Those that are likely to have the same value on the whole page."""
_fields = itemgetter(*_OWN, "status_transitions")
_moments: Final = {name: itemgetter(name) for name in _MOMENTS}
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
    rows: Packed
    """Without the columns of the account."""


def reader(at: rows.At) -> Callable[[Any], ListedPage]:
    """Return the function that turns the JSON of a page into its rows.

    Args:
        at: Returns a Unix time as the driver takes it.
    """

    def read(value: Any) -> ListedPage:
        try:
            packed = _by_column(value, at)
        except _MISFITS:
            packed = None
        if packed is None:
            return _by_model(value, at)
        return ListedPage([Last(value["data"][-1]["id"])], value["has_more"], packed)

    return read


def _by_column(value: Any, at: rows.At) -> Packed | None:
    """Return the rows of a page; None, or an error, if it is not just as expected."""
    items = value["data"]
    is_page = type(value["has_more"]) is bool and value["object"] == "list"
    if not is_page or not isinstance(value["url"], str):
        return None
    *own, moments = zip(*map(_fields, items), strict=True)
    found: _Columns = dict(zip(_OWN, own, strict=True))
    found.update((name, tuple(map(get, moments))) for name, get in _moments.items())
    if None in found["updated"]:
        times = zip(found["updated"], found["transacted_at"], strict=True)
        found["updated"] = tuple((other or 0) if own is None else own for own, other in times)
    found.update(_once(found))
    if not (
        all(types.issuperset(map(type, found[name])) for name, types in _TYPES.items())
        and found["object"] == (_OBJECT,)
        and len(set(found["id"])) == len(items)
        and _fit(found["amount"])
        and _can_be_stored(found)
    ):
        return None
    return _packed(len(items), found, _texts(items, moments), at)


def _once(found: _Columns) -> _Columns:
    """Return the columns that have the same value in all rows, as that one value."""
    # Only the first is looked at from here on: 1.0 or true beside a 1 is stored as 1.
    columns = ((name, found[name]) for name in _OFTEN_SHARED)
    return {name: all_[:1] for name, all_ in columns if all_.count(all_[0]) == len(all_)}


def _fit(amounts: Sequence[int | None]) -> bool:
    """Return whether a database can hold the amounts."""
    known = list(filter(None, amounts)) or [0]
    return min(known) in rows.WHOLE and max(known) in rows.WHOLE


def _can_be_stored(found: _Columns) -> bool:
    """Return whether no text has a NUL character, which PostgreSQL cannot store."""
    return "\0" not in "".join(filter(None, chain(*(found[name] for name in _TEXTS))))


def _texts(items: list[rows.Json], moments: Sequence[rows.Json]) -> Iterable[str]:
    """Return the JSON to store of each transaction, whose status transitions are *moments*."""
    if set(map(len, items)) == {len(_OWN) + 1} and set(map(len, moments)) == {len(_MOMENTS)}:
        return map(bytes.decode, map(orjson.dumps, items))
    # What must not be stored can only be in a field that fcasync does not know.
    return map(rows.raw, items)


def _packed(count: int, found: _Columns, texts: Iterable[str], at: rows.At) -> Packed:
    """Return *count* rows, without the columns of the account."""
    shared: dict[str, Any] = {"revision": 1}
    others: dict[str, Iterable[Any]] = {}
    for name in _STORED:
        column = found[name]
        stored: Iterable[Any] = map(at, column) if name in _INSTANTS else column
        if len(column) < count:
            (shared[name],) = stored
        else:
            others[name] = stored
    others["raw"] = texts
    values: list[Any] = [None] * (count * len(others))
    for place, stored in enumerate(others.values()):
        values[place :: len(others)] = stored
    return Packed(count=count, shared=shared, names=tuple(others), values=tuple(values))


def _by_model(value: Any, at: rows.At) -> ListedPage:
    """Return the same row by row; a transaction that is on the page twice has one row.

    Raises:
        ProtocolError: The page is not what the API promises.
    """
    page = _decode(value)
    made = (rows.transaction_row(item, at) for item in value["data"])
    found = {row[0]: row for row in made}
    values = tuple(chain.from_iterable(found.values()))
    packed = Packed(count=len(found), names=rows.TRANSACTION, values=values)
    return ListedPage([Last(each.id) for each in page.data[-1:]], page.has_more, packed)
