"""``fcasync transactions``: the transactions of an account."""

from datetime import datetime
from typing import Any

import click

from fcasync.cli._command import Command, Group, examples
from fcasync.cli._common import runs_async
from fcasync.cli._connection import Connection, connection_options
from fcasync.cli._output import TRANSACTION_COLUMNS, output_option, show, writer
from fcasync.cli._values import day
from fcasync.models import Transaction


@click.group(cls=Group)
def transactions() -> None:
    """Transactions of linked accounts."""


@transactions.command(
    "list",
    cls=Command,
    epilog=examples(
        "transactions list --account fca_...",
        "transactions list --account fca_... --since 2026-11-01 --until 2026-12-01 --output csv",
    ),
)
@click.option("--account", required=True, metavar="ID", help="Account whose transactions to list.")
@click.option(
    "--since", callback=day, metavar="DATE", help="Only transactions of this day and later (UTC)."
)
@click.option("--until", callback=day, metavar="DATE", help="Only transactions before this day.")
@click.option(
    "--max-items",
    "--limit",
    type=click.IntRange(min=1),
    metavar="N",
    help="Stop after N transactions.",
)
@output_option
@connection_options
@runs_async
async def list_transactions(
    connection: Connection,
    account: str,
    since: datetime | None,
    until: datetime | None,
    max_items: int | None,
    output: str,
) -> None:
    """List the transactions of an account, newest first."""
    bounds = {name: bound for name, bound in (("gte", since), ("lt", until)) if bound is not None}
    transacted: Any = bounds or None
    async with connection.open() as client:
        out = writer(output, TRANSACTION_COLUMNS, Transaction)
        async for transaction in client.transactions.list(
            account, transacted_at=transacted, max_items=max_items
        ):
            out.write(transaction)
        out.close()


@transactions.command(cls=Command, epilog=examples("transactions retrieve fctxn_... --output json"))
@click.argument("transaction_id", metavar="ID")
@output_option
@connection_options
@runs_async
async def retrieve(connection: Connection, transaction_id: str, output: str) -> None:
    """Show one transaction."""
    async with connection.open() as client:
        show(await client.transactions.retrieve(transaction_id), output)
