"""``fcasync journal``: what a bulk job has done, without running it."""

from collections import Counter
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from fcasync.bulk import Outcome, read_journal
from fcasync.bulk._journal.header import Header, Standing
from fcasync.bulk._journal.rows import read_unfinished
from fcasync.bulk._journal.sqlite import read_job
from fcasync.cli._common import Failure
from fcasync.cli._output import output_option, writer
from fcasync.cli.refresh import OUTCOME_COLUMNS, outcome_row
from fcasync.errors import FCError

SHOWN = 10
"""Failures that the table names."""


@click.group()
def journal() -> None:
    """Journals of bulk jobs."""


@journal.command()
@click.argument("file")
@output_option
def show(file: str, output: str) -> None:
    """Show what the job of a journal has done.

    The table has counts and the first failures; --output json, jsonl and csv print the outcome of
    every account, and "unfinished" for those that have none. The job must not be running.
    """
    try:
        if output == "table":
            _show_summary(Path(file))
        else:
            _show_accounts(file, output)
    except FCError as error:
        raise Failure(str(error)) from error


def _show_summary(path: Path) -> None:
    header, standing = read_job(path)
    counts: Counter[str] = Counter()
    reasons: Counter[tuple[str, str]] = Counter()
    failures: list[Outcome] = []
    for outcome in read_journal(path):
        counts[outcome.status] += 1
        if outcome.reason:
            reasons[outcome.status, outcome.reason] += 1
        if outcome.status == "failed" and len(failures) < SHOWN:
            failures.append(outcome)
    for name, text in _lines(header, standing, counts, reasons):
        click.echo(f"{name:<13} {text}")
    for outcome in failures:
        click.echo(f"fcasync: {outcome.account_id}: {outcome.error or outcome.reason}", err=True)
    if more := counts["failed"] - len(failures):
        click.echo(f"fcasync: {more} more failed; --output jsonl shows each account", err=True)


def _lines(
    header: Header,
    standing: Standing,
    counts: Counter[str],
    reasons: Counter[tuple[str, str]],
) -> list[tuple[str, str]]:
    what = f"{header.operation} {header.features}".strip()
    account = f" for {header.stripe_account}" if header.stripe_account else ""
    finished = "no" if standing.finished_at is None else _when(standing.finished_at)
    lines = [("job", what + account), ("began", _when(header.created)), ("finished", finished)]
    for status, count in counts.most_common():
        why = [f"{n} {word}" for (of, word), n in reasons.most_common() if of == status]
        lines.append((str(status), f"{count}{' (' + ', '.join(why) + ')' if why else ''}"))
    lines.append(("unfinished", str(standing.rows - counts.total())))
    return lines


def _when(unix: int) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"


def _show_accounts(file: str, output: str) -> None:
    out = writer(output, OUTCOME_COLUMNS)
    for outcome in read_journal(file):
        out.write(_without_account(outcome_row(outcome)))
    for account_id in read_unfinished(file):
        out.write({**_UNFINISHED, "account_id": account_id})
    out.close()


_UNFINISHED = {"status": "unfinished", "reason": None, "attempts": 0, "error": None}


def _without_account(row: dict[str, Any]) -> dict[str, Any]:
    """Return *row* without what a journal does not hold."""
    return {name: value for name, value in row.items() if name not in ("account", "again")}
