"""The plan: its table, and the rules that histories do not reach."""

import typing
from base64 import b32encode
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.bulk._outcome import OutcomeStatus
from fcasync.bulk._plan import commands as c
from fcasync.bulk._plan import events as e
from fcasync.bulk._plan import server_time, verbs
from fcasync.bulk._plan.admission import over
from fcasync.bulk._plan.decisions import (
    EDGE,
    KEY_LIFETIME,
    MAX_RENEWALS,
    MAX_STRIKES,
    STORED_AFTER,
)
from fcasync.bulk._plan.keys import base32, idempotency_key
from fcasync.bulk._plan.table import TABLE, step
from fcasync.bulk._plan.task import Job, Now, Row, State, Task
from fcasync.bulk._plan.verbs import Verb
from fcasync.errors import (
    APIConnectionError,
    IdempotencyError,
    InvalidRequestError,
    ServerError,
)
from fcasync.models import Account, BalanceRefresh

NOW = 1_760_000_000
JOB = Job(id="j", verb=verbs.REFRESH, features=("balance",))
WAITING = Job(id="j", verb=verbs.REFRESH, features=("balance",), wait=True)
LOST = APIConnectionError("reset", may_have_executed=True)
BROKEN = ServerError("oops", status=500)
REFUSED = InvalidRequestError("no", status=400, code="account_closed")


def at(seconds: float = 0.0) -> Now:
    return Now(int(NOW + seconds), NOW + seconds, 0.5)


def account(
    status: str = "active",
    refresh: str | None = None,
    *,
    attempted: float = -9000.0,
    opens: float | None = None,
    permissions: list[str] | None = None,
) -> Account:
    def instant(seconds: float) -> datetime:
        return datetime.fromtimestamp(NOW, UTC) + timedelta(seconds=seconds)

    balance_refresh = refresh and BalanceRefresh(
        status=refresh,
        last_attempted_at=instant(attempted),
        next_refresh_available_at=None if opens is None else instant(opens),
    )
    return Account(
        id="fca_1",
        status=status,
        balance_refresh=balance_refresh or None,
        permissions=["balances"] if permissions is None else permissions,
    )


def task(state: State = State.NEW, **facts: typing.Any) -> Task:
    return Task("fca_1", facts.pop("sent_at", NOW), state=state, **facts)


EVENTS: dict[type, e.Event] = {
    e.Admitted: e.Admitted(None),
    e.Due: e.Due(),
    e.Accepted: e.Accepted(account(refresh="succeeded"), False),
    e.Limited: e.Limited(),
    e.Lost: e.Lost(LOST),
    e.Broken: e.Broken(BROKEN, False),
    e.Refused: e.Refused(REFUSED),
    e.Denied: e.Denied(REFUSED),
    e.Barred: e.Barred(REFUSED),
    e.Seen: e.Seen(account()),
    e.Unseen: e.Unseen(LOST),
    e.TimedOut: e.TimedOut(),
}


def test_every_event_has_an_example() -> None:
    """The tests below cover all events that there are."""
    assert set(EVENTS) == set(typing.get_args(e.Event))
    assert set(TABLE) == set(State)


@given(state=st.sampled_from(State), event=st.sampled_from(list(EVENTS.values())))
def test_every_pair_is_in_the_table_or_refused(state: State, event: e.Event) -> None:
    """No event passes unnoticed: what cannot happen raises, and the rest leads to a state."""
    subject = task(state, refusal=REFUSED)
    if type(event) not in TABLE[state]:
        with pytest.raises(AssertionError, match=f"{type(event).__name__} cannot happen"):
            step(JOB, subject, event, at())
        return
    command = step(JOB, subject, event, at())
    assert isinstance(command, typing.get_args(c.Command))
    assert (subject.state is State.DONE) == isinstance(command, c.Finish | c.Forget)
    if isinstance(command, c.Send | c.Look):
        assert isinstance(event, e.Due)


def test_keys_are_deterministic_and_differ_in_every_part() -> None:
    """The next process computes the same key, and no two purposes share one."""
    arguments = ("job", "fca_1", "refresh", ("balance",), 0)
    others = [
        ("job2", *arguments[1:]),
        ("job", "fca_2", *arguments[2:]),
        ("job", "fca_1", "subscribe", *arguments[3:]),
        ("job", "fca_1", "refresh", ("balance", "ownership"), 0),
        (*arguments[:4], 1),
    ]
    keys = {idempotency_key(*case) for case in [arguments, arguments, *others]}
    assert len(keys) == 6
    assert all(key.startswith("fca1-") and len(key) == 45 for key in keys)


