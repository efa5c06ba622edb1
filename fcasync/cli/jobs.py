"""``fcasync subscribe``, ``unsubscribe`` and ``disconnect``: the other bulk jobs."""

from typing import Any

import click

from fcasync.cli._bulk import run_job, source_of
from fcasync.cli._command import Command, examples
from fcasync.cli._common import confirm, features_option, runs_async, yes_option
from fcasync.cli._connection import Connection, connection_options
from fcasync.cli._job_options import bulk_options
from fcasync.cli._output import output_option
from fcasync.cli._place import HERE


@click.command(
    cls=Command,
    epilog=examples(
        "subscribe --all --features transactions --journal subscribe.sqlite",
        "subscribe --from ids.txt --features transactions",
    ),
)
@bulk_options
@features_option("transactions", required=False)
@output_option
@connection_options
@runs_async
async def subscribe(connection: Connection, output: str, **options: Any) -> int:
    """Make Stripe refresh any number of accounts every day."""
    return await run_job("subscribe", connection, HERE, output, options)


@click.command(
    cls=Command, epilog=examples("unsubscribe --from ids.txt --features transactions --dry-run")
)
@bulk_options
@features_option("transactions", required=False)
@output_option
@connection_options
@runs_async
async def unsubscribe(connection: Connection, output: str, **options: Any) -> int:
    """End the daily refreshes of any number of accounts."""
    return await run_job("unsubscribe", connection, HERE, output, options)


@click.command(
    cls=Command,
    epilog=examples(
        "disconnect --from ids.txt --dry-run",
        "disconnect --from ids.txt --journal disconnect.sqlite --yes",
    ),
)
@bulk_options
@yes_option
@output_option
@connection_options
@runs_async
async def disconnect(connection: Connection, output: str, yes: bool, **options: Any) -> int:
    """Permanently end the access to any number of accounts.

    Only their holders can link them again. Asks first on a terminal; elsewhere it needs --yes.
    """
    if not (yes or connection.sandbox is not None or options["dry_run"]):
        source = source_of(dict(options))
        source.check()
        confirm(f"end the access to {await source.whom()} of {connection.whom()} for good")
    return await run_job("disconnect", connection, HERE, output, options)
