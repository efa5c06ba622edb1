"""A bulk job from the command line: it runs, prints outcomes, and says how it ended."""

import asyncio
import sys
from typing import Any

import attrs
import click

from fcasync.bulk import Outcome, Report, Tenants
from fcasync.cli._common import INTERRUPTED, OK, SOME_FAILED, USAGE, Failure
from fcasync.cli._connection import Connection
from fcasync.cli._openings import Openings
from fcasync.cli._outcomes import print_outcomes
from fcasync.cli._output import as_json
from fcasync.cli._place import Place
from fcasync.cli._progress import shown
from fcasync.cli._source import Source
from fcasync.cli._stopping import Stopping, same_command
from fcasync.cli._table import Column
from fcasync.errors import JournalError

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
    source = source_of(options)
    source.check()
    place.check(source)
    if "features" in options:
        options["features"] = source.features(options["features"])
    _check_name(options)
    is_partial = source.leaves_some_out()
    is_kept = source.journal is not None or options["job"] is not None
    stopping, openings = Stopping(), Openings()

    def row(outcome: Outcome) -> dict[str, Any]:
        openings.add(outcome.available_at)
        return outcome_row(outcome)

    async with place.open(verb, connection, source) as (accounts, make):
        _check_tenants(accounts, options)
        job = make(accounts, journal=source.journal, retry_failed=source.failed_only, **options)
        stopping.job = job
        try:
            async with job as run, shown(run, verb, is_quiet=connection.quiet):
                await print_outcomes(run, output, OUTCOME_COLUMNS, OUTCOME_FIELDS, row)
        except asyncio.CancelledError as stop:
            raise Failure(
                _how_to_resume(job.report, source, is_kept=is_kept), INTERRUPTED
            ) from stop
        except JournalError as error:
            # A journal that fails half-way, such as on a full disk, is not a mistake of the user's.
            raise Failure(str(error), SOME_FAILED if job.report.requests else USAGE) from error
    report = job.report
    if stopping.was_asked and report.finished_at is None:
        raise Failure(_how_to_resume(report, source, is_kept=is_kept), INTERRUPTED)
    code = _print_report(
        report, verb, openings, is_quiet=connection.quiet, is_data=output != "table"
    )
    if is_partial:
        raise Failure(
            f"the job of {source.journal} has not finished: accounts that were never read, if any, "
            "are left out, and so are deferred and pending ones; repeat the whole command without "
            "--failed-only"
        )
    return code


def _print_report(
    report: Report, verb: str, openings: Openings, *, is_quiet: bool, is_data: bool
) -> int:
    """Print how the job called *verb* has ended, and return the exit code.

    Args:
        report: What the job has done.
        verb: Its name.
        openings: When its deferred accounts are possible.
        is_quiet: Whether nothing is printed of a job whose accounts are all done.
        is_data: Whether standard output belongs to the outcomes.
    """
    code = SOME_FAILED if report.failed or report.unfinished else OK
    is_worth_a_line = code != OK or report.pending or report.deferred
    # A dry run is asked for its report.
    if is_quiet and not is_worth_a_line and not report.dry_run:
        return code
    if report.found_finished and not is_quiet:
        click.echo(_nothing_to_do(report, verb), err=True)
    # The results own stdout; where there are none to print, the summary is the result.
    click.echo(openings.added_to(report), err=is_data)
    return code


def source_of(options: dict[str, Any]) -> Source:
    """Take what names the accounts out of the *options* of a command."""
    return Source(**{field.name: options.pop(field.name) for field in attrs.fields(Source)})


def _check_name(options: dict[str, Any]) -> None:
    job, since = options["job"], options["since"]
    if job is not None and since is None:
        raise click.UsageError(
            f"--job {job} needs --since INSTANT, the time before which nothing of this job was "
            "sent: without it a name that is used again within a day would do nothing"
        )
    if since is not None and job is None:
        raise click.UsageError(f"--since {since.isoformat()} belongs to --job NAME")


def _check_tenants(accounts: object, options: dict[str, Any]) -> None:
    if isinstance(accounts, Tenants):
        return
    if options["shard"] is not None:
        number, count = options["shard"]
        raise click.UsageError(f"--shard {number}/{count} needs --tenants FILE")
    if options["total_rate"] is not None:
        raise click.UsageError(
            f"--total-rate {options['total_rate']:g} needs --tenants FILE; --max-rate is for "
            "the accounts of one key"
        )


def _nothing_to_do(report: Report, verb: str) -> str:
    finished = "" if report.finished_at is None else f"{report.finished_at:%Y-%m-%d %H:%M} UTC"
    return (
        f"fcasync: nothing to do: this job finished at {finished}; "
        f"to {verb} again, name a new journal"
    )


def outcome_row(outcome: Outcome) -> dict[str, Any]:
    """Return *outcome* as it is printed."""
    return {
        **outcome.to_dict(),
        "account": None if outcome.account is None else as_json(outcome.account),
    }


def _how_to_resume(report: Report, source: Source, *, is_kept: bool) -> str:
    stopped = f"stopped with {report.total} done"
    if not is_kept:
        return f"{stopped}; without --journal a new run starts over"
    missing = ["the same input"] if "-" in (source.file, source.tenants) else []
    return f"{stopped}; to resume, {same_command(sys.argv[1:], missing=missing)}"
