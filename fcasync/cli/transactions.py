"""``fcasync transactions``: the transactions of an account."""

import click

from fcasync.cli._common import Command, Connection, connection_options, runs_async
from fcasync.cli._output import TRANSACTION_COLUMNS, output_option, writer


@click.group()
def transactions() -> None:
    """Transactions of linked accounts."""


@transactions.command("list", cls=Command)
@click.option("--account", required=True, metavar="ID", help="Account whose transactions to list.")
@click.option(
    "--max-items", type=click.IntRange(min=1), metavar="N", help="Stop after N transactions."
)
@output_option
@connection_options
@runs_async
async def list_transactions(
    connection: Connection, account: str, max_items: int | None, output: str
) -> None:
    """List the transactions of an account, newest first."""
    async with connection.open() as client:
        out = writer(output, TRANSACTION_COLUMNS)
        async for transaction in client.transactions.list(account, max_items=max_items):
            out.write(transaction)
        out.close()
