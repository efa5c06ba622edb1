"""CSV for machines: Stripe's field names, minor units, ISO 8601; and reading it back."""

import csv
import sys
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

import click

from fcasync._facts.text import to_json, well_formed
from fcasync.models._columns import columns

ID_COLUMNS = ("account_id", "id")
"""The columns that hold an account's id, the likelier one first."""


class Csv:
    """Writes a header, and a row for each object as soon as it is there.

    Args:
        rows: A model, all of whose fields are columns with dotted names, or the keys of dicts.
    """

    def __init__(self, rows: type | Sequence[str]) -> None:
        self._model = rows if isinstance(rows, type) else None
        if isinstance(rows, type):
            self._names = [column.name for column in columns([], rows, private=True)]
        else:
            self._names = list(rows)
        self._left_out = 0  # objects with amounts in more currencies than the header has room for
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow(self._names)

    def write(self, item: Any) -> None:
        """Write a row."""
        if self._model is None:
            row: Mapping[str, Any] = item
        else:
            row = {each.name: each.values[0] for each in columns([item], self._model, private=True)}
            self._left_out += len(row) > len(self._names)
        self._writer.writerow([csv_text(row.get(name)) for name in self._names])

    def close(self) -> None:
        """Flush, and say what a row has no room for."""
        sys.stdout.flush()
        if self._left_out:
            click.echo(
                f"fcasync: {self._left_out} of these have amounts in several currencies, of which "
                "CSV shows one; --output jsonl has them all",
                err=True,
            )


def id_column(line: str) -> int | None:
    """Return the position of the column of ids, 0-based, if *line* is the header of a CSV."""
    names = cells(line)
    found = [names.index(name) for name in ID_COLUMNS if name in names]
    return found[0] if found else None


def cells(line: str) -> list[str]:
    """Return the cells of one row; none if it is not CSV."""
    try:
        return next(csv.reader([line]), [])
    except csv.Error:
        return []


def is_open(line: str) -> bool:
    """Return whether a quoted cell of *line* goes on in the next line."""
    return line.count('"') % 2 == 1


def csv_text(value: object) -> str:
    """Return *value* as a cell: empty for None, ISO 8601 for instants, JSON for what is nested."""
    if value is None:
        return ""
    if isinstance(value, str):
        # A lone carriage return is a line break that csv would not quote.
        return well_formed(value).replace("\r\n", "\n").replace("\r", "\n")
    if isinstance(value, datetime):
        return value.isoformat().replace("+00:00", "Z")
    if isinstance(value, list) and all(isinstance(word, str) for word in value):
        return well_formed(" ".join(value))
    return to_json(value).decode()
