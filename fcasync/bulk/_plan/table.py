"""What to do about one account of a bulk job: events in, commands out, no I/O.

Why every account is refreshed exactly once
-------------------------------------------

The process may be killed between any two instructions, requests and answers may be lost, and
Stripe may fail before or after it has done the work. Four rules hold against all of that.

*Write, then send.* Before the first request for an account leaves, the journal holds its intent:
the generation of its idempotency key and the server's time. After any crash it is therefore known
of every account whether it may have been sent, and when at the earliest. The key itself is computed
from the job's id, the account, the operation, the features and the generation, so the next process
sends the same key. Stripe answers a key that it knows with the stored result: sending again is
harmless, and is how we learn what became of the first time.

*A key is good for 23 hours.* Stripe forgets keys after 24. An intent older than that is never sent
again blindly: the account itself is fetched. A refresh leaves ``last_attempted_at`` behind; if that
is not before the intent (less 300 s, for clocks and for the second that dates are rounded to), the
request was carried out. If it is before, it was not, and no longer will be: the next *generation*
gets a new key, with an intent of its own on disk before it is sent. The age is measured between
two ``Date`` headers of the server; an intent is dated as early, and its age taken as long, as the
local clocks allow. A server whose clock went backwards tells nothing: that counts as expired.

*A stored failure is looked behind.* A 500 is stored under its key as well, and every repeat gets it
again, whether or not the work had been done. A 5xx that is marked as replayed, or that comes again
a minute after the first, is therefore answered with the same look, and then, if nothing happened,
with the next generation: at most three of them.

*Finish on disk, then show.* An outcome is committed before the caller sees it, so no caller acts
on something that a restart would forget.

What cannot be told from the outside is another party that refreshes the same account in between:
a look takes its refresh for ours. The account is then as fresh as this job would have made it.

A journal whose end was cut off has lost rows, and with them intents. It was not closed, and says
so. Its accounts are *suspect*: one that it does not know may have been sent since the job began,
one that it knows since its row. Their intents are dated back, and all of the above holds for them.
"""

from collections.abc import Callable

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
    Broken,
    Denied,
    Due,
    Event,
    Limited,
    Lost,
    Refused,
    Seen,
    TimedOut,
    Unseen,
)
from fcasync.bulk._plan.keys import idempotency_key
from fcasync.bulk._plan.task import Job, Now, Row, State, Task
from fcasync.bulk._plan.verdicts import Verdict, settled
from fcasync.errors import APIStatusError, FCError, IdempotencyError

KEY_LIFETIME = 23 * 3600
"""Stripe removes keys after at least 24 hours (https://docs.stripe.com/api/idempotent_requests)."""
CLOCK_SLACK = 300
"""Dates of one server may differ by this much, in seconds."""
STORED_AFTER = 60
"""A 5xx that comes again after so many seconds will come for ever."""
MAX_RENEWALS = 3
MAX_STRIKES = 12
"""Failures of one key before it is given up: about two minutes of backoff."""
FIRST_WAIT = 0.5
LONGEST_WAIT = 30.0


def step(job: Job, task: Task, event: Event, now: Now) -> Command:
    """Take note of *event* in *task* and return what to do next.

    Raises:
        AssertionError: The event cannot happen in the task's state, or led to a state that the
            table does not name; the caller or the plan is broken.
    """
    before = task.state
    if type(event) not in TABLE[before]:
        raise AssertionError(f"{type(event).__name__} cannot happen to a task in {before}")
    decide, targets = TABLE[before][type(event)]
    command = decide(job, task, event, now)
    if task.state not in targets:
        raise AssertionError(f"{type(event).__name__} does not lead from {before} to {task.state}")
    return command


def _admitted(job: Job, task: Task, event: Admitted, now: Now) -> Command:
    if event.row is None:
        return _begin(job, task, now)
    task.generation, task.sent_at = event.row.generation, event.row.sent_at
    return _resume(job, task, event.row, now)


def _resume(job: Job, task: Task, row: Row, now: Now) -> Command:
    match row.status:
        case "open":
            return _open(task)
        case "accepted" | "pending" if job.wait:
            task.state = State.SETTLING
            return Settle()
        case "accepted":
            return _finish(task, Verdict(OutcomeStatus.SUCCEEDED))
        case "deferred":
            return _judge(job, task, now) or _renew(task, now)
        case "failed" if job.retry_failed:
            return _renew(task, now) if row.is_certain else _open(task)
        case _:
            task.state = State.DONE
            return Forget()


def _begin(job: Job, task: Task, now: Now) -> Command:
    if task.is_suspect and _may_have_run(job, task):
        return _open(task)
    if task.account is not None and job.verb.is_under_way(job.features, task.account):
        return _accept(job, task, "already_pending")
    return _judge(job, task, now) or _open(task)


def _may_have_run(job: Job, task: Task) -> bool:
    since = task.sent_at - CLOCK_SLACK
    account = task.account
    return account is None or job.verb.has_run(job.features, account, since)


