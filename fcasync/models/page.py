"""One page of a list."""

from collections.abc import Sequence
from typing import Any, Generic, Literal, TypeVar

import attrs

from fcasync._html import table
from fcasync.models import _show
from fcasync.models._base import Model

T = TypeVar("T")


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Page(Model, Generic[T]):
    """One page of a list, as Stripe sent it."""

    data: list[T]
    has_more: bool = False
    """Whether more follow in the direction that was asked for."""

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
        return f"<Page of {self._count()}{more}>"

    def _repr_html_(self) -> str:
        return table(repr(self)[1:-1], *_columns(self.data))

    def _count(self) -> str:
        kind = type(self.data[0]).__name__ if self.data else "item"
        return f"{len(self.data)} {kind}{'' if len(self.data) == 1 else 's'}"


def _columns(data: Sequence[Any]) -> tuple[list[str], list[list[str]]]:
    """Return the names of the fields that any item states, and each item's cells in that order."""
    stated = [dict(item._stated()) for item in data]
    names = list(dict.fromkeys(name for row in stated for name in row))
    rows = [[_show.cell(row[name]) if name in row else "" for name in names] for row in stated]
    return names, rows
