"""A table on stdout that never cuts an id: a narrow terminal shortens words, then drops columns."""

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
    """One column of a table."""

    name: str
    read: Callable[[Any], str]
    rank: int = 0
    """Columns that do not fit are dropped, the highest rank first; rank 0 always stays."""
    is_number: bool = False
    least: int | None = None
    """The width to which the column may be shortened before one is dropped; None for never."""


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
        names = [column.name for column in self._columns]
        widths = [max(map(cell_len, cells)) for cells in zip(names, *self._rows, strict=True)]
        shown = list(range(len(names)))
        if console.is_terminal:
            widths = [min(width, LONGEST) for width in widths]
            shown = fitting(self._columns, widths, console.width)
        head = self._line(names, widths, shown)
        console.print(head, style="bold", markup=False, soft_wrap=True)
        for row in self._rows:
            click.echo(self._line(row, widths, shown))
        if hidden := [name for index, name in enumerate(names) if index not in shown]:
            note = f"no room for: {', '.join(hidden)} (--output json shows all)"
            Console(stderr=True, highlight=False).print(note, style="dim")

    def _line(self, cells: Sequence[str], widths: Sequence[int], shown: Sequence[int]) -> str:
        return GAP.join(
            _pad(
                _cut(cells[index], widths[index]),
                widths[index],
                is_number=self._columns[index].is_number,
            )
            for index in shown
        ).rstrip()


def fitting(columns: Sequence[Column], widths: list[int], room: int) -> list[int]:
    """Return the indices of the columns to show in *room* cells, and shorten *widths* to fit.

    Words are shortened first, the widest column before the others; a column is dropped only when
    nothing can be shortened any more.
    """
    shown = list(range(len(widths)))
    while (excess := sum(widths[i] + len(GAP) for i in shown) - len(GAP) - room) > 0:
        slack = {i: widths[i] - (columns[i].least or widths[i]) for i in shown}
        if sum(each for each in slack.values() if each > 0) >= excess:
            widest = max((i for i in shown if slack[i] > 0), key=lambda i: widths[i])
            widths[widest] -= 1
            continue
        last = max(shown, key=lambda index: columns[index].rank)
        if columns[last].rank == 0:
            break
        shown.remove(last)
    return shown


def print_card(rows: Sequence[tuple[str, str]]) -> None:
    """Print one object: the name of each field, and its value beside it."""
    console = Console(highlight=False)
    width = max((len(name) for name, _ in rows), default=0)
    room = max(console.width - width - len(GAP), 1) if console.is_terminal else None
    for name, value in rows:
        first, *more = [line for text in value.split("\n") for line in _wrapped(text, room)]
        console.print(f"{name:<{width}}", style="bold", markup=False, soft_wrap=True, end=GAP)
        click.echo(_printable(first))
        for line in more:
            click.echo(f"{'':<{width}}{GAP}{_printable(line)}")


def _wrapped(text: str, room: int | None) -> list[str]:
    """Return *text* in lines of *room* cells, broken between words; None is room for all."""
    if room is None or cell_len(text) <= room:
        return [text]
    lines = [""]
    for word in text.split(" "):
        if lines[-1] and cell_len(f"{lines[-1]} {word}") > room:
            lines.append(word)
        else:
            lines[-1] = f"{lines[-1]} {word}" if lines[-1] else word
    return lines


def _printable(text: str) -> str:
    # Banks and merchants choose some of these texts, which must not control the terminal.
    return text if text.isprintable() else "".join(c if c.isprintable() else " " for c in text)


def _cut(text: str, width: int) -> str:
    return text if cell_len(text) <= width else set_cell_size(text, width - 1) + "…"


def _pad(text: str, width: int, *, is_number: bool) -> str:
    blank = " " * (width - cell_len(text))
    return blank + text if is_number else text + blank
