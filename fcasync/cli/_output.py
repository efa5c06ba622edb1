"""Results on stdout: as a table, JSON, JSON lines or CSV."""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any, Protocol

import click
import orjson

from fcasync._facts.money import money
from fcasync._facts.text import to_json
from fcasync.cli._csv import Csv, csv_text
from fcasync.cli._table import Column, Table, print_card
from fcasync.models import Account, Transaction
from fcasync.models._base import Model
from fcasync.models._convert import to_dict
from fcasync.models._show import cell

FORMATS = ("table", "json", "jsonl", "csv")


def output_option(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add ``--output``."""
    return click.option(
        "-o",
        "--output",
        type=click.Choice(FORMATS),
        default="table",
        metavar="FORMAT",
        help="Output format: table, json, jsonl or csv (default: table).",
    )(command)


class Writer(Protocol):
    """Prints objects one after another."""

    def write(self, item: Any) -> None:
        """Print one object, now or when closed."""

    def close(self) -> None:
        """Print what has not been printed yet."""


def writer(output: str, columns: Sequence[Column], rows: type | Sequence[str]) -> Writer:
    """Return the writer for ``--output``.

    Args:
        output: One of FORMATS.
        columns: What the table shows.
        rows: What the CSV has: every field of a model, or these keys of a dict.
    """
    if output == "jsonl":
        return _JsonLines()
    if output == "json":
        return _Json()
    return Csv(rows) if output == "csv" else Table(columns)


def show(item: Model | Mapping[str, Any], output: str) -> None:
    """Print one object: a line for each field, one JSON object, or a CSV with one row."""
    if output == "table":
        print_card(_lines(item))
    elif output == "json":
        click.echo(to_json(as_json(item), orjson.OPT_INDENT_2 | orjson.OPT_UTC_Z))
    else:
        out = writer(output, (), type(item) if isinstance(item, Model) else tuple(item))
        out.write(item)
        out.close()


def _lines(item: Model | Mapping[str, Any]) -> list[tuple[str, str]]:
    if isinstance(item, Model):
        return [(name, cell(value)) for name, value in item._stated()]
    return [(name, csv_text(value)) for name, value in item.items() if value is not None]


class _JsonLines:
    def write(self, item: Any) -> None:
        click.echo(to_json(as_json(item), orjson.OPT_UTC_Z))

    def close(self) -> None:
        """Do nothing: every item has been printed."""


class _Json:
    def __init__(self) -> None:
        self._items: list[Any] = []

    def write(self, item: Any) -> None:
        self._items.append(as_json(item))

    def close(self) -> None:
        click.echo(to_json(self._items, orjson.OPT_INDENT_2))


def as_json(item: Any) -> Any:
    """Return *item* in Stripe's JSON shape."""
    return to_dict(item) if hasattr(item, "__attrs_attrs__") else item


def when(instant: datetime | None) -> str:
    """Return *instant* in UTC, in a form that people read."""
    return "" if instant is None else f"{instant:%Y-%m-%d %H:%M}Z"


def _balance(account: Account) -> str:
    return "" if account.balance is None else money(account.balance.current or {})


def _balance_time(account: Account) -> str:
    return "" if account.balance is None else when(account.balance.as_of)


def _amount(transaction: Transaction) -> str:
    amount, currency = transaction.amount, transaction.currency
    return "" if amount is None or currency is None else money({currency: amount})


def _refresh_status(account: Account) -> str:
    return "" if account.balance_refresh is None else str(account.balance_refresh.status)


ACCOUNT_COLUMNS = (
    Column("id", lambda account: account.id),
    Column("institution", lambda account: account.institution_name or "", rank=3, least=10),
    Column("name", lambda account: account.display_name or "", rank=6, least=8),
    Column("last4", lambda account: account.last4 or "", rank=4),
    Column("status", lambda account: str(account.status or ""), rank=2),
    Column("balance", _balance, rank=1, is_number=True),
    Column("as of", _balance_time, rank=7),
    Column("refresh", _refresh_status, rank=5),
)
OWNER_COLUMNS = (
    Column("id", lambda owner: owner.id),
    Column("name", lambda owner: owner.name or "", rank=1, least=10),
    Column("email", lambda owner: owner.email or "", rank=2, least=12),
    Column("phone", lambda owner: owner.phone or "", rank=3),
    Column("address", lambda owner: owner.raw_address or "", rank=4, least=10),
)
TRANSACTION_COLUMNS = (
    Column("id", lambda transaction: transaction.id),
    Column("when", lambda transaction: when(transaction.transacted_at), rank=2),
    Column("description", lambda transaction: transaction.description or "", rank=3, least=10),
    Column("amount", _amount, rank=1, is_number=True),
    Column("status", lambda transaction: str(transaction.status or ""), rank=4),
)
