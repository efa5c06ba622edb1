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
local clocks allow. When the server's clock is set back during a run, the intents at hand are dated
back by as much, so that none of them looks newer than it is. An intent from the future is looked
behind as well, and keeps its key if nothing is seen: the clock was set back, and no day has passed.
In the last minute before the edge nothing is sent: by the time that the account is fetched, a
request that an earlier process sent at the last moment has ended.

*A stored failure is looked behind.* A 500 is stored under its key as well, and every repeat gets it
again, whether or not the work had been done. A 5xx that is marked as replayed, or that comes again
a minute after the first, is therefore answered with the same look, and then, if nothing happened,
with the next generation: at most three of them.

*Finish on disk, then show.* An outcome is committed before the caller sees it, so no caller acts
on something that a restart would forget. It stays there as unacknowledged until the caller asks for
the next one, so a restart shows it again rather than never.

How an account ends
-------------------

It must not matter whether an account was named by its id or came as an object, nor how often the
job was killed. So a refusal is looked behind with one GET, and judged as an object at hand would
have been: skipped, deferred or failed. What nobody can know is not claimed: a look that is itself
refused leaves the outcome uncertain, and a refresh is *accepted*, not succeeded, until the bank has
answered. Only ``last_attempted_at`` shows whether it has: it must not be before that of the refresh
that was accepted, so a page that was computed earlier, or an event that comes late, ends no wait.

A job with ``max_age`` fetches an account that it knows by its id alone before it sends anything
(*asking*), and skips it if it is fresh. A connected account that has taken its access away is
*barred*: what of it was not finished fails as denied, and may have been sent, so its key is kept.

What cannot be seen from the outside is another party that refreshes the same account in between:
a look takes its refresh for ours. The account is then as fresh as this job would have made it.

A journal whose end was cut off has lost rows, and with them intents. It was not closed, and says
so. Its accounts are *suspect*: one that it does not know may have been sent since the job began,
one that it knows since its row. Their intents are dated back, and all of the above holds for them.
"""

import math
from collections.abc import Callable

from fcasync.bulk._plan import admission, decisions
from fcasync.bulk._plan.commands import Command
from fcasync.bulk._plan.events import (
    Accepted,
    Admitted,
    Barred,
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
from fcasync.bulk._plan.task import Job, Now, State, Task

NEW, ASKING, OPEN, SENDING, LOOKING, JUDGING, SETTLING, DONE = State

TABLE: dict[State, dict[type, tuple[Callable[..., Command], set[State]]]] = {
    # state: {event: (what decides, the states that it may lead to)}
    NEW: {Admitted: (admission.admitted, {ASKING, OPEN, SETTLING, DONE})},
    ASKING: {
        Due: (decisions.look_again, {ASKING}),
        Seen: (admission.asked, {OPEN, SETTLING, DONE}),
        Unseen: (decisions.unseen, {ASKING, DONE}),
        Refused: (admission.not_to_be_asked, {DONE}),
        Denied: (decisions.denied, {OPEN}),
        Barred: (decisions.barred, {DONE}),
    },
    OPEN: {
        Due: (decisions.due, {OPEN, SENDING, LOOKING}),
        Barred: (decisions.barred, {DONE}),
    },
    SENDING: {
        Accepted: (decisions.accepted, {SETTLING, DONE}),
        Limited: (decisions.limited, {OPEN}),
        Lost: (decisions.lost, {OPEN, DONE}),
        Broken: (decisions.broken, {OPEN, LOOKING, DONE}),
        Refused: (decisions.refused, {JUDGING, DONE}),
        Denied: (decisions.denied, {OPEN}),
    },
    LOOKING: {
        Due: (decisions.look_again, {LOOKING}),
        Seen: (decisions.seen, {OPEN, SETTLING, DONE}),
        Unseen: (decisions.unseen, {LOOKING, DONE}),
        Refused: (decisions.not_there, {DONE}),
        Denied: (decisions.denied, {OPEN}),
        Barred: (decisions.barred, {DONE}),
    },
    JUDGING: {
        Due: (decisions.look_again, {JUDGING}),
        Seen: (decisions.judged, {SETTLING, DONE}),
        Unseen: (decisions.unjudged, {JUDGING, DONE}),
        Refused: (decisions.not_judged, {DONE}),
        Denied: (decisions.denied, {OPEN}),
        Barred: (decisions.not_judged, {DONE}),
    },
    SETTLING: {
        Seen: (decisions.settling, {SETTLING, DONE}),
        TimedOut: (decisions.timed_out, {DONE}),
    },
    DONE: {},
}


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


def date_back(task: Task, seconds: float) -> None:
    """Date the intent of *task* back: the server's clock was set back by so many seconds."""
    task.sent_at = math.floor(task.sent_at - seconds)
