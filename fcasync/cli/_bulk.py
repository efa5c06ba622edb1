"""A bulk job from the command line: it runs, prints outcomes, and says how it ended."""

import asyncio
import sys
from typing import Any

import attrs
import click

from fcasync.bulk import Outcome, Report
from fcasync.cli._common import INTERRUPTED, OK, SOME_FAILED, Failure
from fcasync.cli._connection import Connection
from fcasync.cli._outcomes import print_outcomes
from fcasync.cli._output import as_json
from fcasync.cli._place import Place
from fcasync.cli._progress import shown
from fcasync.cli._source import Source
from fcasync.cli._stopping import Stopping, same_command
from fcasync.cli._table import Column

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


async def run_job(
    verb: str, connection: Connection, place: Place, output: str, options: dict[str, Any]
) -> int:
    """Run the job called *verb* with the *options* of the command; return the exit code."""
    named = {field.name: options.pop(field.name) for field in attrs.fields(Source)}
    source = Source(**named)
    source.check()
    is_kept = source.journal is not None or options["job"] is not None
    place.check(source)
    stopping = Stopping()
    async with place.open(verb, connection, source) as (accounts, make):
        job = make(accounts, journal=source.journal, retry_failed=source.failed_only, **options)
        stopping.job = job
        try:
            async with job as run, shown(run, verb, is_quiet=connection.quiet):
                await print_outcomes(run, output, OUTCOME_COLUMNS, OUTCOME_FIELDS, outcome_row)
        except asyncio.CancelledError as stop:
            raise Failure(
                _how_to_resume(job.report, source, is_kept=is_kept), INTERRUPTED
            ) from stop
    report = job.report
    if stopping.was_asked and report.finished_at is None:
        raise Failure(_how_to_resume(report, source, is_kept=is_kept), INTERRUPTED)
    if report.found_finished:
        click.echo(_nothing_to_do(report, verb), err=True)
    # The results own stdout; where there are none to print, the summary is the result.
    click.echo(str(report), err=output != "table")
    return SOME_FAILED if report.failed or report.unfinished else OK


def _nothing_to_do(report: Report, verb: str) -> str:
    finished = "" if report.finished_at is None else f"{report.finished_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"fcasync: nothing to do: this job finished at {finished}; "
        f"to {verb} again, name a new journal"
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


def _how_to_resume(report: Report, source: Source, *, is_kept: bool) -> str:
    stopped = f"stopped with {report.total} done"
    if not is_kept:
        return f"{stopped}; without --journal a new run starts over"
    missing = ["the same input"] if "-" in (source.file, source.tenants) else []
    return f"{stopped}; to resume, {same_command(sys.argv[1:], missing=missing)}"
