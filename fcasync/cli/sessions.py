"""``fcasync sessions``: the sessions in which users link their accounts."""

from typing import Any

import click

from fcasync.cli._command import Command, Group, examples
from fcasync.cli._common import features_option, runs_async
from fcasync.cli._connection import Connection, connection_options, outer_options
from fcasync.cli._output import output_option, show

PERMISSIONS = ("balances", "ownership", "payment_method", "transactions")
PREFETCH = ("balances", "ownership", "transactions")


@click.group(cls=Group)
@outer_options
def sessions() -> None:
    """Sessions in which users link their accounts."""


@sessions.command(
    cls=Command,
    epilog=examples(
        "sessions create --customer cus_9s6XI9OFIdpjIg --permissions balances,transactions"
    ),
)
@click.option("--customer", metavar="CUS", help="Customer who links accounts.")
@click.option("--account", metavar="ACCT", help="Connected account that links accounts.")
@features_option(
    *PERMISSIONS,
    name="--permissions",
    about=f"What the user is asked to share: {', '.join(PERMISSIONS)}.",
)
@features_option(
    *PREFETCH,
    name="--prefetch",
    required=False,
    about=f"What to read as soon as an account is linked: {', '.join(PREFETCH)}.",
)
@click.option("--return-url", metavar="URL", help="URL to which a mobile app returns.")
@output_option
@connection_options
@runs_async
async def create(
    connection: Connection,
    customer: str | None,
    account: str | None,
    permissions: list[str],
    prefetch: list[str],
    return_url: str | None,
    output: str,
) -> None:
    """Create a session.

    Its client_secret opens the flow in the user's browser. The table hides it; --output json shows
    it. On a sandbox, open URL/link/CLIENT_SECRET in a browser.
    """
    if (customer is None) == (account is None):
        raise click.UsageError("choose exactly one of --customer and --account")
    holder: Any = (
        {"type": "customer", "customer": customer}
        if customer
        else {"type": "account", "account": account}
    )
    async with connection.open() as client:
        session = await client.sessions.create(
            account_holder=holder,
            permissions=permissions,
            prefetch=prefetch or None,
            return_url=return_url,
        )
    show(session, output)


@sessions.command(cls=Command, epilog=examples("sessions retrieve fcsess_..."))
@click.argument("session_id", metavar="ID")
@output_option
@connection_options
@runs_async
async def retrieve(connection: Connection, session_id: str, output: str) -> None:
    """Show one session, with the accounts that were linked in it."""
    async with connection.open() as client:
        show(await client.sessions.retrieve(session_id), output)
