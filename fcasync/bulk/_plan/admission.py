"""What to do about an account when the journal has answered, before anything is sent."""

from datetime import UTC, datetime

from fcasync.bulk._outcome import OutcomeStatus
from fcasync.bulk._plan import moves
from fcasync.bulk._plan.commands import (
    Command,
    Enqueue,
    Finish,
    Settle,
)
from fcasync.bulk._plan.events import (
    Admitted,
    Refused,
    Seen,
)
from fcasync.bulk._plan.task import Job, Now, Row, State, Task
from fcasync.bulk._plan.verdicts import ACCEPTED, DRY_RUN, Verdict


def admitted(job: Job, task: Task, event: Admitted, now: Now) -> Command:
    if event.row is None:
        return _begin(job, task, now)
    if event.row.seq > job.seq:
        # The source named it twice, and this very run has finished it.
        return moves.forget(task)
    task.generation, task.sent_at = event.row.generation, event.row.sent_at
    return _resume(job, task, event.row, now)


def over(job: Job) -> frozenset[str]:
    """Return the statuses of rows that this run has nothing to do with any more."""
    again = {"deferred"}
    if job.wait:
        again |= {"accepted", "pending"}
    if job.retry_failed:
        again.add("failed")
    return frozenset(status.value for status in OutcomeStatus) - again


def _resume(job: Job, task: Task, row: Row, now: Now) -> Command:
    match row.status:
        case "open":
            return moves.queue_up(task)
        case "settling" | "accepted" | "pending" if job.wait:
            task.state = State.SETTLING
            return Settle()
        case "settling":
            return moves.finish(task, ACCEPTED)
        case "deferred":
            judged = moves.judge(job, task, now)
            return judged or _still_deferred(task, row, now) or _anew(job, task, now)
        case "failed" if job.retry_failed:
            return _retry(job, task, row, now)
        case _:
            return moves.forget(task)


def _retry(job: Job, task: Task, row: Row, now: Now) -> Command:
    """Take up a failure: what may have been carried out is asked for with the same key."""
    if not row.is_certain:
        return moves.queue_up(task)
    return moves.judge(job, task, now) or _anew(job, task, now)


def _anew(job: Job, task: Task, now: Now) -> Command:
    """Go on, with a new key, with what an earlier run has ended."""
    command = moves.renew(task, now)
    task.begun_with = task.generation
    if job.max_age is not None and task.account is None:
        task.state = State.ASKING
    return command


def _still_deferred(task: Task, row: Row, now: Now) -> Finish | None:
    """Finish an account that is known by its id alone, and whose time has not come."""
    opens = row.available_at
    if task.account is not None or opens is None or opens <= now.earliest:
        return None
    return moves.finish(task, Verdict.too_early(datetime.fromtimestamp(opens, UTC)))


def _begin(job: Job, task: Task, now: Now) -> Command:
    is_in_doubt = task.is_suspect and moves.may_have_run(job, task)
    if not is_in_doubt and (decided := moves.judge(job, task, now)):
        return decided
    if job.dry_run:
        return moves.finish(task, DRY_RUN)
    if job.max_age is not None and task.account is None:
        task.state = State.ASKING
        return Enqueue()
    if job.max_age is not None and is_in_doubt:
        return moves.accept(job, task, "had_run")
    return moves.queue_up(task)


def asked(job: Job, task: Task, event: Seen, now: Now) -> Command:
    task.account = event.account
    if task.is_suspect and moves.may_have_run(job, task):
        # Whoever refreshed it, this job or another, did so after the job began.
        return moves.accept(job, task, "had_run")
    return moves.judge(job, task, now) or moves.queue_up(task)


def not_to_be_asked(job: Job, task: Task, event: Refused, now: Now) -> Command:
    return moves.fail(task, event.error, moves.word(event.error))
