"""``fcasync accounts``: one account at a time, or a list of them."""

from collections.abc import AsyncIterator
from typing import Any

import attrs
import click

from fcasync.cli._command import Command, Group, examples
from fcasync.cli._common import (
    OK,
    SOME_FAILED,
    Failure,
    confirm,
    features_option,
    runs_async,
    yes_option,
)
from fcasync.cli._connection import Connection, connection_options, outer_options
from fcasync.cli._output import ACCOUNT_COLUMNS, OWNER_COLUMNS, output_option, show, writer
from fcasync.cli._values import POSITIVE, Whole, duration, money
from fcasync.models import Account, AccountOwner, Money
from fcasync.resources._paginator import Paginator


@click.group(cls=Group)
@outer_options
def accounts() -> None:
    """Linked bank accounts."""


@accounts.command(
    "list",
    cls=Command,
    epilog=examples(
        "accounts list --customer cus_9s6XI9OFIdpjIg",
        "accounts list --output jsonl > accounts.jsonl",
    ),
)
@click.option("--customer", metavar="CUS", help="Only accounts of this customer.")
@click.option(
    "--holder-account",
    "account",
    metavar="ACCT",
    help="Only accounts that belong to this Stripe account.",
)
@click.option("--session", metavar="FCSESS", help="Only accounts linked in this session.")
@click.option(
    "--max-items", "--limit", type=Whole(min=1), metavar="N", help="Stop after N accounts."
)
@click.option(
    "--reverse", is_flag=True, help="Oldest first (reads the whole list before printing)."
)
@output_option
@connection_options
@runs_async
async def list_accounts(
    connection: Connection,
    customer: str | None,
    account: str | None,
    session: str | None,
    max_items: int | None,
    reverse: bool,
    output: str,
) -> None:
    """List accounts, newest first."""
    if customer and account:
        raise click.UsageError("use either --customer or --holder-account, not both")
    holder: Any = {"customer": customer, "account": account} if customer or account else None
    async with connection.open() as client:
        newest = client.accounts.list(
            account_holder=holder, session=session, max_items=None if reverse else max_items
        )
        out = writer(output, ACCOUNT_COLUMNS, Account)
        async for item in _oldest_first(newest, max_items) if reverse else newest:
            out.write(item)
        out.close()


@accounts.command(cls=Command, epilog=examples("accounts retrieve fca_... --output json"))
@click.argument("account_id", metavar="ID")
@output_option
@connection_options
@runs_async
async def retrieve(connection: Connection, account_id: str, output: str) -> None:
    """Show one account."""
    async with connection.open() as client:
        show(await client.accounts.retrieve(account_id), output)


@accounts.command(cls=Command, epilog=examples("accounts disconnect fca_... --yes"))
@click.argument("account_id", metavar="ID")
@yes_option
@output_option
@connection_options
@runs_async
async def disconnect(connection: Connection, account_id: str, yes: bool, output: str) -> None:
    """Permanently end the access to an account.

    Only its holder can link it again. Asks first on a terminal; elsewhere it needs --yes.
    """
    if not yes and connection.sandbox is None:
        confirm(f"end the access to {account_id} of {connection.whom()} for good")
    async with connection.open() as client:
        show(await client.accounts.disconnect(account_id), output)


@accounts.command(
    cls=Command, epilog=examples("accounts balance fca_... --at-least 50.00usd --max-age 1h")
)
@click.argument("account_id", metavar="ID")
@click.option(
    "--at-least", callback=money, metavar="AMOUNT", help="What is needed, such as 50.00usd."
)
@click.option(
    "--max-age",
    callback=duration,
    default="1h",
    show_default=True,
    metavar="AGE",
    help="Refresh if the balance is older.",
)
@click.option(
    "--wait-timeout",
    type=POSITIVE,
    default=15.0,
    show_default=True,
    metavar="SECONDS",
    help="Most time to wait for the bank.",
)
@output_option
@connection_options
@runs_async
async def balance(
    connection: Connection,
    account_id: str,
    at_least: Money | None,
    max_age: float,
    wait_timeout: float,
    output: str,
) -> int:
    """Say whether there is enough money.

    The balance is refreshed only if it is too old. Exits with 0 if there is enough, and with 1 if
    there is not or if it cannot be said.
    """
    async with connection.open() as client:
        check = await client.accounts.balance(
            account_id, at_least=at_least, max_age=max_age, timeout=wait_timeout
        )
    shown = attrs.asdict(check)
    if output == "table":
        shown |= {"amount": check.money and str(check.money), "currency": None}
    show(shown, output)
    return OK if at_least is None or check.verdict == "sufficient" else SOME_FAILED


@accounts.command(cls=Command, epilog=examples("accounts owners fca_..."))
@click.argument("account_id", metavar="ID")
@output_option
@connection_options
@runs_async
async def owners(connection: Connection, account_id: str, output: str) -> None:
    """List an account's owners.

    The data is that of the last refresh with --features ownership.
    """
    async with connection.open() as client:
        account = await client.accounts.retrieve(account_id)
        if account.ownership is None:
            raise Failure(
                f"{account_id} has no ownership data yet; refresh it with --features ownership"
            )
        out = writer(output, OWNER_COLUMNS, AccountOwner)
        async for owner in client.accounts.list_owners(account_id, ownership=account.ownership):
            out.write(owner)
        out.close()


@accounts.command(
    cls=Command, epilog=examples("accounts refresh fca_... --features balance,transactions --wait")
)
@click.argument("account_id", metavar="ID")
@features_option("balance", "ownership", "transactions")
@click.option("--wait", is_flag=True, help="Wait up to 60 s for the bank's answer.")
@output_option
@connection_options
@runs_async
async def refresh(
    connection: Connection, account_id: str, features: list[str], wait: bool, output: str
) -> int:
    """Refresh an account's data from its bank.

    Prints the account afterwards; without --wait, the refresh is still pending. Exits with 1 if the
    bank has failed.
    """
    async with connection.open() as client:
        call = client.accounts.refresh_and_wait if wait else client.accounts.refresh
        account = await call(account_id, features=features)
    show(account, output)
    failed = [word for word in features if _has_failed(account, word)]
    if failed:
        raise Failure(f"{account_id}: the bank has failed to refresh: {', '.join(failed)}")
    return OK


@accounts.command(
    cls=Command, epilog=examples("accounts subscribe fca_... --features transactions")
)
@click.argument("account_id", metavar="ID")
@features_option("transactions")
@output_option
@connection_options
@runs_async
async def subscribe(
    connection: Connection, account_id: str, features: list[str], output: str
) -> None:
    """Make Stripe refresh an account every day."""
    async with connection.open() as client:
        show(await client.accounts.subscribe(account_id, features=features), output)


@accounts.command(
    cls=Command, epilog=examples("accounts unsubscribe fca_... --features transactions")
)
@click.argument("account_id", metavar="ID")
@features_option("transactions")
@output_option
@connection_options
@runs_async
async def unsubscribe(
    connection: Connection, account_id: str, features: list[str], output: str
) -> None:
    """End the daily refreshes of an account."""
    async with connection.open() as client:
        show(await client.accounts.unsubscribe(account_id, features=features), output)


def _has_failed(account: Account, feature: str) -> bool:
    latest = account.refresh_of(feature)
    return latest is not None and latest.status == "failed"


async def _oldest_first(
    newest: Paginator[Account], max_items: int | None
) -> AsyncIterator[Account]:
    # Stripe walks backwards only from a known id, so the oldest account is found by walking.
    for item in (await newest.collect())[::-1][:max_items]:
        yield item
