"""One page of a list, and the list of all its items."""

from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, ClassVar, Final, Generic, Literal, SupportsIndex, TypeVar, overload
from urllib.parse import parse_qs, urlsplit

import attrs

from fcasync._facts.html import table
from fcasync.models._arrow import stream
from fcasync.models._base import Model
from fcasync.models._columns import Column, columns

T = TypeVar("T")

MOST_SHOWN: Final = 60
"""The most items that a notebook shows, as in pandas."""
MOST_WRITTEN: Final = 10
"""The most items that a repr shows."""


class Items(Generic[T]):
    """What a page and a list have in common: they are iterable, sized, indexable, and columns.

    It is not a `Sequence`: polars and pyarrow would then never ask for its Arrow columns.
    """

    __slots__ = ()

    data: list[T]

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __reversed__(self) -> Iterator[T]:
        return reversed(self.data)

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: SupportsIndex) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> "ItemList[T]": ...

    def __getitem__(self, index: SupportsIndex | slice) -> "T | ItemList[T]":
        if isinstance(index, slice):
            return ItemList(self.data[index], of=self._item_type())
        return self.data[index]

    def to_columns(self) -> dict[str, list[Any]]:
        """Return a list of values for each field, None where an item has none.

        Nested fields have dotted names, such as ``balance.current.amount``. Amounts are whole
        minor units beside their currency; instants are aware datetimes in UTC; enums are strings;
        an expanded object, and the object of an event, is its id. Fields that this version does
        not know, secrets, and the contact details of owners are left out. The columns do not
        depend on which fields are set, so that files of many days fit together; only an object
        with amounts in several currencies adds ``.amount.2`` and so on.

        Raises:
            InvalidArgumentError: The items are not of one class.
        """
        return {column.name: column.values for column in self._columns()}

    def __arrow_c_stream__(self, requested_schema: Any = None) -> Any:
        """Return the columns as an Arrow stream; text, int64, timestamps in UTC, JSON for lists.

        Raises:
            ImportError: pyarrow is not installed.
            InvalidArgumentError: The items are not of one class, or a number does not fit in 64
                bits; :meth:`to_columns` has numbers of any size.
        """
        return stream(self._columns(), requested_schema)

    def _columns(self) -> list[Column]:
        of = self._item_type()
        return [] if of is None else columns(self.data, of)

    def _item_type(self) -> Any:
        return type(self.data[0]) if self.data else None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Page(Model, Items[T]):
    """One page of a list, as Stripe sent it: iterable, sized and indexable by its items."""

    data: list[T]
    has_more: bool = False
    """Whether more items follow in the direction of the request."""

    url: str | None = None
    object: Literal["list"] = "list"

    @property
    def next_cursor(self) -> str | None:
        """The ``starting_after`` of the next page: the last item's id, or None on the last page."""
        if not self.has_more or not self.data:
            return None
        last: str | None = getattr(self.data[-1], "id", None)
        return last

    def __repr__(self) -> str:
        more = ", more follow" if self.has_more else ""
        return f"<Page of {_count(self.data)}{more}>"

    def _repr_html_(self) -> str:
        return _table(repr(self)[1:-1], self.data)


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class PageV2(Page[T]):
    """One page of a list of the v2 API, which names its pages by tokens."""

    next_page_url: str | None = None
    """The path and the query of the next page; None on the last one."""

    previous_page_url: str | None = None

    @property
    def next_cursor(self) -> str | None:
        """The ``page`` of the next page, or None on the last page."""
        try:
            pages = parse_qs(urlsplit(self.next_page_url or "").query).get("page")
        except ValueError:  # not a URL, such as "https://["
            return None
        return pages[0] if pages else None


class ItemList(Items[T]):
    """The items of a list: a table in notebooks, columns for data frames.

    pyarrow, polars and DuckDB read it as it is (extra ``arrow``), pandas by
    ``DataFrame.from_arrow``; all of them take :meth:`to_columns`. It is compared, added and sliced
    as a list is, and cannot be changed; ``list(items)`` is an ordinary list.

    Args:
        items: Models of one class.
        of: Their class, which gives an empty list its columns.
    """

    __slots__ = ("_of", "data")

    def __init__(self, items: Iterable[T] = (), *, of: type[T] | None = None) -> None:
        self.data: list[T] = list(items)
        self._of = of

    def _item_type(self) -> Any:
        return self._of or super()._item_type()

    def __eq__(self, other: object) -> bool:
        if isinstance(other, ItemList):
            return self.data == other.data
        return self.data == other if isinstance(other, list) else NotImplemented

    __hash__: ClassVar[None] = None  # type: ignore[assignment]  # as lists

    def __add__(self, other: Iterable[T]) -> "ItemList[T]":
        if not isinstance(other, ItemList | list):
            return NotImplemented
        return ItemList([*self, *other], of=self._of)

    def __radd__(self, other: Iterable[T]) -> "ItemList[T]":
        return ItemList(other, of=self._of) + self

    def __repr__(self) -> str:
        if len(self) <= MOST_WRITTEN:
            return repr(self.data)
        first, last, between = _ends(self.data, MOST_WRITTEN)
        shown = chain(map(repr, first), [f"… {between} more …"], map(repr, last))
        return f"[{', '.join(shown)}]"

    def _repr_html_(self) -> str:
        return _table(_count(self.data), self.data)


def _ends(data: Sequence[T], most: int) -> tuple[Sequence[T], Sequence[T], int]:
    """Return the first and the last of many items, and how many are between them."""
    half = most // 2
    return data[:half], data[-half:], len(data) - 2 * half


def _count(data: Sequence[Any]) -> str:
    kind = type(data[0]).__name__ if data else "item"
    return f"{len(data)} {kind}{'' if len(data) == 1 else 's'}"


def _table(title: str, data: Sequence[Any]) -> str:
    """Return a table of all items, or of both ends of a long list."""
    if len(data) <= MOST_SHOWN:
        return table(title, *_cells(data))
    first, last, between = _ends(data, MOST_SHOWN)
    names, rows = _cells([*first, *last])
    gap = [[f"… {between} more"] + [""] * (len(names) - 1)] if names else []
    half = len(first)
    return table(title, names, [*rows[:half], *gap, *rows[half:]])


def _cells(data: Sequence[Any]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of all items, and each item's cells in that order."""
    rows = [item._row() for item in data]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, [[row.get(name, "") for name in names] for row in rows]
