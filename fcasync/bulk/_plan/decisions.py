"""What decides in each cell of the plan's table: one function for each event."""

from datetime import UTC, datetime

import attrs

from fcasync.bulk._outcome import OutcomeStatus
from fcasync.bulk._plan.commands import (
    Abort,
    Command,
    Enqueue,
    EnqueueAfter,
    EnqueueFirst,
    Finish,
    Forget,
    Look,
    Send,
    Settle,
    Store,
    Wait,
)
from fcasync.bulk._plan.events import (
    Accepted,
    Admitted,
    Barred,
    Broken,
    Denied,
    Due,
    Limited,
    Lost,
    Refused,
    Seen,
    TimedOut,
    Unseen,
)
from fcasync.bulk._plan.keys import idempotency_key
from fcasync.bulk._plan.task import Job, Now, Row, State, Task
from fcasync.bulk._plan.verdicts import ACCEPTED, CLOCK_SLACK, DRY_RUN, FRESH, Verdict, is_fresh
from fcasync.errors import APIStatusError, FCError, IdempotencyError, NotFoundError

KEY_LIFETIME = 23 * 3600
"""Stripe removes keys after at least 24 hours (https://docs.stripe.com/api/idempotent_requests)."""
EDGE = 60
"""Seconds before the end of a key's life in which it is not sent any more."""
STORED_AFTER = 60
"""A 5xx that comes again after so many seconds will come for ever."""
MAX_RENEWALS = 3
MAX_STRIKES = 12
"""Failures of one key before it is given up: about two minutes of backoff."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


def admitted(job: Job, task: Task, event: Admitted, now: Now) -> Command:
    if event.row is None:
        return _begin(job, task, now)
    if event.row.seq > job.seq:
        # The source named it twice, and this very run has finished it.
        return _forget(task)
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
            return _open(task)
        case "settling" | "accepted" | "pending" if job.wait:
            task.state = State.SETTLING
            return Settle()
        case "settling":
            return _finish(task, ACCEPTED)
        case "deferred":
            return _judge(job, task, now) or _still_deferred(task, row, now) or _renew(task, now)
        case "failed" if job.retry_failed:
            return _renew(task, now) if row.is_certain else _open(task)
        case _:
            return _forget(task)


def _forget(task: Task) -> Command:
    task.state = State.DONE
    return Forget()


def _still_deferred(task: Task, row: Row, now: Now) -> Finish | None:
    """Finish an account that is known by its id alone, and whose time has not come."""
    opens = row.available_at
    if task.account is not None or opens is None or opens <= now.earliest:
        return None
    return _finish(task, Verdict.too_early(datetime.fromtimestamp(opens, UTC)))


def _begin(job: Job, task: Task, now: Now) -> Command:
    if task.is_suspect and _may_have_run(job, task):
        return _open(task)
    if decided := _judge(job, task, now):
        return decided
    if job.dry_run:
        return _finish(task, DRY_RUN)
    if job.max_age is not None and task.account is None:
        task.state = State.ASKING
        return Enqueue()
    return _open(task)


def asked(job: Job, task: Task, event: Seen, now: Now) -> Command:
    task.account = event.account
    return _judge(job, task, now) or _open(task)


def not_to_be_asked(job: Job, task: Task, event: Refused, now: Now) -> Command:
    return _fail(task, event.error, _word(event.error))


def _may_have_run(job: Job, task: Task) -> bool:
    since = task.sent_at - CLOCK_SLACK
    account = task.account
    return account is None or job.verb.has_run(job.features, account, since)


def _judge(job: Job, task: Task, now: Now) -> Finish | Settle | None:
    """Finish if the account at hand says that nothing can, or need, be done."""
    if task.account is None:
        return None
    if job.verb.is_under_way(job.features, task.account):
        return _accept(job, task, "already_pending")
    verdict = job.verb.precheck(job.features, task.account, now.earliest)
    if job.max_age is not None and (verdict is None or verdict.status == OutcomeStatus.DEFERRED):
        since = now.latest - job.max_age
        verdict = FRESH if is_fresh(job.features, task.account, since) else verdict
    return None if verdict is None else _finish(task, verdict)


def _open(task: Task) -> Command:
    task.state = State.OPEN
    return Enqueue()


def due(job: Job, task: Task, event: Due, now: Now) -> Command:
    age = now.latest - task.sent_at
    if age >= KEY_LIFETIME or age < -CLOCK_SLACK:
        task.state = State.LOOKING
        return Look()
    if age > KEY_LIFETIME - EDGE:
        return EnqueueAfter(max(KEY_LIFETIME - age, 1.0))
    task.state = State.SENDING
    return Send(
        idempotency_key(
            job.id,
            task.account_id,
            job.verb.name,
            job.features,
            task.generation,
            task.stripe_account,
        )
    )


def look_again(job: Job, task: Task, event: Due, now: Now) -> Command:
    return Look()


def accepted(job: Job, task: Task, event: Accepted, now: Now) -> Command:
    task.attempts += 1
    task.account, task.replayed = event.account, event.replayed
    return _accept(job, task)


def _accept(job: Job, task: Task, reason: str | None = None) -> Finish | Settle:
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
    return _finish(task, verdict)


def limited(job: Job, task: Task, event: Limited, now: Now) -> Command:
    task.state = State.OPEN
    if event.reason == "resource-specific":
        # This account is locked, and the others are not: let them pass.
        return EnqueueAfter(1.0 + now.draw)
    return EnqueueFirst()


def lost(job: Job, task: Task, event: Lost | Broken, now: Now) -> Command:
    task.attempts += 1
    task.state = State.OPEN
    return _again(task, event.error, now, is_outage=event.is_outage)


def broken(job: Job, task: Task, event: Broken, now: Now) -> Command:
    if task.failed_at is None:
        task.failed_at = now.earliest
    if event.replayed or now.earliest - task.failed_at >= STORED_AFTER:
        task.attempts += 1
        task.error = event.error
        task.state = State.LOOKING
        return Enqueue()
    return lost(job, task, event, now)


def refused(job: Job, task: Task, event: Refused, now: Now) -> Command:
    task.attempts += 1
    task.refusal = event.error
    if isinstance(event.error, NotFoundError | IdempotencyError):
        return _fail_as_refused(task)
    task.state = State.JUDGING
    return Enqueue()


def _fail_as_refused(task: Task) -> Command:
    assert task.refusal is not None  # noqa: S101 - refused
    # A key that was used with other parameters says nothing about what those did.
    is_certain = not isinstance(task.refusal, IdempotencyError)
    return _fail(task, task.refusal, _word(task.refusal), is_certain=is_certain)


def judged(job: Job, task: Task, event: Seen, now: Now) -> Command:
    task.account = event.account
    # An earlier generation, or one that a torn journal lost, may have run after all, and be the
    # very reason for the refusal.
    if (task.is_suspect or task.generation) and _may_have_run(job, task):
        return _accept(job, task, "had_run")
    return _judge(job, task, now) or _fail_as_refused(task)


def unjudged(job: Job, task: Task, event: Unseen, now: Now) -> Command:
    task.strikes += not event.is_outage
    return _fail_as_refused(task) if task.strikes >= MAX_STRIKES else _backed_off(task, now)


def not_judged(job: Job, task: Task, event: Refused | Barred, now: Now) -> Command:
    return _fail_as_refused(task)


def denied(job: Job, task: Task, event: Denied, now: Now) -> Command:
    task.state = State.OPEN
    return Abort(event.error)


def barred(job: Job, task: Task, event: Barred, now: Now) -> Command:
    # It may have been sent before the door was closed.
    return _fail(task, event.error, "denied", is_certain=False)


def seen(job: Job, task: Task, event: Seen, now: Now) -> Command:
    task.account, task.is_suspect = event.account, False
    if _may_have_run(job, task):
        return _accept(job, task, "had_run")
    if finish := _judge(job, task, now):
        return finish
    if task.sent_at - now.latest > CLOCK_SLACK:
        # The server's clock was set back, and how long ago is unknown: Stripe goes by its own time,
        # and still knows the key unless that was more than a day ago.
        task.sent_at, task.state = now.earliest, State.OPEN
        return Store()
    if task.failed_at is not None and task.renewals == MAX_RENEWALS:
        return _fail(task, task.error, "stored_error")
    return _renew(task, now)


def _renew(task: Task, now: Now) -> Command:
    """Go on with a new key: the old one is spent, and nothing came of it."""
    task.generation += 1
    # Only failures count: a key that has merely expired says nothing against the next one.
    task.renewals += task.failed_at is not None
    if not task.is_suspect:
        task.sent_at = now.earliest
    task.failed_at, task.strikes = None, 0
    task.state = State.OPEN
    return Store()


def unseen(job: Job, task: Task, event: Unseen, now: Now) -> Command:
    return _again(task, event.error, now, is_outage=event.is_outage)


def not_there(job: Job, task: Task, event: Refused, now: Now) -> Command:
    # What cannot be fetched may have been refreshed all the same.
    return _fail(task, event.error, _word(event.error), is_certain=False)


def _again(task: Task, error: FCError, now: Now, *, is_outage: bool = False) -> Command:
    """Wait and go on in the same state."""
    task.error = error
    # While nobody gets an answer, failing says nothing about this account.
    task.strikes += not is_outage
    if task.strikes >= MAX_STRIKES:
        return _fail(task, error, "unconfirmed", is_certain=False)
    return _backed_off(task, now)


def _backed_off(task: Task, now: Now) -> Command:
    """Full jitter, as in the client's own retries."""
    doubled = FIRST_WAIT * 2.0 ** max(task.strikes - 1, 0)
    return EnqueueAfter(now.draw * min(LONGEST_WAIT, doubled))


def settling(job: Job, task: Task, event: Seen, now: Now) -> Command:
    verdict = job.verb.settled(job.features, event.account, task.sent_at)
    if verdict is None:
        return Wait()
    task.account = event.account
    return _finish(task, verdict)


def timed_out(job: Job, task: Task, event: TimedOut, now: Now) -> Command:
    return _finish(task, Verdict(OutcomeStatus.PENDING, "not_settled"))


def _fail(task: Task, error: FCError | None, reason: str, *, is_certain: bool = True) -> Command:
    task.error, task.is_certain = error, is_certain
    return _finish(task, Verdict(OutcomeStatus.FAILED, reason))


def _finish(task: Task, verdict: Verdict) -> Finish:
    task.state, task.verdict = State.DONE, verdict
    if verdict.status is not OutcomeStatus.FAILED:
        task.error = None
    return Finish()


def _word(error: FCError) -> str:
    """Return the word to count an error by: Stripe's code or type, else the class."""
    if isinstance(error, APIStatusError):
        return error.code or error.type or f"status_{error.status}"
    return type(error).__name__
