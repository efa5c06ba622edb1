"""A table on stdout that never cuts an id: a narrow terminal shows fewer columns instead."""

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import click
from rich.cells import cell_len, set_cell_size
from rich.console import Console

GAP = "  "
LONGEST = 40
"""The most terminal cells that one value takes; ids are shorter."""


@attrs.frozen
class Column:
    """One column of a table, or of CSV."""

    name: str
    read: Callable[[Any], str]
    rank: int = 0
    """Columns that do not fit are dropped, the highest rank first; rank 0 always stays."""
    is_number: bool = False


class Table:
    """Collects rows, and prints them when closed: a column is as wide as its widest value."""

    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._rows: list[list[str]] = []

    def write(self, item: Any) -> None:
        """Add a row."""
        self._rows.append([_printable(column.read(item)) for column in self._columns])

    def close(self) -> None:
        """Print the table; in a file or a pipe no column is cut or dropped."""
        if not self._rows:
            click.echo("no results", err=True)
            return
        console = Console(highlight=False)
        if console.is_terminal:
            self._rows = [[_cut(cell) for cell in row] for row in self._rows]
        names = [column.name for column in self._columns]
        widths = [max(map(cell_len, cells)) for cells in zip(names, *self._rows, strict=True)]
        room = console.width if console.is_terminal else None
        shown = fitting([column.rank for column in self._columns], widths, room)
        head = self._line(names, widths, shown)
        console.print(head, style="bold", markup=False, soft_wrap=True)
        for row in self._rows:
            click.echo(self._line(row, widths, shown))
        if hidden := [name for index, name in enumerate(names) if index not in shown]:
            note = f"no room for: {', '.join(hidden)} (--output json shows all)"
            Console(stderr=True, highlight=False).print(note, style="dim")

    def _line(self, cells: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> str:
        return GAP.join(
            _pad(cells[index], widths[index], is_number=self._columns[index].is_number)
            for index in shown
        ).rstrip()


def fitting(ranks: Sequence[int], widths: Sequence[int], room: int | None) -> list[int]:
    """Return the indices of the columns to show in *room* cells; None means that all fit."""
    shown = list(range(len(widths)))
    while room is not None and sum(widths[index] + len(GAP) for index in shown) - len(GAP) > room:
        least = max(shown, key=lambda index: ranks[index])
        if ranks[least] == 0:
            break
        shown.remove(least)
    return shown


def _printable(text: str) -> str:
    # Banks and merchants choose some of these texts, which must not control the terminal.
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str) -> str:
    return text if cell_len(text) <= LONGEST else set_cell_size(text, LONGEST - 1) + "…"


def _pad(text: str, width: int, *, is_number: bool) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if is_number else text + blank
