"""``fcasync refresh``: the bulk job."""

import asyncio
import shlex
import shutil
import signal
import sys
from pathlib import Path
from typing import Any, Protocol

import click

from fcasync.bulk import BulkRun, Outcome, Report
from fcasync.cli._command import Command
from fcasync.cli._common import INTERRUPTED, OK, SOME_FAILED, Failure, features_option, runs_async
from fcasync.cli._connection import Connection, connection_options
from fcasync.cli._output import as_json, output_option, writer
from fcasync.cli._place import Place
from fcasync.cli._progress import shown
from fcasync.cli._source import Source
from fcasync.cli._table import Column
from fcasync.cli._values import duration, instant, shard

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
@click.argument("ids", nargs=-1, metavar="[IDS]...")
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
    help="File of connected accounts, or JSON lines with stripe_account and accounts (- for "
    "stdin); all their accounts are refreshed, each at its own rate.",
)
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
@click.option(
    "--concurrency",
    type=click.IntRange(min=1),
    default=256,
    show_default=True,
    metavar="N",
    help="Most requests in flight.",
)
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
@click.option(
    "--max-age",
    callback=duration,
    metavar="AGE",
    help="Skip what was refreshed successfully more recently, such as 12h, 30m or 90 (seconds).",
)
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
                await _print_outcomes(run, output)
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


async def _print_outcomes(run: BulkRun, output: str) -> None:
    out = _Failures() if output == "table" else writer(output, OUTCOME_COLUMNS, OUTCOME_FIELDS)
    async for outcome in run:
        out.write(outcome_row(outcome))
        # Asking for the next outcome acknowledges this one: it must be out by then.
        sys.stdout.flush()
    out.close()


class _Failures:
    """The first failed outcomes, printed on stderr before the summary instead of all outcomes."""

    SHOWN = 10

    def __init__(self) -> None:
        self._sentences: list[str] = []
        self._count = 0

    def write(self, row: dict[str, Any]) -> None:
        if row["status"] != "failed":
            return
        self._count += 1
        if self._count <= self.SHOWN:
            self._sentences.append(f"{row['account_id']}: {row['error'] or row['reason']}")

    def close(self) -> None:
        if more := self._count - len(self._sentences):
            self._sentences.append(f"{more} more failed; --output jsonl shows each account")
        for sentence in self._sentences:
            click.echo(f"fcasync: {sentence}", err=True)


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


class Job(Protocol):
    """A run that can be stopped in good order."""

    def stop(self) -> bool:
        """Stop; return whether it was at work."""


class Stopping:
    """Ends the job on SIGTERM as on Ctrl-C: what is finished is written and printed first."""

    SIGNALS = (signal.SIGINT, signal.SIGTERM)

    def __init__(self) -> None:
        self.was_asked: bool = False
        self.job: Job | None = None  # None until there is one
        self._loop, self._task = asyncio.get_running_loop(), asyncio.current_task()
        for number in self.SIGNALS:
            self._loop.add_signal_handler(number, self._stop)

    def _stop(self) -> None:
        self.was_asked = True
        # A second Ctrl-C, even after the loop, would tear the orderly end, which is short, apart.
        signal.pthread_sigmask(signal.SIG_BLOCK, self.SIGNALS)
        for number in self.SIGNALS:
            self._loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_UNBLOCK, self.SIGNALS)
        if (self.job is None or not self.job.stop()) and self._task is not None:
            self._task.cancel()


def _how_to_resume(report: Report, file: str | None, *, is_kept: bool) -> str:
    stopped = f"stopped with {report.total} done"
    if not is_kept:
        return f"{stopped}; without --journal a new run starts over"
    words = sys.argv[1:]
    kept = _without_key(words)
    again = ["--api-key"] if kept != words else []
    again += ["the same input"] if file == "-" else []
    missing = f" (with {' and '.join(again)})" if again else ""
    return f"{stopped}; to resume, run{missing}: {shlex.join([*_program(), *kept])}"


def _program() -> list[str]:
    """Return the words that start this command, as the user typed them."""
    script = Path(sys.argv[0])
    if script.name == "__main__.py":
        return sys.orig_argv[: len(sys.orig_argv) - len(sys.argv) + 1]
    on_path = shutil.which(script.name)
    return [script.name if on_path and script.samefile(on_path) else str(script)]


def _without_key(arguments: list[str]) -> list[str]:
    kept: list[str] = []
    words = iter(arguments)
    for word in words:
        if word == "--api-key":
            next(words, None)
        elif not word.startswith("--api-key="):
            kept.append(word)
    return kept
