"""Rows of one table, where a value that all of them share stands only once.

Half of what an insert into SQLite costs is handing the values over, one by one (a null takes its
driver three times as long as a text), and the transactions of a page share many: their account,
mostly the currency, the refresh, and that they are not void.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import attrs


@attrs.frozen(kw_only=True)
class Packed:
    """Rows of one table."""

    count: int = 0
    """How many there are."""
    shared: Mapping[str, Any] = attrs.field(factory=dict)
    """The columns that have the same value in all rows."""
    names: tuple[str, ...] = ()
    """The other columns."""
    values: tuple[Any, ...] = attrs.field(default=(), repr=False)
    """Their values, row after row. It is a tuple because the garbage collector leaves a tuple of
    strings alone, and walks through a list each time."""

    def with_shared(self, **values: Any) -> "Packed":
        """Return the rows with more columns, which have the same value in all of them."""
        return Packed(
            count=self.count,
            shared={**values, **self.shared},
            names=self.names,
            values=self.values,
        )

    def column(self, name: str) -> Sequence[Any]:
        """Return the value of a column in each row."""
        if name in self.shared:
            return (self.shared[name],) * self.count
        return self.values[self.names.index(name) :: len(self.names)]

    def unpacked(self, names: Sequence[str]) -> list[Any]:
        """Return the values of the columns *names*, row after row."""
        values: list[Any] = [None] * (self.count * len(names))
        for place, name in enumerate(names):
            values[place :: len(names)] = self.column(name)
        return values


NO_ROWS: Final = Packed()
