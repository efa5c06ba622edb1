"""``fcasync refresh``: the bulk job."""

import asyncio
import sys
from typing import Any

import click

from fcasync.bulk import Outcome, Report
from fcasync.cli._command import Command
from fcasync.cli._common import INTERRUPTED, OK, SOME_FAILED, Failure, features_option, runs_async
from fcasync.cli._connection import Connection, connection_options
from fcasync.cli._job_options import concurrency_option, max_age_option, source_options
from fcasync.cli._outcomes import print_outcomes
from fcasync.cli._output import as_json, output_option
from fcasync.cli._place import Place
from fcasync.cli._progress import shown
from fcasync.cli._source import Source
from fcasync.cli._stopping import Stopping, same_command
from fcasync.cli._table import Column
from fcasync.cli._values import instant, shard

EXAMPLES = """\b
Examples:
  fcasync refresh --all --features balance --journal refresh-$(date +%F).sqlite --wait
  fcasync refresh --from ids.txt --features balance,transactions --output jsonl
  fcasync refresh --tenants tenants.txt --features balance --journal refresh-$(date +%F).sqlite
"""
POSITIVE = click.FloatRange(min=0, min_open=True)
OUTCOME_FIELDS = (
    "account_id",
    "status",
    "reason",
    "attempts",
    "error",
    "stripe_account",
    "again",
    "available_at",
)
OUTCOME_COLUMNS = (
    Column("account", lambda row: row["account_id"]),
    Column("status", lambda row: row["status"]),
    Column("reason", lambda row: row["reason"] or ""),
    Column("attempts", lambda row: str(row["attempts"])),
    Column("error", lambda row: row["error"] or ""),
    Column("stripe_account", lambda row: row["stripe_account"] or ""),
)


@click.command(cls=Command, epilog=EXAMPLES)
@source_options
@click.option(
    "--failed-only", is_flag=True, help="Retry only the accounts that failed in --journal."
)
@features_option("balance", "ownership", "transactions")
@click.option(
    "--journal",
    metavar="FILE",
    help="Journal file; makes the job resumable. One file for each job.",
)
@click.option(
    "--max-rate",
    type=POSITIVE,
    metavar="R",
    help="Most requests a second (default: finds the rate limit).",
)
@concurrency_option(256, "requests in flight")
@click.option(
    "--total-rate", type=POSITIVE, metavar="R", help="Most requests a second of all --tenants."
)
@click.option(
    "--shard",
    callback=shard,
    metavar="I/N",
    help="Only the tenants of shard I, from 0 to N-1; N processes share the list.",
)
@click.option(
    "--job", metavar="NAME", help="Name of the job: whoever lost the journal repeats nothing."
)
@click.option(
    "--since",
    callback=instant,
    metavar="INSTANT",
    help="Time before which nothing of --job was sent, such as 2026-11-24T00:00Z.",
)
@click.option(
    "--cluster",
    metavar="[=ADDRESS]",
    help="Work on the Dask scheduler at ADDRESS (default: on processes of this machine).",
)
@click.option(
    "--workers",
    type=click.IntRange(min=1),
    metavar="N",
    help="Processes of --cluster to start, or to wait for (default: one for each core).",
)
@click.option("--wait", is_flag=True, help="Wait until the banks have answered.")
@click.option(
    "--wait-timeout",
    type=POSITIVE,
    default=900.0,
    show_default=True,
    metavar="SECONDS",
    help="Maximum time to wait for each bank.",
)
@max_age_option("Skip what was refreshed successfully more recently")
@click.option(
    "--max-requests",
    type=click.IntRange(min=1),
    metavar="N",
    help="Most refreshes that this run asks for; the rest stays open.",
)
@click.option("--dry-run", is_flag=True, help="Send nothing, and say what would be sent.")
@output_option
@connection_options
@runs_async
async def refresh(
    connection: Connection,
    ids: tuple[str, ...],
    file: str | None,
    everything: bool,
    tenants: str | None,
    failed_only: bool,
    journal: str | None,
    output: str,
    cluster: str | None,
    workers: int | None,
    **options: Any,
) -> int:
    """Refresh any number of accounts, each exactly once.

    With --journal the job can be stopped or killed at any moment: the same command resumes it.
    A journal is one job; to refresh the same accounts again, name a new one. --output json, jsonl
    and csv print the outcome of every account.
    """
    source = Source(
        ids=ids,
        file=file,
        everything=everything,
        tenants=tenants,
        journal=journal,
        failed_only=failed_only,
    )
    source.check()
    is_kept = journal is not None or options["job"] is not None
    place = Place(cluster, workers)
    place.check(source)
    stopping = Stopping()
    async with place.open(connection, source) as (accounts, make):
        job = make(accounts, journal=journal, retry_failed=failed_only, **options)
        stopping.job = job
        try:
            async with job as run, shown(run, "refresh", is_quiet=connection.quiet):
                await print_outcomes(run, output, OUTCOME_COLUMNS, OUTCOME_FIELDS, outcome_row)
        except asyncio.CancelledError as stop:
            raise Failure(
                _how_to_resume(job.report, file or tenants, is_kept=is_kept), INTERRUPTED
            ) from stop
    report = job.report
    if stopping.was_asked and report.finished_at is None:
        raise Failure(_how_to_resume(report, file or tenants, is_kept=is_kept), INTERRUPTED)
    if report.found_finished:
        click.echo(_nothing_to_do(report), err=True)
    # The results own stdout; where there are none to print, the summary is the result.
    click.echo(str(report), err=output != "table")
    return SOME_FAILED if report.failed or report.unfinished else OK


def _nothing_to_do(report: Report) -> str:
    finished = "" if report.finished_at is None else f"{report.finished_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"fcasync: nothing to do: this job finished at {finished}; "
        "to refresh again, name a new journal"
    )


def outcome_row(outcome: Outcome) -> dict[str, Any]:
    """Return *outcome* as it is printed."""
    return {
        "account_id": outcome.account_id,
        "stripe_account": outcome.stripe_account,
        "status": str(outcome.status),
        "reason": outcome.reason,
        "attempts": outcome.attempts,
        "again": outcome.again,
        "available_at": outcome.available_at and outcome.available_at.isoformat(),
        "error": str(outcome.error) if outcome.error else None,
        "account": as_json(outcome.account) if outcome.account else None,
    }


def _how_to_resume(report: Report, file: str | None, *, is_kept: bool) -> str:
    stopped = f"stopped with {report.total} done"
    if not is_kept:
        return f"{stopped}; without --journal a new run starts over"
    missing = ["the same input"] if file == "-" else []
    return f"{stopped}; to resume, {same_command(sys.argv[1:], missing=missing)}"
