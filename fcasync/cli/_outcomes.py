"""Printing the outcomes of a job while it runs."""

import sys
from collections.abc import AsyncIterable, Callable, Sequence
from typing import Any, Final, TypeVar

import click

from fcasync._facts.redact import without_secrets
from fcasync.cli._output import writer
from fcasync.cli._table import Column

T = TypeVar("T")
SHOWN: Final = 10
"""Most failures that are named."""


async def print_outcomes(
    run: AsyncIterable[T],
    output: str,
    columns: Sequence[Column],
    fields: Sequence[str],
    row: Callable[[T], dict[str, Any]],
) -> None:
    """Print each outcome of *run* in a machine format; of a table, only the first failures."""
    out = Failures() if output == "table" else writer(output, columns, fields)
    async for outcome in run:
        out.write(row(outcome))
        # Asking for the next outcome acknowledges this one: it must be out by then.
        sys.stdout.flush()
    out.close()


class Failures:
    """The first failed outcomes, printed on stderr before the summary instead of all outcomes."""

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._count = 0

    def write(self, row: dict[str, Any]) -> None:
        """Take note of *row* if it has failed."""
        if row["status"] != "failed":
            return
        self._count += 1
        if self._count <= SHOWN:
            name = " ".join(filter(None, (row["stripe_account"], row["account_id"])))
            # An id may be a key in the journal of a version that did not refuse it.
            self._sentences.append(without_secrets(f"{name}: {row['error'] or row['reason']}"))

    def close(self) -> None:
        """Print the sentences."""
        if more := self._count - len(self._sentences):
            self._sentences.append(f"{more} more failed; --output jsonl shows each account")
        for sentence in self._sentences:
            click.echo(f"fcasync: {sentence}", err=True)
