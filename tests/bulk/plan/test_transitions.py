"""Every transition of the plan's table, taken once."""

import typing

import attrs
import pytest

from fcasync.bulk._plan import events as e
from fcasync.bulk._plan.decisions import KEY_LIFETIME, MAX_STRIKES
from fcasync.bulk._plan.table import TABLE, step
from fcasync.bulk._plan.task import Job, Row, State
from fcasync.errors import NotFoundError
from tests.bulk.plan.test_plan import (
    BROKEN,
    JOB,
    LOST,
    NOW,
    REFUSED,
    WAITING,
    account,
    at,
    task,
)

NEW, ASKING, OPEN, SENDING, LOOKING, JUDGING, SETTLING, DONE = State
DAY = 86_400
PICKY = attrs.evolve(JOB, max_age=DAY)
GONE = NotFoundError("no such account", status=404)
LAST = {"strikes": MAX_STRIKES - 1}
REFUSAL = {"refusal": REFUSED}
PENDING = account(refresh="pending", attempted=5)
SETTLED = account(refresh="succeeded", attempted=5)

CASES: list[tuple[State, State, Job, e.Event, dict[str, typing.Any]]] = [
    # from, to, job, event, what else is true of the task
    (NEW, OPEN, JOB, e.Admitted(None), {}),
    (NEW, SETTLING, WAITING, e.Admitted(Row("fca_1", "settling", 0, NOW)), {}),
    (NEW, DONE, JOB, e.Admitted(None), {"account": account("inactive")}),
    (NEW, ASKING, PICKY, e.Admitted(None), {}),
    (ASKING, ASKING, PICKY, e.Due(), {}),
    (ASKING, OPEN, PICKY, e.Seen(account()), {}),
    (ASKING, DONE, PICKY, e.Seen(SETTLED), {}),
    (ASKING, SETTLING, attrs.evolve(PICKY, wait=True), e.Seen(PENDING), {}),
    (ASKING, ASKING, PICKY, e.Unseen(LOST), {}),
    (ASKING, DONE, PICKY, e.Unseen(LOST), LAST),
    (ASKING, DONE, PICKY, e.Refused(GONE), {}),
    (ASKING, OPEN, PICKY, e.Denied(REFUSED), {}),
    (ASKING, DONE, PICKY, e.Barred(REFUSED), {}),
    (OPEN, SENDING, JOB, e.Due(), {}),
    (OPEN, OPEN, JOB, e.Due(), {"sent_at": NOW - KEY_LIFETIME + 30}),
    (OPEN, LOOKING, JOB, e.Due(), {"sent_at": NOW - DAY}),
    (OPEN, DONE, JOB, e.Barred(REFUSED), {}),
    (SENDING, SETTLING, WAITING, e.Accepted(PENDING, False), {}),
    (SENDING, DONE, JOB, e.Accepted(PENDING, False), {}),
    (SENDING, OPEN, JOB, e.Limited(), {}),
    (SENDING, OPEN, JOB, e.Lost(LOST), {}),
    (SENDING, DONE, JOB, e.Lost(LOST), LAST),
    (SENDING, OPEN, JOB, e.Broken(BROKEN, False), {}),
    (SENDING, LOOKING, JOB, e.Broken(BROKEN, True), {}),
    (SENDING, DONE, JOB, e.Broken(BROKEN, False), LAST),
    (SENDING, JUDGING, JOB, e.Refused(REFUSED), {}),
    (SENDING, DONE, JOB, e.Refused(GONE), {}),
    (SENDING, OPEN, JOB, e.Denied(REFUSED), {}),
    (LOOKING, LOOKING, JOB, e.Due(), {}),
    (LOOKING, OPEN, JOB, e.Seen(account()), {}),
    (LOOKING, SETTLING, WAITING, e.Seen(PENDING), {}),
    (LOOKING, DONE, JOB, e.Seen(SETTLED), {}),
    (LOOKING, LOOKING, JOB, e.Unseen(LOST), {}),
    (LOOKING, DONE, JOB, e.Unseen(LOST), LAST),
    (LOOKING, DONE, JOB, e.Refused(REFUSED), {}),
    (LOOKING, OPEN, JOB, e.Denied(REFUSED), {}),
    (LOOKING, DONE, JOB, e.Barred(REFUSED), {}),
    (JUDGING, DONE, JOB, e.Barred(REFUSED), REFUSAL),
    (JUDGING, JUDGING, JOB, e.Due(), {}),
    (JUDGING, SETTLING, WAITING, e.Seen(PENDING), REFUSAL),
    (JUDGING, DONE, JOB, e.Seen(account("inactive")), REFUSAL),
    (JUDGING, JUDGING, JOB, e.Unseen(LOST), REFUSAL),
    (JUDGING, DONE, JOB, e.Unseen(LOST), {**LAST, **REFUSAL}),
    (JUDGING, DONE, JOB, e.Refused(GONE), REFUSAL),
    (JUDGING, OPEN, JOB, e.Denied(REFUSED), REFUSAL),
    (SETTLING, SETTLING, WAITING, e.Seen(PENDING), {}),
    (SETTLING, DONE, WAITING, e.Seen(SETTLED), {}),
    (SETTLING, DONE, WAITING, e.TimedOut(), {}),
]


@pytest.mark.parametrize(("before", "after", "job", "event", "facts"), CASES)
def test_an_event_leads_where_the_table_says(
    before: State, after: State, job: Job, event: e.Event, facts: dict[str, typing.Any]
) -> None:
    """Each transition has an example that takes it."""
    subject = task(before, **facts)
    step(job, subject, event, at())
    assert subject.state is after


def test_every_transition_is_taken() -> None:
    """The table names no target that cannot be reached, and the examples above leave none out."""
    taken = {(before, type(event), after) for before, after, _, event, _ in CASES}
    assert taken == {
        (before, event, after)
        for before, row in TABLE.items()
        for event, (_, targets) in row.items()
        for after in targets
    }


def test_a_target_that_the_table_does_not_name_is_a_bug(monkeypatch: pytest.MonkeyPatch) -> None:
    """A handler cannot lead a task where nobody expects it."""
    decide, _ = TABLE[OPEN][e.Due]
    monkeypatch.setitem(TABLE[OPEN], e.Due, (decide, {LOOKING}))
    with pytest.raises(AssertionError, match=r"Due does not lead from State.OPEN to State.SENDING"):
        step(JOB, task(OPEN), e.Due(), at())
