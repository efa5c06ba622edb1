"""``fcasync journal``: what a bulk job has done, without running it."""

from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import attrs
import click

from fcasync.bulk import OutcomeStatus, read_journal
from fcasync.bulk._journal.header import MANY, Header, Standing
from fcasync.bulk._journal.merge import merge as merge_journals
from fcasync.bulk._journal.rows import read_unfinished
from fcasync.bulk._journal.sqlite import read_job
from fcasync.cli._bulk import OUTCOME_COLUMNS, OUTCOME_FIELDS, outcome_row
from fcasync.cli._command import Group
from fcasync.cli._common import USAGE, Failure
from fcasync.cli._connection import quiet_option
from fcasync.cli._journal_file import check_journal
from fcasync.cli._openings import Openings
from fcasync.cli._outcomes import Failures
from fcasync.cli._output import output_option, writer
from fcasync.errors import FCError


@click.group(cls=Group)
def journal() -> None:
    """Journals of bulk jobs."""


@journal.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@output_option
@quiet_option
def show(files: tuple[str, ...], output: str, is_quiet: bool) -> None:
    """Show what a job has done.

    Of a job with shards, name the journals of all. The table has counts and the first failures;
    --output json, jsonl and csv print the outcome of every account, and "unfinished" for those that
    have none. The job must not be running.
    """
    with _journals(files):
        if output == "table":
            _show_summary([Path(file) for file in files])
        else:
            _show_accounts(files, output)


@journal.command()
@click.argument("files", nargs=-1, required=True, type=click.Path(), metavar="FILE...")
@click.option(
    "--into", required=True, type=click.Path(), metavar="FILE", help="The journal to make."
)
@quiet_option
def merge(files: tuple[str, ...], into: str, is_quiet: bool) -> None:
    """Write the journals of a job's shards into one.

    It can be resumed like any other. The shards must be of one job: with the same --job and
    --since.
    """
    with _journals(files):
        count = merge_journals([Path(file) for file in files], Path(into))
    if not is_quiet:
        click.echo(f"fcasync: {into}: {count} accounts of {len(files)} journals", err=True)


@contextmanager
def _journals(files: tuple[str, ...]) -> Iterator[None]:
    """Check that *files* may be journals, and say in a sentence which one cannot be used."""
    for file in files:
        check_journal(file)
    try:
        yield
    except FCError as error:
        raise Failure(str(error), USAGE) from error


@attrs.define
class _Summary:
    """What the journals of a job have in them."""

    header: Header
    standings: list[Standing] = attrs.Factory(list)
    counts: Counter[str] = attrs.Factory(Counter)
    reasons: Counter[tuple[str, str]] = attrs.Factory(Counter)
    tenants: set[str | None] = attrs.Factory(set)
    failures: Failures = attrs.Factory(Failures)
    openings: Openings = attrs.Factory(Openings)

    def add(self, path: Path) -> None:
        """Count what is in the journal at *path*."""
        header, standing = read_job(path)
        if (header.operation, header.features) != (self.header.operation, self.header.features):
            raise Failure(
                f"{path} is of another job ({header.operation} {header.features}); "
                "pass the journals of one job",
                USAGE,
            )
        self.header = min(self.header, header, key=lambda job: job.created)
        self.standings.append(standing)
        for outcome in read_journal(path):
            self.counts[outcome.status] += 1
            self.tenants.add(outcome.stripe_account)
            if outcome.reason:
                self.reasons[outcome.status, outcome.reason] += 1
            self.openings.add(outcome.available_at)
            if outcome.status == "failed":
                self.failures.write(outcome_row(outcome))

    @property
    def finished_at(self) -> int | None:
        """When the last of them was finished, if all are."""
        ends = [standing.finished_at for standing in self.standings]
        return None if None in ends else max(end for end in ends if end is not None)


def _show_summary(paths: list[Path]) -> None:
    summary = _Summary(read_job(paths[0])[0])
    for path in paths:
        summary.add(path)
    for name, text in _lines(summary):
        click.echo(f"{name:<13} {text}")
    summary.failures.close()


def _lines(summary: _Summary) -> list[tuple[str, str]]:
    header, counts = summary.header, summary.counts
    account = f" for {_whom(summary)}" if header.stripe_account else ""
    shards = len(summary.standings)
    lines = [
        ("job", f"{header.operation} {header.features}".strip() + account),
        ("began", _when(header.created)),
        ("finished", "no" if summary.finished_at is None else _when(summary.finished_at)),
    ]
    for status in _ORDER:
        why = [f"{n} {word}" for (of, word), n in sorted(summary.reasons.items()) if of == status]
        opens = summary.openings if status == OutcomeStatus.DEFERRED else ""
        if count := counts[status]:
            lines.append((status, f"{count}{' (' + ', '.join(why) + ')' if why else ''}{opens}"))
    rows = sum(standing.rows for standing in summary.standings)
    lines.append(("unfinished", str(rows - counts.total())))
    return [*lines, ("journals", str(shards))] if shards > 1 else lines


_ORDER: Final = ("accepted", "succeeded", "skipped", "deferred", "pending", "failed")
"""Statuses as the report of a job has them: what is well comes first."""


def _whom(summary: _Summary) -> str | None:
    if summary.header.stripe_account != MANY:
        return summary.header.stripe_account
    return f"{len(summary.tenants)} connected accounts"


def _when(unix: int) -> str:
    return f"{datetime.fromtimestamp(unix, UTC):%Y-%m-%d %H:%M} UTC"


def _show_accounts(files: Iterable[str], output: str) -> None:
    out = writer(output, OUTCOME_COLUMNS, OUTCOME_FIELDS)
    for file in files:
        for outcome in read_journal(file):
            out.write(_without_account(outcome_row(outcome)))
        for row in read_unfinished(file):
            known = {"account_id": row.account_id, "stripe_account": row.stripe_account or None}
            out.write({**_UNFINISHED, **known})
    out.close()


_UNFINISHED = {"status": "unfinished", "reason": None, "attempts": 0, "error": None}


def _without_account(row: dict[str, Any]) -> dict[str, Any]:
    """Return *row* without what a journal does not hold."""
    return {name: value for name, value in row.items() if name not in ("account", "again")}
