"""``fcasync sync``: keep accounts, balances and transactions in a database of your own."""

import asyncio
import shlex
import sys
from typing import Any

import click

from fcasync.cli._command import Command
from fcasync.cli._common import INTERRUPTED, OK, SOME_FAILED, Failure, runs_async
from fcasync.cli._connection import Connection, connection_options
from fcasync.cli._output import as_json, output_option, writer
from fcasync.cli._progress import shown
from fcasync.cli._source import Source
from fcasync.cli._table import Column
from fcasync.cli._values import duration
from fcasync.cli.refresh import Stopping, _Failures, _program, _without_key

EXAMPLES = """\b
Examples:
  fcasync sync --all --to sqlite:///bank.db
  fcasync sync --all --to postgresql://user@host/bank --refresh transactions,balance --max-age 12h
"""
FEATURES = ("balance", "ownership", "transactions")
COLUMNS = (
    Column("account", lambda row: row["account_id"]),
    Column("status", lambda row: row["status"]),
    Column("reason", lambda row: row["reason"] or ""),
    Column("new", lambda row: str(row["new"])),
    Column("updated", lambda row: str(row["updated"])),
    Column("void", lambda row: str(row["void"])),
    Column("error", lambda row: row["error"] or ""),
)


FIELDS = ("account_id", "status", "reason", "new", "updated", "void", "refresh", "error")


def _features(ctx: click.Context, param: click.Parameter, value: str | None) -> list[str]:
    words = [word.strip() for word in (value or "").split(",") if word.strip()]
    if unknown := [word for word in words if word not in FEATURES]:
        raise click.BadParameter(
            f"unknown feature {unknown[0]!r}; choose from {', '.join(FEATURES)}"
        )
    return words


@click.command(cls=Command, epilog=EXAMPLES)
@click.argument("ids", nargs=-1, metavar="[IDS]...")
@click.option(
    "--to",
    "url",
    required=True,
    metavar="URL",
    help="Database: sqlite:///FILE or postgresql://USER@HOST/NAME. An empty one gets its tables.",
)
@click.option(
    "--from",
    "file",
    metavar="FILE",
    help="File of ids, accounts as JSON lines, or JSON lines with an id (- for stdin).",
)
@click.option("--all", "everything", is_flag=True, help="All accounts that the key can see.")
@click.option(
    "--tenants",
    metavar="FILE",
    help="File of connected accounts, or JSON lines with stripe_account and accounts.",
)
@click.option(
    "--refresh",
    callback=_features,
    metavar="NAMES",
    help=f"Refresh these first, and wait for the banks: {', '.join(FEATURES)}.",
)
@click.option(
    "--max-age",
    callback=duration,
    metavar="AGE",
    help="With --refresh: leave what was refreshed more recently, such as 12h, 30m or 90.",
)
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=64,
    show_default=True,
    metavar="N",
    help="Most accounts read at a time.",
)
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
    """Bring a database of yours up to date with accounts, balances and transactions.

    Only what is new or changed is read, so run it as often as you like. It may be stopped or killed
    at any moment: the same command goes on from what is stored. Account numbers are never stored.
    """
    source = Source(
        ids=ids, file=file, everything=everything, tenants=tenants, journal=None, failed_only=False
    )
    if sum(map(bool, (ids, file, everything, tenants))) != 1:
        raise click.UsageError("choose exactly one of: account ids, --from FILE, --all, --tenants")
    if options["max_age"] is not None and not options["refresh"]:
        raise click.UsageError("--max-age needs --refresh: it decides what to refresh")
    mirror = _mirror(url, owners=owners)
    stopping = Stopping()
    async with connection.open() as client, mirror:
        job = mirror.sync(client, await source.accounts(client), **options)
        stopping.job = job
        try:
            async with job as run, shown(run, "sync", is_quiet=connection.quiet):
                out: Any = _Failures() if output == "table" else writer(output, COLUMNS, FIELDS)
                async for outcome in run:
                    out.write(_row(outcome))
                out.close()
        except asyncio.CancelledError as stop:
            raise Failure(_how_to_go_on(job.report.total, url), INTERRUPTED) from stop
    if stopping.was_asked:
        raise Failure(_how_to_go_on(job.report.total, url), INTERRUPTED)
    click.echo(str(job.report), err=output != "table")
    return SOME_FAILED if job.report.failed else OK


def _mirror(url: str, *, owners: bool) -> Any:
    try:
        from fcasync.mirror import Mirror  # noqa: PLC0415 - an extra
    except ImportError as error:
        raise Failure(str(error)) from error
    return Mirror(url, owners=owners)


def _row(outcome: Any) -> dict[str, Any]:
    """Return *outcome* as it is printed."""
    return {
        "account_id": outcome.account_id,
        "status": str(outcome.status),
        "reason": outcome.reason,
        "new": outcome.new,
        "updated": outcome.updated,
        "void": outcome.void,
        "refresh": outcome.refresh and str(outcome.refresh.status),
        "error": str(outcome.error) if outcome.error else None,
        "account": as_json(outcome.account) if outcome.account else None,
    }


def _how_to_go_on(total: int, url: str) -> str:
    from sqlalchemy import make_url  # noqa: PLC0415 - an extra

    from fcasync.mirror._location import shown as without_password  # noqa: PLC0415

    safe = without_password(make_url(url))
    words = [word.replace(url, safe) for word in _without_key(sys.argv[1:])]
    return f"stopped with {total} done; to go on, run: {shlex.join([*_program(), *words])}"