def test_the_text_of_keys_never_changes() -> None:
    """A job that an earlier version began sends the keys that it sent then."""
    key = idempotency_key("0f3a", "fca_1", "refresh", ("balance", "ownership"), 2)
    text = b"0f3a|fca_1|refresh|balance,ownership|2"
    assert key == "fca1-" + b32encode(sha256(text).digest()[:25]).decode()
    for number in range(100):
        data = sha256(str(number).encode()).digest()[:25]
        assert base32(data) == b32encode(data).decode()
    assert base32(bytes(25)) == "A" * 40
    assert base32(b"\xff" * 25) == "7" * 40


@pytest.mark.parametrize("wait", [True, False])
@pytest.mark.parametrize("retry_failed", [True, False])
def test_a_status_that_is_over_is_one_that_nothing_follows(wait: bool, retry_failed: bool) -> None:
    """What the journal need not even read is what the plan would forget at once."""
    job = attrs.evolve(JOB, wait=wait, retry_failed=retry_failed)
    statuses = {"open", "settling", *(status.value for status in OutcomeStatus)}
    forgotten = {
        status
        for status in statuses
        if step(job, task(), e.Admitted(Row("fca_1", status, 0, NOW)), at()) == c.Forget()
    }
    assert over(job) == forgotten


@pytest.mark.parametrize(
    ("age", "command"),
    [
        (0, c.Send),
        (KEY_LIFETIME - EDGE, c.Send),
        (KEY_LIFETIME - 1, c.EnqueueAfter),
        (KEY_LIFETIME, c.Look),
        (-200, c.Send),
        (-400, c.Look),  # the server's clock went backwards
    ],
)
def test_a_key_is_good_for_23_hours(age: float, command: type) -> None:
    """Older intents, and intents from the future, are looked behind instead of sent."""
    assert isinstance(step(JOB, task(State.OPEN), e.Due(), at(age)), command)


def test_a_replayed_5xx_is_looked_behind_at_once() -> None:
    """A stored failure would come for ever, whether or not the work was done."""
    subject = task(State.SENDING)
    assert step(JOB, subject, e.Broken(BROKEN, True), at()) == c.Enqueue()
    assert step(JOB, subject, e.Due(), at()) == c.Look()


def test_a_second_5xx_after_a_minute_is_looked_behind() -> None:
    """The same without the mark; a second one within the minute is just another failure."""
    subject = task(State.SENDING)
    for seconds in (0, STORED_AFTER - 1):
        command = step(JOB, subject, e.Broken(BROKEN, False), at(seconds))
        assert isinstance(command, c.EnqueueAfter)
        subject.state = State.SENDING
    assert step(JOB, subject, e.Broken(BROKEN, False), at(STORED_AFTER)) == c.Enqueue()
    assert subject.state is State.LOOKING


def test_three_keys_may_fail_and_no_more() -> None:
    """After three generations of stored failures the account has failed, for certain."""
    subject = task()
    for generation in range(4):
        subject.state = State.SENDING
        assert step(JOB, subject, e.Broken(BROKEN, True), at()) == c.Enqueue()
        command = step(JOB, subject, e.Seen(account()), at())
        assert subject.generation == min(generation + 1, 3)
    assert command == c.Finish()
    assert subject.verdict is not None
    assert (subject.verdict.reason, subject.error, subject.is_certain) == (
        "stored_error",
        BROKEN,
        True,
    )


@pytest.mark.parametrize(("attempted", "ran"), [(-301, False), (-299, True), (10, True)])
def test_a_look_shows_whether_it_ran(attempted: float, ran: bool) -> None:
    """A refresh attempted not before the intent, less 300 s of slack, is ours."""
    subject = task(State.LOOKING)
    seen = account(refresh="failed", attempted=attempted)
    command = step(JOB, subject, e.Seen(seen), at())
    assert command == (c.Finish() if ran else c.Store())


