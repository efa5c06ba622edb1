"""Results on stdout: as a table, JSON, JSON lines or CSV."""

import csv
import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any, Protocol

import click
import orjson
from rich.console import Console
from rich.table import Table

from fcasync._convert import to_dict
from fcasync._money import money
from fcasync.models import Account

WIDE = 400
FORMATS = ("table", "json", "jsonl", "csv")
Column = tuple[str, Callable[[Any], str]]


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--output``."""
    return click.option(
        "--output", type=click.Choice(FORMATS), default="table", help="How to print the result."
    )(command)


class Writer(Protocol):
    """Prints objects one after another."""

    def write(self, item: Any) -> None:
        """Print one object, now or when closed."""

    def close(self) -> None:
        """Print what is left."""


def writer(output: str, columns: Sequence[Column]) -> Writer:
    """Return the writer for ``--output``."""
    if output == "jsonl":
        return _JsonLines()
    if output == "json":
        return _Json()
    return _Csv(columns) if output == "csv" else _Table(columns)


class _JsonLines:
    def write(self, item: Any) -> None:
        click.echo(orjson.dumps(as_json(item)))

    def close(self) -> None:
        """Nothing is left."""


class _Json:
    def __init__(self) -> None:
        self._items: list[Any] = []

    def write(self, item: Any) -> None:
        self._items.append(as_json(item))

    def close(self) -> None:
        click.echo(orjson.dumps(self._items, option=orjson.OPT_INDENT_2))


class _Csv:
    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._writer = csv.writer(sys.stdout, lineterminator="\n")
        self._writer.writerow([name for name, _ in columns])

    def write(self, item: Any) -> None:
        self._writer.writerow([read(item) for _, read in self._columns])

    def close(self) -> None:
        sys.stdout.flush()


class _Table:
    def __init__(self, columns: Sequence[Column]) -> None:
        self._columns = columns
        self._table = Table(box=None, pad_edge=False, header_style="bold")
        for index, (name, _) in enumerate(columns):
            # The id is what people copy: it is the one column that is never cut.
            self._table.add_column(
                name,
                justify="right" if name in ("balance", "amount") else "left",
                no_wrap=True,
                overflow="ellipsis",
                min_width=31 if index == 0 else None,
            )

    def write(self, item: Any) -> None:
        self._table.add_row(*(read(item) for _, read in self._columns))

    def close(self) -> None:
        console = Console(highlight=False)
        if not console.is_terminal:
            console = Console(highlight=False, width=WIDE)  # a file or a pipe gets everything
        if self._table.row_count:
            console.print(self._table)
        else:
            console.print("nothing found", style="dim")


def as_json(item: Any) -> Any:
    """Return *item* in Stripe's JSON shape."""
    return to_dict(item) if hasattr(item, "__attrs_attrs__") else item


def when(instant: datetime | None) -> str:
    """Return an instant as people read it, in UTC."""
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M}Z"


def _balance(account: Account) -> str:
    return "" if account.balance is None else money(account.balance.current or {})


def _balance_time(account: Account) -> str:
    return "" if account.balance is None else when(account.balance.as_of)


def _refresh_status(account: Account) -> str:
    return "" if account.balance_refresh is None else str(account.balance_refresh.status)


ACCOUNT_COLUMNS: tuple[Column, ...] = (
    ("id", lambda account: account.id),
    ("institution", lambda account: account.institution_name or ""),
    ("name", lambda account: account.display_name or ""),
    ("last4", lambda account: account.last4 or ""),
    ("status", lambda account: str(account.status or "")),
    ("balance", _balance),
    ("as of", _balance_time),
    ("refresh", _refresh_status),
)
OWNER_COLUMNS: tuple[Column, ...] = (
    ("id", lambda owner: owner.id),
    ("name", lambda owner: owner.name or ""),
    ("email", lambda owner: owner.email or ""),
    ("phone", lambda owner: owner.phone or ""),
    ("address", lambda owner: owner.raw_address or ""),
)
TRANSACTION_COLUMNS: tuple[Column, ...] = (
    ("id", lambda transaction: transaction.id),
    ("when", lambda transaction: when(transaction.transacted_at)),
    ("description", lambda transaction: transaction.description or ""),
    ("amount", lambda transaction: money({transaction.currency: transaction.amount})),
    ("status", lambda transaction: str(transaction.status or "")),
)
