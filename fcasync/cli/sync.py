"""``fcasync sync``: keep accounts, balances and transactions in a database of your own."""

import asyncio
import re
import sys
from pathlib import Path
from typing import Any

import click

from fcasync._facts.redact import without_secrets
from fcasync.cli._command import Command, examples
from fcasync.cli._common import (
    INTERRUPTED,
    OK,
    SOME_FAILED,
    USAGE,
    Failure,
    features_option,
    runs_async,
)
from fcasync.cli._connection import Connection, connection_options
from fcasync.cli._job_options import concurrency_option, max_age_option, source_options
from fcasync.cli._outcomes import print_outcomes
from fcasync.cli._output import as_json, output_option
from fcasync.cli._progress import shown
from fcasync.cli._source import Source
from fcasync.cli._stopping import Stopping, same_command
from fcasync.cli._table import Column

COLUMNS = (
    Column("account", lambda row: row["account_id"]),
    Column("status", lambda row: row["status"]),
    Column("reason", lambda row: row["reason"] or ""),
    Column("new", lambda row: str(row["new"])),
    Column("updated", lambda row: str(row["updated"])),
    Column("void", lambda row: str(row["void"])),
    Column("error", lambda row: row["error"] or ""),
    Column("stripe_account", lambda row: row["stripe_account"] or ""),
)


FIELDS = (
    "account_id",
    "stripe_account",
    "status",
    "reason",
    "new",
    "updated",
    "void",
    "refresh",
    "error",
)


@click.command(
    cls=Command,
    epilog=examples(
        "sync --all --to sqlite:///bank.db",
        "sync --all --to postgresql://user@host/bank --refresh transactions,balance --max-age 12h",
    ),
)
@source_options
@click.option(
    "--to",
    "url",
    required=True,
    metavar="URL",
    help="Database: sqlite:///FILE or postgresql://USER@HOST/NAME. An empty one gets its tables.",
)
@features_option(
    "balance",
    "ownership",
    "transactions",
    name="--refresh",
    required=False,
    about="Refresh these first, and wait for the banks: balance, ownership, transactions.",
)
@max_age_option("With --refresh: leave what was refreshed successfully more recently")
@concurrency_option(64, "accounts read at a time")
@click.option("--owners", is_flag=True, help="Store the owners as well: personal data.")
@output_option
@connection_options
@runs_async
async def sync(
    connection: Connection,
    ids: tuple[str, ...],
    url: str,
    file: str | None,
    everything: bool,
    tenants: str | None,
    owners: bool,
    output: str,
    **options: Any,
) -> int:
    """Bring a database of yours up to date.

    It gets accounts, balances and transactions. Only what is new or changed is read, so run it as
    often as you like. It may be stopped or killed at any moment: the same command goes on from what
    is stored. Account numbers are never stored.
    """
    source = Source(ids=ids, file=file, everything=everything, tenants=tenants)
    source.check()
    if options["max_age"] is not None and not options["refresh"]:
        raise click.UsageError("--max-age needs --refresh: it decides what to refresh")
    mirror = _mirror(url, owners=owners)
    stopping = Stopping()
    async with connection.open() as client, mirror:
        job = mirror.sync(client, await source.accounts(client), **options)
        stopping.job = job
        try:
            async with job as run, shown(run, "sync", is_quiet=connection.quiet):
                await print_outcomes(run, output, COLUMNS, FIELDS, _row)
        except asyncio.CancelledError as stop:
            sentence = _how_to_resume(job.report.total, url, file or tenants)
            raise Failure(sentence, INTERRUPTED) from stop
    if stopping.was_asked:
        raise Failure(_how_to_resume(job.report.total, url, file or tenants), INTERRUPTED)
    code = SOME_FAILED if job.report.failed else OK
    if not connection.quiet or code != OK:
        click.echo(str(job.report), err=output != "table")
    return code


def _mirror(url: str, *, owners: bool) -> Any:
    try:
        from fcasync.mirror import Mirror  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Failure(str(error)) from error
    from sqlalchemy import make_url  # noqa: PLC0415 - an extra

    if "://" not in url:
        # Without a scheme it may be anything, even a password.
        raise Failure(f"--to must be the URL of a database, such as {_suggested(url)}", USAGE)
    mirror = Mirror(url, owners=owners)
    parsed = make_url(url)
    if parsed.drivername.startswith("sqlite"):
        _check_file(parsed.database)
    return mirror


def _check_file(name: str | None) -> None:
    if not name or name == ":memory:":
        raise click.UsageError(
            "a database in memory is gone when the command ends; name a file: sqlite:///bank.db"
        )
    if not (folder := Path(name).parent).is_dir():
        raise Failure(f"--to: {folder}: No such file or directory", USAGE)


def _suggested(name: str) -> str:
    is_plain = re.fullmatch(r"[\w./-]+", name) and without_secrets(name) == name
    file = name if is_plain else "bank.db"
    return f"sqlite:///{file} or postgresql://USER@HOST/NAME"


def _row(outcome: Any) -> dict[str, Any]:
    """Return *outcome* as it is printed."""
    return {
        "account_id": outcome.account_id,
        "stripe_account": outcome.stripe_account,
        "status": str(outcome.status),
        "reason": outcome.reason,
        "new": outcome.new,
        "updated": outcome.updated,
        "void": outcome.void,
        "refresh": outcome.refresh and str(outcome.refresh.status),
        "error": str(outcome.error) if outcome.error else None,
        "account": as_json(outcome.account) if outcome.account else None,
    }


def _how_to_resume(total: int, url: str, file: str | None = None) -> str:
    from sqlalchemy import make_url  # noqa: PLC0415 - an extra

    from fcasync.mirror import _location as location  # noqa: PLC0415

    parsed = make_url(url)
    words = [word.replace(url, location.shown(parsed)) for word in sys.argv[1:]]
    missing = ["the same input"] if file == "-" else []
    if location.passwords(parsed):
        missing.append("the password")
    return f"stopped with {total} done; to resume, {same_command(words, missing=missing)}"