@pytest.mark.parametrize(
    ("verb", "seen", "ran"),
    [
        (verbs.SUBSCRIBE, Account(id="fca_1", subscriptions=["transactions"]), True),
        (verbs.SUBSCRIBE, Account(id="fca_1", subscriptions=[]), False),
        (verbs.UNSUBSCRIBE, Account(id="fca_1", subscriptions=["transactions"]), False),
        (verbs.UNSUBSCRIBE, Account(id="fca_1"), True),
        (verbs.DISCONNECT, Account(id="fca_1", status="disconnected"), True),
        (verbs.DISCONNECT, Account(id="fca_1", status="active"), False),
    ],
)
def test_the_other_operations_show_in_what_the_account_is(
    verb: Verb, seen: Account, ran: bool
) -> None:
    """A subscription or its end needs no date to be seen."""
    job = Job(id="j", verb=verb, features=("transactions",))
    command = step(job, task(State.LOOKING), e.Seen(seen), at())
    assert command == (c.Finish() if ran else c.Store())


def test_429s_are_not_attempts() -> None:
    """A task that was refused for the rate goes first, and as if nothing had happened."""
    subject = task(State.SENDING)
    assert step(JOB, subject, e.Limited("endpoint-rate"), at()) == c.EnqueueFirst()
    assert (subject.attempts, subject.strikes) == (0, 0)


def test_a_locked_account_lets_the_others_pass() -> None:
    """A 429 about this account alone makes only this account wait."""
    subject = task(State.SENDING)
    assert step(JOB, subject, e.Limited("resource-specific"), at()) == c.EnqueueAfter(1.5)


def test_failures_without_an_end_are_given_up_as_uncertain() -> None:
    """The account may have been refreshed, so a later run repeats the same key."""
    subject = task()
    waits = []
    for _ in range(MAX_STRIKES):
        subject.state = State.SENDING
        command = step(JOB, subject, e.Lost(LOST), at())
        waits.append(command.seconds if isinstance(command, c.EnqueueAfter) else None)
    assert waits == [0.25, 0.5, 1, 2, 4, 8, 15, 15, 15, 15, 15, None]
    assert subject.verdict is not None
    assert (subject.verdict.reason, subject.is_certain) == ("unconfirmed", False)


@pytest.mark.parametrize(
    ("given", "status", "reason"),
    [
        (account("inactive"), "skipped", "inactive"),
        (account("disconnected"), "skipped", "disconnected"),
        (account(permissions=["ownership"]), "skipped", "permission_missing"),
        (account(refresh="pending"), "accepted", "already_pending"),
        (account(refresh="succeeded", opens=60), "deferred", "too_early"),
    ],
)
def test_an_account_at_hand_saves_the_request(given: Account, status: str, reason: str) -> None:
    """What cannot be done, or need not be done, is not sent."""
    subject = task(account=given)
    assert step(JOB, subject, e.Admitted(None), at()) == c.Finish()
    assert subject.verdict is not None
    assert (subject.verdict.status, subject.verdict.reason) == (status, reason)


@pytest.mark.parametrize(
    "given", [account(), account(refresh="succeeded", opens=-1), Account(id="fca_1"), None]
)
def test_everything_else_is_sent(given: Account | None) -> None:
    """An account that can be refreshed, or about which nothing is known, gets its turn."""
    assert step(JOB, task(account=given), e.Admitted(None), at()) == c.Enqueue()


ROWS = [
    ("open", JOB, c.Enqueue, 0),
    ("settling", JOB, c.Finish, 0),
    ("settling", WAITING, c.Settle, 0),
    ("accepted", JOB, c.Forget, 0),
    ("accepted", WAITING, c.Settle, 0),
    ("pending", WAITING, c.Settle, 0),
    ("pending", JOB, c.Forget, 0),
    ("deferred", JOB, c.Store, 1),
    ("succeeded", WAITING, c.Forget, 0),
    ("skipped", JOB, c.Forget, 0),
    ("failed", JOB, c.Forget, 0),
]


@pytest.mark.parametrize(("status", "job", "command", "generation"), ROWS)
def test_a_later_run_goes_on_from_the_row(
    status: str, job: Job, command: type, generation: int
) -> None:
    """Finished accounts stay finished; the others go on where they were."""
    subject = task()
    found = step(job, subject, e.Admitted(Row("fca_1", status, 0, NOW - 50)), at())
    assert isinstance(found, command)
    assert subject.generation == generation


OWN = account(refresh="succeeded", attempted=-50, opens=60)
FOREIGN = account(refresh="succeeded", attempted=-5000, opens=60)


