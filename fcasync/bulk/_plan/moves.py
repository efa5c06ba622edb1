"""What several decisions of the plan have in common."""

import attrs

from fcasync.bulk._outcome import OutcomeStatus
from fcasync.bulk._plan.commands import (
    Command,
    Enqueue,
    Finish,
    Forget,
    Settle,
    Store,
)
from fcasync.bulk._plan.task import Job, Now, State, Task
from fcasync.bulk._plan.verdicts import ACCEPTED, CLOCK_SLACK, FRESH, Verdict, is_fresh
from fcasync.errors import APIStatusError, FCError


def judge(job: Job, task: Task, now: Now) -> Finish | Settle | None:
    """Finish if the account at hand says that nothing can, or need, be done."""
    if task.account is None:
        return None
    if job.verb.is_under_way(job.features, task.account):
        return accept(job, task, "already_pending")
    verdict = job.verb.precheck(job.features, task.account, now.earliest)
    if job.max_age is not None and (verdict is None or verdict.status == OutcomeStatus.DEFERRED):
        since = now.latest - job.max_age
        verdict = FRESH if is_fresh(job.features, task.account, since) else verdict
    return None if verdict is None else finish(task, verdict)


def may_have_run(job: Job, task: Task) -> bool:
    """Return whether the account at hand does not rule out that the request was carried out."""
    since = task.sent_at - CLOCK_SLACK
    account = task.account
    return account is None or job.verb.has_run(job.features, account, since)


def accept(job: Job, task: Task, reason: str | None = None) -> Finish | Settle:
    """Finish what Stripe has accepted, or wait for its bank."""
    assert task.account is not None  # noqa: S101 - only an account shows that it was accepted
    # From here on the key is of no interest, and the refresh that it started is.
    task.sent_at = job.verb.began(job.features, task.account, task.sent_at)
    verdict = job.verb.settled(job.features, task.account, task.sent_at)
    if verdict is None and job.wait:
        task.state = State.SETTLING
        return Settle()
    verdict = verdict or ACCEPTED
    if reason and not verdict.reason:
        verdict = attrs.evolve(verdict, reason=reason)
    return finish(task, verdict)


def renew(task: Task, now: Now) -> Command:
    """Go on with a new key: the old one is spent, and nothing came of it."""
    task.generation += 1
    # Only failures count: a key that has merely expired says nothing against the next one.
    task.renewals += task.failed_at is not None
    if not task.is_suspect:
        task.sent_at = now.earliest
    task.failed_at, task.strikes = None, 0
    task.state = State.OPEN
    return Store()


def queue_up(task: Task) -> Command:
    """Let the task have its turn."""
    task.state = State.OPEN
    return Enqueue()


def forget(task: Task) -> Command:
    """Leave alone what is finished already."""
    task.state = State.DONE
    return Forget()


def fail(task: Task, error: FCError | None, reason: str, *, is_certain: bool = True) -> Command:
    """Finish as failed; *is_certain* if nothing of it can have been carried out."""
    task.error, task.is_certain = error, is_certain
    return finish(task, Verdict(OutcomeStatus.FAILED, reason))


def finish(task: Task, verdict: Verdict) -> Finish:
    """Finish with *verdict*."""
    task.state, task.verdict = State.DONE, verdict
    if verdict.status is not OutcomeStatus.FAILED:
        task.error = None
    return Finish()


def word(error: FCError) -> str:
    """Return the word to count an error by: Stripe's code or type, else the class."""
    if isinstance(error, APIStatusError):
        return error.code or error.type or f"status_{error.status}"
    return type(error).__name__
