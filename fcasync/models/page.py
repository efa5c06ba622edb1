"""One page of a list."""

from collections.abc import Iterator, Sequence
from typing import Any, Generic, Literal, TypeVar, overload

import attrs

from fcasync._facts.html import table
from fcasync.models._base import Model

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Page(Model, Generic[T]):
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

    def __iter__(self) -> Iterator[T]:
        return iter(self.data)

    def __len__(self) -> int:
        return len(self.data)

    @overload
    def __getitem__(self, index: int) -> T: ...

    @overload
    def __getitem__(self, index: slice) -> list[T]: ...

    def __getitem__(self, index: int | slice) -> T | list[T]:
        return self.data[index]

    def __repr__(self) -> str:
        more = ", more follow" if self.has_more else ""
        return f"<Page of {_count(self.data)}{more}>"

    def _repr_html_(self) -> str:
        return table(repr(self)[1:-1], *_columns(self.data))


class ItemList(list[T]):
    """A list that a notebook shows as a table, in the same form as a page."""

    def _repr_html_(self) -> str:
        return table(_count(self), *_columns(self))


def _count(data: Sequence[Any]) -> str:
    kind = type(data[0]).__name__ if data else "item"
    return f"{len(data)} {kind}{'' if len(data) == 1 else 's'}"


def _columns(data: Sequence[Any]) -> tuple[list[str], list[list[str]]]:
    """Return the columns of all items, and each item's cells in that order."""
    rows = [item._row() for item in data]
    names = list(dict.fromkeys(name for row in rows for name in row))
    return names, [[row.get(name, "") for name in names] for row in rows]