@pytest.mark.parametrize(
    ("given", "command"),
    [(OWN, c.Enqueue), (FOREIGN, c.Finish), (account("inactive"), c.Finish), (None, c.Enqueue)],
)
def test_an_account_that_a_torn_journal_lost_is_deferred_only_if_the_refresh_is_not_ours(
    given: Account | None, command: type
) -> None:
    """Deferring our own refresh would repeat it later; the same key, or a look, finds out."""
    subject = task(account=given, sent_at=NOW - 100, is_suspect=True)
    assert isinstance(step(JOB, subject, e.Admitted(None), at()), command)


def test_a_torn_journals_rows_are_dated_back() -> None:
    """A deferred account may have been sent after its row was written, so it keeps its date."""
    subject = task(is_suspect=True)
    row = Row("fca_1", "deferred", 0, NOW - KEY_LIFETIME)
    assert step(JOB, subject, e.Admitted(row), at()) == c.Store()
    assert (subject.generation, subject.sent_at) == (1, NOW - KEY_LIFETIME)
    assert step(JOB, subject, e.Due(), at()) == c.Look()
    assert step(JOB, subject, e.Seen(account()), at()) == c.Store()
    assert (subject.generation, subject.sent_at) == (2, NOW)


def test_a_key_with_other_parameters_is_not_a_certain_failure() -> None:
    """What the other request did is unknown, so no new key is tried."""
    subject = task(State.SENDING)
    error = IdempotencyError("used before", status=400, type="idempotency_error")
    assert step(JOB, subject, e.Refused(error), at()) == c.Finish()
    assert subject.is_certain is False


@pytest.mark.parametrize(
    ("is_certain", "command", "generation"), [(True, c.Store, 1), (False, c.Enqueue, 0)]
)
def test_a_failure_is_repeated_with_a_new_key_only_if_nothing_ran(
    is_certain: bool, command: type, generation: int
) -> None:
    """An unconfirmed account keeps its key, so that Stripe can say what became of it."""
    job = Job(id="j", verb=verbs.REFRESH, features=("balance",), retry_failed=True)
    subject = task()
    row = Row("fca_1", "failed", 0, NOW - 50, is_certain=is_certain)
    assert isinstance(step(job, subject, e.Admitted(row), at()), command)
    assert subject.generation == generation


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [("succeeded", "succeeded", None), ("failed", "failed", "balance_refresh_failed")],
)
def test_waiting_ends_with_the_banks_answer(seen: str, status: str, reason: str | None) -> None:
    """With wait=True the acceptance is not the outcome."""
    subject = task(State.SENDING)
    accepted = e.Accepted(account(refresh="pending", attempted=5), False)
    assert step(WAITING, subject, accepted, at()) == c.Settle()
    assert step(WAITING, subject, e.Seen(account(refresh="pending", attempted=5)), at()) == c.Wait()
    assert step(WAITING, subject, e.Seen(account(refresh=seen, attempted=5)), at()) == c.Finish()
    assert subject.verdict is not None
    assert (subject.verdict.status, subject.verdict.reason) == (status, reason)


def test_a_bank_that_takes_too_long_is_not_an_error() -> None:
    """The refresh goes on at Stripe; the outcome says so."""
    subject = task(State.SETTLING)
    assert step(WAITING, subject, e.TimedOut(), at()) == c.Finish()
    assert subject.verdict is not None
    assert (subject.verdict.status, subject.error) == ("pending", None)


def test_an_intent_from_the_future_keeps_its_key() -> None:
    """The server's clock was set back; what a look does not show may be under way all the same."""
    subject = task(State.OPEN, sent_at=NOW + 7200)
    assert step(JOB, subject, e.Due(), at()) == c.Look()
    assert step(JOB, subject, e.Seen(account(refresh="succeeded")), at()) == c.Store()
    assert (subject.generation, subject.sent_at) == (0, NOW)


@pytest.mark.parametrize(
    ("seconds", "command"), [(EDGE, c.Send), (EDGE - 1, c.EnqueueAfter), (1, c.EnqueueAfter)]
)
def test_nothing_is_sent_in_the_last_minute_of_a_key(seconds: float, command: type) -> None:
    """What was sent at the last moment must have ended before the account is looked at."""
    subject = task(State.OPEN)
    decided = step(JOB, subject, e.Due(), at(KEY_LIFETIME - seconds))
    assert isinstance(decided, command)
    if isinstance(decided, c.EnqueueAfter):
        assert decided.seconds == seconds
        assert subject.state is State.OPEN


