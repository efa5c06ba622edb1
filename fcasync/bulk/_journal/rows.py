"""Tasks as rows of the journal, and both as outcomes."""

from collections.abc import Iterator
from datetime import UTC, datetime
from os import PathLike
from pathlib import Path

from fcasync.bulk._journal import stored_errors
from fcasync.bulk._journal.sqlite import read_rows
from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._plan.task import Row, State, Task
from fcasync.errors import JournalError


def row_of(task: Task, seq: int = 0) -> Row:
    """Return what the journal is to know of *task*, whose outcome has the number *seq*."""
    verdict = task.verdict
    if verdict is None:
        status = "settling" if task.state is State.SETTLING else "open"
        return Row(
            task.account_id,
            status,
            task.generation,
            task.sent_at,
            stripe_account=task.stripe_account,
        )
    available_at = verdict.available_at
    return Row(
        task.account_id,
        verdict.status.value,
        task.generation,
        task.sent_at,
        is_certain=task.is_certain,
        attempts=task.attempts,
        replayed=task.replayed,
        reason=verdict.reason,
        error=stored_errors.dump(task.error),
        available_at=None if available_at is None else int(available_at.timestamp()),
        seq=seq,
        stripe_account=task.stripe_account,
    )


def outcome_of(task: Task) -> Outcome:
    """Return the outcome of a task that is done."""
    verdict = task.verdict
    assert verdict is not None  # noqa: S101 - done
    return Outcome(
        account_id=task.account_id,
        status=verdict.status,
        account=task.account,
        error=task.error,
        reason=verdict.reason,
        attempts=task.attempts,
        replayed=task.replayed,
        available_at=verdict.available_at,
        stripe_account=task.stripe_account or None,
    )


def read_journal(path: str | PathLike[str]) -> Iterator[Outcome]:
    """Yield the outcomes in a journal, in the order of the account ids.

    Accounts that have no outcome yet are left out. ``outcome.account`` is None. A journal that is
    being read is not free for a run: make a list of the ids before handing them to one.

    Args:
        path: The journal of a bulk job that is not running.

    Raises:
        JournalError: There is none at *path*, or it is in use, damaged or not ours.
    """
    statuses = {status.value for status in OutcomeStatus}
    for row in read_rows(Path(path)):
        if row.status in statuses:
            yield outcome_of_row(row, str(path))


def read_unfinished(path: str | PathLike[str]) -> Iterator[Row]:
    """Yield the rows of the accounts in a journal that have no outcome yet.

    Raises:
        JournalError: There is none at *path*, or it is in use, damaged or not ours.
    """
    for row in read_rows(Path(path)):
        if row.status in ("open", "settling"):
            yield row


def outcome_of_row(row: Row, path: str = "", *, again: bool = False) -> Outcome:
    """Return the outcome in *row* of the journal at *path*; *again* if it may have been shown."""
    try:
        error = stored_errors.load(row.error)
    except (TypeError, ValueError) as cause:
        raise JournalError(
            f"{path} holds an error that this version of fcasync does not know", path=path
        ) from cause
    opens = row.available_at
    return Outcome(
        account_id=row.account_id,
        status=OutcomeStatus(row.status),
        error=error,
        reason=row.reason,
        attempts=row.attempts,
        replayed=row.replayed,
        available_at=None if opens is None else datetime.fromtimestamp(opens, UTC),
        again=again,
        stripe_account=row.stripe_account or None,
    )
