"""What decides in each cell of the plan's table: one function for each event."""

from fcasync.bulk._outcome import OutcomeStatus
from fcasync.bulk._plan import moves
from fcasync.bulk._plan.commands import (
    Abort,
    Command,
    Enqueue,
    EnqueueAfter,
    EnqueueFirst,
    Look,
    Send,
    Store,
    Wait,
)
from fcasync.bulk._plan.events import (
    Accepted,
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
from fcasync.bulk._plan.task import Job, Now, State, Task
from fcasync.bulk._plan.verdicts import CLOCK_SLACK, Verdict
from fcasync.errors import FCError, IdempotencyError, NotFoundError

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
    return moves.accept(job, task)


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
    return moves.fail(task, task.refusal, moves.word(task.refusal), is_certain=is_certain)


def judged(job: Job, task: Task, event: Seen, now: Now) -> Command:
    task.account = event.account
    # An earlier generation whose end is unknown, or one that a torn journal lost, may have run
    # after all, and be the very reason for the refusal.
    is_in_doubt = task.is_suspect or task.generation > task.begun_with
    if is_in_doubt and moves.may_have_run(job, task):
        return moves.accept(job, task, "had_run")
    return moves.judge(job, task, now) or _fail_as_refused(task)


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
    return moves.fail(task, event.error, "denied", is_certain=False)


def seen(job: Job, task: Task, event: Seen, now: Now) -> Command:
    task.account, task.is_suspect = event.account, False
    if moves.may_have_run(job, task):
        return moves.accept(job, task, "had_run")
    if finish := moves.judge(job, task, now):
        return finish
    if task.sent_at - now.latest > CLOCK_SLACK:
        # The server's clock was set back, and how long ago is unknown: Stripe goes by its own time,
        # and still knows the key unless that was more than a day ago.
        task.sent_at, task.state = now.earliest, State.OPEN
        return Store()
    if task.failed_at is not None and task.renewals == MAX_RENEWALS:
        return moves.fail(task, task.error, "stored_error")
    return moves.renew(task, now)


def unseen(job: Job, task: Task, event: Unseen, now: Now) -> Command:
    return _again(task, event.error, now, is_outage=event.is_outage)


def not_there(job: Job, task: Task, event: Refused, now: Now) -> Command:
    # What cannot be fetched may have been refreshed all the same.
    return moves.fail(task, event.error, moves.word(event.error), is_certain=False)


def _again(task: Task, error: FCError, now: Now, *, is_outage: bool = False) -> Command:
    """Wait and go on in the same state."""
    task.error = error
    # While nobody gets an answer, failing says nothing about this account.
    task.strikes += not is_outage
    if task.strikes >= MAX_STRIKES:
        return moves.fail(task, error, "unconfirmed", is_certain=False)
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
    return moves.finish(task, verdict)


def timed_out(job: Job, task: Task, event: TimedOut, now: Now) -> Command:
    return moves.finish(task, Verdict(OutcomeStatus.PENDING, "not_settled"))
