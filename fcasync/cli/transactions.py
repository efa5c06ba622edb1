"""``fcasync transactions``: the transactions of an account."""

from datetime import datetime
from typing import Any, Final

import click

from fcasync.cli._command import Command, Group, examples
from fcasync.cli._common import Failure, runs_async
from fcasync.cli._connection import Connection, connection_options, outer_options
from fcasync.cli._output import TRANSACTION_COLUMNS, output_option, show, writer
from fcasync.cli._values import Whole, day
from fcasync.errors import APIStatusError
from fcasync.models import Transaction

_NEVER_REFRESHED: Final = "financial_connections_no_successful_transaction_refresh"
"""Stripe's code for an account whose transactions were never read from the bank."""


@click.group(cls=Group)
@outer_options
def transactions() -> None:
    """Transactions of linked accounts."""


@transactions.command(
    "list",
    cls=Command,
    epilog=examples(
        "transactions list fca_...",
        "transactions list fca_... --since 2026-11-01 --until 2026-12-01 --output csv",
    ),
)
@click.argument("account_id", required=False, metavar="ID")
@click.option("--account", metavar="ID", help="The same as ID.")
@click.option(
    "--since", callback=day, metavar="DATE", help="Only transactions of this day and later (UTC)."
)
@click.option("--until", callback=day, metavar="DATE", help="Only transactions before this day.")
@click.option(
    "--max-items",
    "--limit",
    type=Whole(min=1),
    metavar="N",
    help="Stop after N transactions.",
)
@output_option
@connection_options
@runs_async
async def list_transactions(
    connection: Connection,
    account_id: str | None,
    account: str | None,
    since: datetime | None,
    until: datetime | None,
    max_items: int | None,
    output: str,
) -> None:
    """List the transactions of an account, newest first."""
    if (account_id is None) == (account is None):
        raise click.UsageError("name exactly one account, as ID or as --account ID")
    chosen = account_id or account or ""
    bounds = {name: bound for name, bound in (("gte", since), ("lt", until)) if bound is not None}
    transacted: Any = bounds or None
    async with connection.open() as client:
        out = writer(output, TRANSACTION_COLUMNS, Transaction)
        found = client.transactions.list(chosen, transacted_at=transacted, max_items=max_items)
        try:
            async for transaction in found:
                out.write(transaction)
        except APIStatusError as error:
            if error.code != _NEVER_REFRESHED:
                raise
            raise Failure(
                f"{chosen} has no transactions yet; run: "
                f"fcasync accounts refresh {chosen} --features transactions --wait"
            ) from error
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