def _judge(job: Job, task: Task, now: Now) -> Finish | None:
    """Finish at once if the account at hand says that nothing can be done."""
    if task.account is None:
        return None
    verdict = job.verb.precheck(job.features, task.account, now.earliest)
    return None if verdict is None else _finish(task, verdict)


def _open(task: Task) -> Command:
    task.state = State.OPEN
    return Enqueue()


def _due(job: Job, task: Task, event: Due, now: Now) -> Command:
    age = now.latest - task.sent_at
    if age >= KEY_LIFETIME or age < -CLOCK_SLACK:
        task.state = State.LOOKING
        return Look()
    task.state = State.SENDING
    return Send(
        idempotency_key(job.id, task.account_id, job.verb.name, job.features, task.generation)
    )


def _look_again(job: Job, task: Task, event: Due, now: Now) -> Command:
    return Look()


def _accepted(job: Job, task: Task, event: Accepted, now: Now) -> Command:
    task.attempts += 1
    task.account, task.replayed = event.account, event.replayed
    return _accept(job, task)


def _accept(job: Job, task: Task, reason: str | None = None) -> Command:
    assert task.account is not None  # noqa: S101 - only an account can tell that it was accepted
    verdict = settled(job.features, task.account) if job.wait else None
    if job.wait and verdict is None:
        task.state = State.SETTLING
        return Settle()
    return _finish(task, verdict or Verdict(OutcomeStatus.SUCCEEDED, reason))


def _limited(job: Job, task: Task, event: Limited, now: Now) -> Command:
    task.state = State.OPEN
    if event.reason == "resource-specific":
        # This account is locked, and the others are not: let them pass.
        return EnqueueAfter(1.0 + now.draw)
    return EnqueueFirst()


def _lost(job: Job, task: Task, event: Lost, now: Now) -> Command:
    task.attempts += 1
    task.state = State.OPEN
    return _again(task, event.error, now)


def _broken(job: Job, task: Task, event: Broken, now: Now) -> Command:
    if task.failed_at is None:
        task.failed_at = now.earliest
    if event.replayed or now.earliest - task.failed_at >= STORED_AFTER:
        task.attempts += 1
        task.error = event.error
        task.state = State.LOOKING
        return Enqueue()
    return _lost(job, task, Lost(event.error), now)


def _refused(job: Job, task: Task, event: Refused, now: Now) -> Command:
    task.attempts += 1
    # A key that was used with other parameters tells nothing about what those did.
    is_certain = not isinstance(event.error, IdempotencyError)
    return _fail(task, event.error, _word(event.error), is_certain=is_certain)


def _denied(job: Job, task: Task, event: Denied, now: Now) -> Command:
    task.state = State.OPEN
    return Abort(event.error)


def _seen(job: Job, task: Task, event: Seen, now: Now) -> Command:
    task.account, task.is_suspect = event.account, False
    if _may_have_run(job, task):
        return _accept(job, task, "had_run")
    if finish := _judge(job, task, now):
        return finish
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


def _unseen(job: Job, task: Task, event: Unseen, now: Now) -> Command:
    return _again(task, event.error, now)


def _not_there(job: Job, task: Task, event: Refused, now: Now) -> Command:
    return _fail(task, event.error, _word(event.error))


def _again(task: Task, error: FCError, now: Now) -> Command:
    """Wait and go on in the same state; full jitter, as in the client's own retries."""
    task.strikes += 1
    task.error = error
    if task.strikes >= MAX_STRIKES:
        return _fail(task, error, "unconfirmed", is_certain=False)
    return EnqueueAfter(now.draw * min(LONGEST_WAIT, FIRST_WAIT * 2.0 ** (task.strikes - 1)))


def _settling(job: Job, task: Task, event: Seen, now: Now) -> Command:
    verdict = settled(job.features, event.account)
    if verdict is None:
        return Wait()
    task.account = event.account
    return _finish(task, verdict)


def _timed_out(job: Job, task: Task, event: TimedOut, now: Now) -> Command:
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


NEW, OPEN, SENDING, LOOKING, SETTLING, DONE = State

TABLE: dict[State, dict[type, tuple[Callable[..., Command], set[State]]]] = {
    # state: {event: (what decides, the states that it may lead to)}
    NEW: {Admitted: (_admitted, {OPEN, SETTLING, DONE})},
    OPEN: {Due: (_due, {SENDING, LOOKING})},
    SENDING: {
        Accepted: (_accepted, {SETTLING, DONE}),
        Limited: (_limited, {OPEN}),
        Lost: (_lost, {OPEN, DONE}),
        Broken: (_broken, {OPEN, LOOKING, DONE}),
        Refused: (_refused, {DONE}),
        Denied: (_denied, {OPEN}),
    },
    LOOKING: {
        Due: (_look_again, {LOOKING}),
        Seen: (_seen, {OPEN, SETTLING, DONE}),
        Unseen: (_unseen, {LOOKING, DONE}),
        Refused: (_not_there, {DONE}),
        Denied: (_denied, {OPEN}),
    },
    SETTLING: {
        Seen: (_settling, {SETTLING, DONE}),
        TimedOut: (_timed_out, {DONE}),
    },
    DONE: {},
}