@pytest.mark.parametrize(
    ("seen", "status", "reason"),
    [
        (account("inactive"), "skipped", "inactive"),
        (account(permissions=["ownership"]), "skipped", "permission_missing"),
        (account(refresh="succeeded", opens=60), "deferred", "too_early"),
        (account(refresh="pending"), "accepted", "already_pending"),
        (account(), "failed", "account_closed"),
    ],
)
def test_a_refusal_is_judged_by_the_account(seen: Account, status: str, reason: str) -> None:
    """A bare id ends as an Account at hand would have; what it does not explain has failed."""
    subject = task(State.SENDING)
    assert step(JOB, subject, e.Refused(REFUSED), at()) == c.Enqueue()
    assert step(JOB, subject, e.Due(), at()) == c.Look()
    assert step(JOB, subject, e.Seen(seen), at()) == c.Finish()
    assert subject.verdict is not None
    assert (subject.verdict.status, subject.verdict.reason) == (status, reason)
    assert subject.error is (REFUSED if status == "failed" else None)
    assert subject.is_certain


def test_a_deferred_id_is_not_sent_before_its_time() -> None:
    """The journal knows when a refresh is possible; until then nothing is asked."""
    row = Row("fca_1", "deferred", 0, NOW - 50, available_at=NOW + 60)
    subject = task()
    assert step(JOB, subject, e.Admitted(row), at()) == c.Finish()
    assert subject.verdict is not None
    assert subject.verdict.available_at == datetime.fromtimestamp(NOW + 60, UTC)
    assert step(JOB, task(), e.Admitted(row), at(60)) == c.Store()
    assert step(JOB, task(), e.Admitted(row), at(61)) == c.Store()


def test_what_this_run_has_finished_is_forgotten() -> None:
    """A source that names an account twice gets one outcome, whatever it was."""
    job = Job(id="j", verb=verbs.REFRESH, features=("balance",), seq=7, retry_failed=True)
    row = Row("fca_1", "failed", 0, NOW, seq=8)
    assert step(job, task(), e.Admitted(row), at()) == c.Forget()


@pytest.mark.parametrize(
    ("attempted", "command"), [(-5000, c.Wait), (-1, c.Wait), (0, c.Finish), (30, c.Finish)]
)
def test_only_our_own_refresh_ends_a_wait(attempted: float, command: type) -> None:
    """A page or an event from before it shows another refresh, however it ended."""
    subject = task(State.SENDING)
    step(WAITING, subject, e.Accepted(account(refresh="pending", attempted=0), False), at())
    seen = account(refresh="succeeded", attempted=attempted)
    assert isinstance(step(WAITING, subject, e.Seen(seen), at()), command)


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.SENDING, e.Lost(LOST, is_outage=True)),
        (State.LOOKING, e.Unseen(LOST, is_outage=True)),
        (State.JUDGING, e.Unseen(LOST, is_outage=True)),
    ],
)
def test_an_outage_is_not_held_against_an_account(state: State, event: e.Event) -> None:
    """While nobody gets an answer, failing counts for nothing."""
    subject = task()
    for _ in range(3 * MAX_STRIKES):
        subject.state = state
        assert isinstance(step(JOB, subject, event, at()), c.EnqueueAfter)
    assert subject.strikes == 0


def test_the_numbers_of_the_rules() -> None:
    """Stripe keeps keys for a day at least; a minute is left at the edge, and for a stored 5xx."""
    assert (KEY_LIFETIME, EDGE, STORED_AFTER) == (23 * 60 * 60, 60, 60)
    assert (MAX_RENEWALS, MAX_STRIKES) == (3, 12)
    assert server_time.NOISE == 60.0


def test_what_failed_on_the_way_is_not_the_outcomes_error() -> None:
    """An account that was accepted after a lost answer has no error, and its row keeps none."""
    subject = task(State.SENDING)
    step(JOB, subject, e.Lost(LOST), at())
    assert subject.error is LOST
    subject.state = State.SENDING
    step(JOB, subject, e.Accepted(account(refresh="succeeded"), False), at())
    assert subject.error is None


@pytest.mark.parametrize(
    ("state", "event"),
    [
        (State.OPEN, e.Barred(REFUSED)),
        (State.LOOKING, e.Barred(REFUSED)),
        (State.LOOKING, e.Refused(REFUSED)),
    ],
)
def test_what_could_not_be_looked_at_may_have_run(state: State, event: e.Event) -> None:
    """A door that is closed says nothing about what went through it before."""
    subject = task(state)
    assert step(JOB, subject, event, at()) == c.Finish()
    assert subject.is_certain is False
