"""One call: what is retried, when, under which key, and what comes out."""

import asyncio
import pickle
from typing import Any

import pytest

import tests._calls as calls
from fcasync._rules.learner import HOLD
from fcasync._rules.limits import Limits
from fcasync._rules.pace import Pace
from fcasync._rules.retry_policy import RetryPolicy, RetryQuota
from fcasync._wire.line import Line
from fcasync._wire.retries import LEAST_PAUSE
from fcasync.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ConflictError,
    DeadlineExceededError,
    FCError,
    IdempotencyError,
    InvalidRequestError,
    NotFoundError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from fcasync.hooks import AttemptFinished, CallFinished, CallStarted, RetryScheduled
from fcasync.testing import FakeClock, RecordingHook, ScriptedTransport, answer
from tests._calls import GET, POST

OK = {"id": "fca_1"}
IN_USE = {"error": {"type": "idempotency_error", "code": "idempotency_key_in_use"}}


def failure(status: int, code: str | None = None, **headers: str) -> Any:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return answer({"error": {"code": code, "message": "no"}}, status=status, headers=names)


def lost(*, may_have_executed: bool = True) -> APIConnectionError:
    return APIConnectionError("reset", may_have_executed=may_have_executed)


async def outcome(*script: Any, operation: Any = POST, **settings: Any) -> tuple[Any, Any, Any]:
    """Run one call over *script*; return the response or error, the transport and the clock."""
    clock, transport = FakeClock(), ScriptedTransport(script)
    eng = calls.engine(transport, clock)
    try:
        return await calls.call(eng, operation, calls.options(**settings)), transport, clock
    except FCError as error:
        return error, transport, clock


async def test_a_first_answer_that_is_good_needs_nothing_else() -> None:
    """One request, no sleep, one attempt."""
    response, transport, clock = await outcome(OK)
    assert (response.value, response.attempts, clock.sleeps) == (OK, 1, [])
    assert len(transport.requests) == 1


@pytest.mark.parametrize("status", [409, 429, 500, 502, 503, 504])
@pytest.mark.parametrize("operation", [GET, POST], ids=["GET", "POST"])
async def test_a_passing_failure_is_retried(status: int, operation: Any) -> None:
    """409, 429 and the passing 5xx lead to another attempt, which may succeed."""
    response, _, clock = await outcome(failure(status), OK, operation=operation)
    assert (response.value, response.attempts) == (OK, 2)
    if status == 429:
        assert sum(clock.sleeps) == pytest.approx(HOLD)  # its next slot under the rate limit
    else:
        assert clock.sleeps == [0.25]


@pytest.mark.parametrize("hint", ["2", "1000"])
async def test_a_429_waits_as_long_as_stripe_asks(hint: str) -> None:
    """Retry-After is respected, up to the five seconds of the policy's slack."""
    response, _, clock = await outcome(failure(429, Retry_After=hint), OK)
    assert response.attempts == 2
    assert sum(clock.sleeps) == pytest.approx(min(float(hint), 5.0))


async def test_429s_cost_neither_attempts_nor_quota() -> None:
    """A call waits for its slot until the deadline, however often it is refused."""
    quota = RetryQuota(4)
    transport = ScriptedTransport([failure(429)] * 20 + [failure(500)])
    eng = calls.engine(transport, FakeClock(), quota=quota)
    with pytest.raises(ServerError) as caught:
        await calls.call(eng, POST)
    assert (caught.value.attempts, quota.available) == (21, 4)


async def test_429s_end_with_the_deadline() -> None:
    """When the next slot begins after the deadline the call ends, and says how long it was sent."""
    error, transport, clock = await outcome(*[failure(429)] * 100, deadline=20.0)
    assert type(error) is RateLimitError
    assert error.attempts == len(transport.requests) > 4
    assert clock.monotonic() < 20.0


@pytest.mark.parametrize("facts", [{"reason": "resource-specific"}, {"code": "lock_timeout"}])
async def test_a_429_about_one_object_is_retried_as_any_failure(facts: dict[str, str]) -> None:
    """It says nothing about the rate: attempts, backoff and quota bound it, and no call slows."""
    reason = {"Stripe_Rate_Limited_Reason": facts["reason"]} if "reason" in facts else {}
    quota, clock = RetryQuota(), FakeClock()
    transport = ScriptedTransport([failure(429, facts.get("code"), **reason)] * 4)
    eng = calls.engine(transport, clock, quota=quota)
    with pytest.raises(RateLimitError) as caught:
        await calls.call(eng, POST)
    assert (caught.value.attempts, quota.available) == (4, 500 - 3 * 5)
    assert clock.sleeps == [0.5, 1.0, 2.0]
    assert eng.limiter.pace(None, "refresh").operation.is_free


async def test_a_global_429_slows_every_operation_of_the_account() -> None:
    """`global-rate` is about the account as a whole, and about no other account."""
    clock = FakeClock()
    limited = failure(429, Stripe_Rate_Limited_Reason="global-rate")
    eng = calls.engine(ScriptedTransport([limited] + [OK] * 4), clock)
    await calls.call(eng, POST)
    before = len(clock.sleeps)
    await calls.call(eng, GET)
    await calls.call(eng, GET)
    assert len(clock.sleeps) > before
    before = len(clock.sleeps)
    await calls.call(eng, GET, calls.options(stripe_account="acct_2"))
    assert len(clock.sleeps) == before


async def test_a_concurrency_429_bounds_the_requests_in_flight() -> None:
    """Fewer at once, not fewer a second; and every call is answered in the end."""
    most, now = 0, 0

    class FiveAtOnce(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            nonlocal most, now
            now += 1
            try:
                if now > 5:
                    return failure(429, Stripe_Rate_Limited_Reason="endpoint-concurrency")
                most = max(most, now)
                await asyncio.sleep(0)
                return answer(OK)
            finally:
                now -= 1

    eng = calls.engine(FiveAtOnce(), FakeClock())
    done = await asyncio.gather(*[calls.call(eng, POST) for _ in range(50)])
    assert all(response.value == OK for response in done)
    assert most == 5
    assert eng.limiter.pace(None, "refresh").operation.in_flight.bound is not None
    assert eng.limiter.pace(None, "refresh").operation.in_flight.count == 0


@pytest.mark.parametrize("status", [400, 401, 402, 403, 404, 405, 410, 422, 501, 505])
async def test_a_final_failure_is_not_retried(status: int) -> None:
    """Every other status is final."""
    error, _, clock = await outcome(failure(status))
    assert (error.status, error.attempts, clock.sleeps) == (status, 1, [])


async def test_the_key_is_the_same_on_every_attempt() -> None:
    """A POST repeats its idempotency key, and the error and the response carry it."""
    error, transport, _ = await outcome(*[failure(500)] * 4)
    keys = {request.headers["Idempotency-Key"] for request in transport.requests}
    assert isinstance(error, ServerError)
    assert keys == {error.idempotency_key}
    assert error.attempts == len(transport.requests) == 4


async def test_a_get_has_no_key() -> None:
    """GET is idempotent by itself."""
    response, transport, _ = await outcome(OK, operation=GET)
    assert "Idempotency-Key" not in transport.requests[0].headers
    assert response.idempotency_key is None


@pytest.mark.parametrize(("advice", "attempts"), [("true", 4), ("false", 1)])
@pytest.mark.parametrize("status", [400, 500])
async def test_stripe_may_overrule_the_status(status: int, advice: str, attempts: int) -> None:
    """Stripe-Should-Retry decides, within the number of attempts."""
    error, _, _ = await outcome(*[failure(status, Stripe_Should_Retry=advice)] * 4)
    assert error.attempts == attempts


@pytest.mark.parametrize("advice", ["TRUE", "1", "", "yes", " true"])
async def test_advice_in_another_spelling_is_none(advice: str) -> None:
    """should-retry-garbage: only the exact words count, within the attempts and the quota."""
    error, _, _ = await outcome(failure(400, Stripe_Should_Retry=advice))
    assert error.attempts == 1
    response, _, _ = await outcome(failure(500, Stripe_Should_Retry=advice), OK)
    assert response.attempts == 2


@pytest.mark.parametrize(
    ("hint", "wait"),
    [
        ("3", 3.0),
        ("0", 0.25),
        ("-1", 0.25),
        ("1e9", 5.25),
        ("nan", 0.25),
        ("inf", 0.25),
        ("", 0.25),
        ("soon", 0.25),
        ("Thu, 31 Dec 2099 23:59:59 GMT", 0.25),
        ("Thu, 31 Dec 99999999999999999999 23:59:59 GMT", 0.25),
        ("9" * 400, 5.25),
    ],
)
async def test_retry_after_lengthens_the_wait_within_bounds(hint: str, wait: float) -> None:
    """retry-after-hostile: at most five seconds more, never less, and nonsense is ignored."""
    _, _, clock = await outcome(failure(503, Retry_After=hint), OK)
    assert clock.sleeps == [wait]
    date = "Thu, 31 Dec 2099 23:59:59 GMT"
    _, _, clock = await outcome(failure(503, Retry_After=hint, Date=date), OK)
    assert clock.sleeps == [wait]


async def test_a_date_in_retry_after_counts_from_the_servers_own() -> None:
    """A local clock that is wrong does not matter."""
    headers = {
        "Date": "Thu, 31 Dec 2099 23:59:55 GMT",
        "Retry_After": "Thu, 31 Dec 2099 23:59:58 GMT",
    }
    _, _, clock = await outcome(failure(503, **headers), OK)
    assert clock.sleeps == [3.0]


async def test_the_deadline_is_checked_before_a_sleep() -> None:
    """A wait that would end after the deadline is not begun; the last failure is the answer."""
    error, _, clock = await outcome(failure(503, Retry_After="4"), deadline=3.0)
    assert (type(error), error.attempts, clock.sleeps) == (ServerError, 1, [])


async def test_a_sleep_that_lasts_past_the_deadline_ends_the_call() -> None:
    """A loop that was blocked meanwhile leaves no time: that is the deadline, not a rate limit."""
    clock = FakeClock()
    sleep = clock.sleep

    async def oversleep(seconds: float) -> None:
        await sleep(seconds)
        clock.advance(100.0)

    clock.sleep = oversleep  # type: ignore[method-assign]
    transport, quota = ScriptedTransport([lost(), OK]), RetryQuota()
    eng = calls.engine(transport, clock, quota=quota)
    with pytest.raises(DeadlineExceededError, match="deadline of 90 s") as caught:
        await calls.call(eng, POST)
    assert (caught.value.attempts, caught.value.may_have_executed) == (1, True)
    assert caught.value.idempotency_key
    assert quota.available == quota.capacity


async def test_an_attempt_gets_no_more_than_what_is_left() -> None:
    """A timeout that the deadline caused is a DeadlineExceededError, and final."""
    error, _, _ = await outcome(APITimeoutError("late", may_have_executed=True), deadline=5.0)
    assert type(error) is DeadlineExceededError
    assert error.may_have_executed


async def test_a_timeout_within_the_deadline_is_retried() -> None:
    """The per-attempt timeout is a failure like any other."""
    response, _, _ = await outcome(APITimeoutError("late"), OK)
    assert response.attempts == 2


async def test_what_may_have_happened_once_is_not_forgotten() -> None:
    """A refused connection after a lost answer still means that Stripe may have executed it."""
    error, _, _ = await outcome(lost(), *[lost(may_have_executed=False)] * 3)
    assert error.may_have_executed


async def test_a_refused_connection_executes_nothing() -> None:
    """When no attempt ever reached the server the error says so."""
    error, _, _ = await outcome(*[lost(may_have_executed=False)] * 4)
    assert not error.may_have_executed


async def test_a_server_error_may_have_executed() -> None:
    """A 500 says nothing of what was done before, so a refused connection after it does not."""
    error, _, _ = await outcome(failure(500), *[lost(may_have_executed=False)] * 3)
    assert error.may_have_executed
    error, _, _ = await outcome(failure(500), *[lost(may_have_executed=False)] * 3, operation=GET)
    assert not error.may_have_executed


async def test_a_protocol_error_is_final() -> None:
    """What is not the API's answer is not asked for again."""
    error, transport, _ = await outcome(answer(b"<html>", headers={"Content-Type": "text/html"}))
    assert type(error) is ProtocolError
    assert error.may_have_executed
    assert len(transport.requests) == 1


async def test_a_key_in_use_by_somebody_else_is_final() -> None:
    """409 with idempotency_key_in_use on the first attempt is the caller's to solve."""
    error, _, _ = await outcome(answer(IN_USE, status=409))
    assert (type(error), error.attempts) == (IdempotencyError, 1)


async def test_a_key_in_use_by_our_own_lost_attempt_is_waited_for() -> None:
    """After a lost answer the same 409 means that our request is still being worked on."""
    for first in (lost(), failure(504)):
        response, _, _ = await outcome(first, answer(IN_USE, status=409), OK)
        assert response.attempts == 3
    advice = {"Stripe-Should-Retry": "false"}
    error, _, _ = await outcome(lost(), answer(IN_USE, status=409, headers=advice), OK)
    assert (type(error), error.attempts) == (IdempotencyError, 2)


async def test_what_is_still_being_executed_is_waited_for_until_the_deadline() -> None:
    """No number of attempts and no quota ends it: a slow request is not a failed one."""
    in_use = answer(IN_USE, status=409)
    response, _, clock = await outcome(lost(), *[in_use] * 20, OK, deadline=300.0)
    assert (response.attempts, response.value) == (22, OK)
    assert max(clock.sleeps) <= RetryPolicy().cap  # it asks ever less often, and not too seldom
    error, _, _ = await outcome(lost(), *[in_use] * 200, deadline=60.0)
    assert (type(error), error.may_have_executed) == (DeadlineExceededError, True)
    assert error.idempotency_key is not None
    assert type(error.__cause__) is IdempotencyError
    assert error.attempts > RetryPolicy().attempts


async def test_what_is_still_being_executed_is_asked_for_in_pauses() -> None:
    """A policy without backoff must not ask as fast as the network goes."""
    script = [lost(), *[answer(IN_USE, status=409)] * 10, OK]
    _, _, clock = await outcome(*script, retry=RetryPolicy(base=0, cap=0))
    assert clock.sleeps[0] == 0
    assert set(clock.sleeps[1:]) == {LEAST_PAUSE}


async def test_a_key_in_use_by_somebody_else_stays_somebody_elses() -> None:
    """Nothing of ours was lost: what Stripe wants to be tried again ends after the attempts."""
    advice = {"Stripe-Should-Retry": "true"}
    script = [answer(IN_USE, status=409, headers=advice)] * 9
    for before in ([], [failure(409)]):
        error, _, _ = await outcome(*before, *script)
        assert (type(error), error.attempts) == (IdempotencyError, RetryPolicy().attempts)
        assert error.may_have_executed


async def test_failures_are_counted_without_the_questions_between_them() -> None:
    """Asking for a result takes nothing from the attempts that real failures have."""
    in_use = answer(IN_USE, status=409)
    error, _, _ = await outcome(lost(), in_use, in_use, *[failure(503)] * 9, deadline=300.0)
    assert (type(error), error.attempts) == (ServerError, 2 + RetryPolicy().attempts)


@pytest.mark.parametrize(
    ("script", "has_doubt"),
    [
        ([failure(500)], True),
        ([answer(IN_USE, status=409)], True),
        ([failure(400)], False),
        ([failure(409)], False),
        ([failure(429, Stripe_Rate_Limited_Reason="resource-specific")], False),
        ([lost(), failure(401)], True),
        ([lost(may_have_executed=False), failure(401)], False),
    ],
)
async def test_every_error_says_whether_a_post_may_have_taken_effect(
    script: list[Any], has_doubt: bool
) -> None:
    """A later refusal says nothing about an earlier attempt without an answer."""
    error, _, _ = await outcome(*script, retry=RetryPolicy(attempts=len(script)))
    assert error.may_have_executed is has_doubt


async def test_an_empty_quota_makes_failures_final() -> None:
    """No token, no retry; nothing is taken, and the message says why."""
    quota = RetryQuota(13)
    transport = ScriptedTransport([failure(500)])
    eng = calls.engine(transport, FakeClock(), quota=quota)
    with pytest.raises(ServerError, match="retry quota is empty"):
        await calls.call(eng, POST)
    assert quota.available == 13


async def test_an_outage_is_not_answered_with_a_storm() -> None:
    """1 000 calls into a full outage send at most 1.1 requests each, and calm heals the quota."""
    quota = RetryQuota()
    transport = ScriptedTransport([failure(503)] * 1100)
    eng = calls.engine(transport, FakeClock(), quota=quota)
    for _ in range(1000):
        with pytest.raises(ServerError):
            await calls.call(eng, POST)
    assert len(transport.requests) <= 1100
    eng.transport = ScriptedTransport([OK] * 600)
    for _ in range(600):
        await calls.call(eng, POST)
    assert quota.available == quota.capacity


async def test_a_retry_that_was_never_sent_costs_nothing() -> None:
    """Cancelled in the wait before it: its tokens go back."""
    clock, quota, waits = FakeClock(), RetryQuota(), asyncio.Event()

    async def hang(seconds: float) -> None:
        waits.set()
        await asyncio.Event().wait()

    clock.sleep = hang  # type: ignore[method-assign]
    eng = calls.engine(ScriptedTransport([failure(500)]), clock, quota=quota)
    task = asyncio.create_task(calls.call(eng, POST))
    await waits.wait()
    assert quota.available == quota.capacity - 14
    task.cancel()
    await asyncio.wait([task])
    assert quota.available == quota.capacity


async def test_retries_can_be_switched_off() -> None:
    """RetryPolicy(attempts=1) sends once."""
    error, transport, _ = await outcome(failure(500), retry=RetryPolicy(attempts=1))
    assert (type(error), len(transport.requests)) == (ServerError, 1)


@pytest.mark.parametrize(
    ("status", "body", "kind"),
    [
        (400, {"code": "rate_limit"}, RateLimitError),
        (400, {"type": "idempotency_error"}, IdempotencyError),
        (404, {"type": "idempotency_error"}, IdempotencyError),
        (409, {"code": "idempotency_key_in_use"}, IdempotencyError),
        (404, {}, NotFoundError),
        (409, {"code": "lock_timeout"}, ConflictError),
        (402, {}, InvalidRequestError),
        (418, {}, InvalidRequestError),
        (429, {}, RateLimitError),
        (500, {}, ServerError),
    ],
)
async def test_status_and_body_choose_the_error(
    status: int, body: dict[str, str], kind: type[APIStatusError]
) -> None:
    """The table of DESIGN: the body's type and code refine the status."""
    step = answer({"error": body}, status=status)
    error, _, _ = await outcome(step, retry=RetryPolicy(attempts=1))
    assert type(error) is kind


async def test_every_error_survives_pickling() -> None:
    """A worker can send its error to another process with all that it says."""
    step = failure(429, "lock", Stripe_Rate_Limited_Reason="endpoint-rate", Request_Id="req_1")
    error, _, _ = await outcome(step, retry=RetryPolicy(attempts=1))
    twin = pickle.loads(pickle.dumps(error))
    assert type(twin) is RateLimitError
    assert vars(twin) == vars(error)
    assert str(twin) == str(error) == "no (429, lock, req_1)"
    assert twin.headers["stripe-rate-limited-reason"] == twin.reason == "endpoint-rate"


async def test_cancellation_is_neither_swallowed_nor_retried() -> None:
    """A cancelled call ends at once, in whatever wait it is."""
    transport = ScriptedTransport([failure(500), OK])
    clock = FakeClock()
    hook = RecordingHook()
    started = asyncio.Event()

    async def hang(seconds: float) -> None:
        started.set()
        await asyncio.Event().wait()

    clock.sleep = hang  # type: ignore[method-assign]
    task = asyncio.create_task(calls.call(calls.engine(transport, clock, hooks=(hook,)), POST))
    await started.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(transport.requests) == 1
    last = hook.events[-1]
    assert isinstance(last, CallFinished)
    assert isinstance(last.error, asyncio.CancelledError)


async def test_hooks_hear_everything_in_order() -> None:
    """Started, attempt, retry, attempt, finished; all about the same call."""
    hook = RecordingHook()
    eng = calls.engine(ScriptedTransport([failure(500), OK]), FakeClock(), hooks=(hook,))
    await calls.call(eng, POST)
    assert hook.names == [
        "CallStarted",
        "AttemptFinished",
        "RetryScheduled",
        "AttemptFinished",
        "CallFinished",
    ]
    assert len({id(event.call) for event in hook.events}) == 1


async def test_nothing_is_sent_when_the_deadline_has_just_passed() -> None:
    """A retry that begins at the deadline itself could not be answered within it."""
    clock, transport = FakeClock(), ScriptedTransport([failure(500), OK])

    def slow(event: object) -> None:
        if isinstance(event, RetryScheduled):
            clock.advance(8.0 - event.wait - clock.monotonic())

    eng = calls.engine(transport, clock, hooks=(slow,))
    with pytest.raises(DeadlineExceededError) as caught:
        await calls.call(eng, POST, calls.options(deadline=8.0))
    assert clock.monotonic() == 8.0
    assert (caught.value.attempts, len(transport.requests)) == (1, 1)


async def test_hooks_are_told_which_request_each_attempt_was() -> None:
    """Its status and Request-Id, or neither where no answer came."""
    hook = RecordingHook()
    script = [failure(500, Request_Id="req_1"), lost(), answer(OK, headers={"Request-Id": "req_2"})]
    eng = calls.engine(ScriptedTransport(script), FakeClock(), hooks=(hook,))
    await calls.call(eng, POST)
    attempts = [event for event in hook.events if isinstance(event, AttemptFinished)]
    assert [(event.status, event.request_id) for event in attempts] == [
        (500, "req_1"),
        (None, None),
        (200, "req_2"),
    ]


async def test_a_failing_hook_harms_neither_the_call_nor_the_other_hooks(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Its exception is logged."""

    def broken(event: object) -> None:
        raise RuntimeError("hook is broken")

    hook = RecordingHook()
    eng = calls.engine(ScriptedTransport([OK]), FakeClock(), hooks=(broken, hook))
    response = await calls.call(eng, POST)
    assert response.value == OK
    assert hook.names == ["CallStarted", "AttemptFinished", "CallFinished"]
    assert "hook is broken" in caplog.text


async def test_a_hook_that_interrupts_ends_the_call_for_the_others_too() -> None:
    """KeyboardInterrupt in a hook is not a failure of the hook: it passes, and the call is over."""

    def interrupt(event: object) -> None:
        if type(event) is CallStarted:
            raise KeyboardInterrupt

    hook = RecordingHook()
    eng = calls.engine(ScriptedTransport([OK]), FakeClock(), hooks=(hook, interrupt))
    with pytest.raises(KeyboardInterrupt):
        await calls.call(eng, POST)
    assert hook.names == ["CallStarted", "CallFinished"]


async def test_a_ceiling_spaces_calls_out() -> None:
    """With max_rate=2 the third call waits for its slot."""
    clock = FakeClock()
    eng = calls.engine(ScriptedTransport([OK] * 3), clock, limits=Limits(max_rate=2))
    for _ in range(3):
        await calls.call(eng, POST)
    assert clock.sleeps == [0.5, 0.5]


async def test_a_call_that_cannot_be_served_in_time_fails_at_once() -> None:
    """A slot after the deadline is not used: RateLimitError, nothing sent, no slot taken."""
    clock, transport = FakeClock(), ScriptedTransport([OK] * 2)
    eng = calls.engine(transport, clock, limits=Limits(max_rate=0.5))
    await calls.call(eng, POST)
    with pytest.raises(RateLimitError, match="no slot") as caught:
        await calls.call(eng, POST, calls.options(deadline=1.0))
    assert caught.value.retry_after == pytest.approx(2.0)
    assert (len(transport.requests), clock.sleeps) == (1, [])


async def test_a_retry_without_a_slot_does_not_deny_what_was_sent() -> None:
    """The sentence counts the requests that went before, and the retry costs nothing."""
    clock, quota = FakeClock(draw=0.0), RetryQuota()
    eng = calls.engine(ScriptedTransport([lost()]), clock, quota=quota, limits=Limits(max_rate=0.1))
    with pytest.raises(RateLimitError, match="sent 1 time") as caught:
        await calls.call(eng, POST, calls.options(deadline=5.0))
    assert caught.value.idempotency_key
    assert quota.available == quota.capacity


async def test_a_429_slows_the_calls_that_follow() -> None:
    """After the first 429 the operation is paced; other operations and accounts are not."""
    clock = FakeClock()
    transport = ScriptedTransport([OK] * 10 + [failure(429)] + [OK] * 20)
    eng = calls.engine(transport, clock)
    for _ in range(11):
        await calls.call(eng, POST)
    before = len(clock.sleeps)
    await calls.call(eng, POST)
    assert len(clock.sleeps) > before
    before = len(clock.sleeps)
    await calls.call(eng, GET)
    await calls.call(eng, POST, calls.options(stripe_account="acct_2"))
    assert len(clock.sleeps) == before


class Timed(ScriptedTransport):
    """A transport that notes how long each attempt may take, and takes *seconds* for each."""

    def __init__(self, script: Any, clock: FakeClock, seconds: float) -> None:
        super().__init__(script)
        self.clock, self.seconds = clock, seconds
        self.timeouts: list[float] = []

    async def send(self, request: Any, timeout: float) -> Any:
        self.timeouts.append(timeout)
        self.clock.advance(self.seconds)
        return await super().send(request, timeout)


async def test_no_attempt_outlives_the_deadline() -> None:
    """An attempt may take its timeout, or what is left of the deadline if that is less."""
    clock = FakeClock(draw=0.0)
    transport = Timed([failure(503), failure(503), OK], clock, seconds=4.0)
    eng = calls.engine(transport, clock)
    await calls.call(eng, POST, calls.options(timeout=6.0, deadline=10.0))
    assert transport.timeouts == [6.0, 6.0, 2.0]


async def test_a_success_gives_back_what_its_retry_took() -> None:
    """A first attempt that succeeds gives back 1; one after a retry what that retry cost."""
    quota = RetryQuota()
    eng = calls.engine(ScriptedTransport([failure(503), OK, OK]), FakeClock(), quota=quota)
    await calls.call(eng, POST)
    assert quota.available == 500
    quota.available = 100
    await calls.call(eng, POST)
    assert quota.available == 101
    eng.transport = ScriptedTransport([failure(503), failure(503), OK])
    await calls.call(eng, POST)
    assert quota.available == 101 - 14


async def test_a_cancelled_waiter_gives_its_slot_back() -> None:
    """The call behind it moves up, and waits no longer than if it had never been there."""
    clock, sleeping = FakeClock(), asyncio.Event()
    limits = Limits(max_rate=1.0, burst=1)
    eng = calls.engine(ScriptedTransport([OK, OK, OK]), clock, limits=limits)
    await calls.call(eng, POST)
    sleep = clock.sleep

    async def hang(seconds: float) -> None:
        sleeping.set()
        await asyncio.Event().wait()

    clock.sleep = hang  # type: ignore[method-assign]
    first = asyncio.create_task(calls.call(eng, POST))
    await sleeping.wait()
    behind = asyncio.create_task(calls.call(eng, POST))
    await asyncio.sleep(0)
    first.cancel()
    clock.sleep = sleep  # type: ignore[method-assign]
    await asyncio.wait([first])
    await behind
    assert clock.sleeps == [1.0]


async def test_a_waiter_that_is_cancelled_as_its_turn_comes_passes_it_on() -> None:
    """Nobody waits for a turn that was given to somebody who had left."""
    pace = Pace(Limits(max_rate=1.0, burst=1))
    pace.reserve(0.0)  # so that the first in line waits, and the others stand behind it
    line = Line(pace, FakeClock())

    async def lead() -> None:
        await line.wait(0.0, 100.0)
        leaving.cancel()  # its turn has come in this very step, and it has not run since

    leader = asyncio.create_task(lead())
    leaving = asyncio.create_task(line.wait(1.0, 100.0))
    last = asyncio.create_task(line.wait(2.0, 100.0))
    await asyncio.wait([leader, leaving])
    assert leaving.cancelled()
    for _ in range(10):
        await asyncio.sleep(0)
    assert last.done()
    assert line.is_empty


async def test_a_lost_answer_gives_its_room_back() -> None:
    """Where the number in flight is bounded, what is lost is in flight no longer."""
    concurrency = failure(429, Stripe_Rate_Limited_Reason="endpoint-concurrency")
    eng = calls.engine(ScriptedTransport([concurrency, OK, *[lost()] * 30]), FakeClock())
    await calls.call(eng, POST)
    for _ in range(30):
        with pytest.raises(APIConnectionError):
            await calls.call(eng, POST, calls.options(retry=RetryPolicy(attempts=1)))
    assert eng.limiter.pace(None, "refresh").has_room


@pytest.mark.parametrize("status", [400, 404])
async def test_other_trouble_with_a_key_is_final_after_a_lost_answer(status: int) -> None:
    """Only a key that is in use is worth waiting for: other parameters stay other parameters."""
    wrong = answer({"error": {"type": "idempotency_error"}}, status=status)
    error, transport, _ = await outcome(lost(), wrong, OK)
    assert (type(error), len(transport.requests)) == (IdempotencyError, 2)


@pytest.mark.parametrize(
    ("status", "facts", "kind"),
    [
        (500, {"code": "rate_limit"}, ServerError),
        (404, {"code": "rate_limit"}, NotFoundError),
        (402, {"code": "rate_limit"}, InvalidRequestError),
        (500, {"type": "idempotency_error"}, ServerError),
        (402, {"code": "idempotency_key_in_use"}, InvalidRequestError),
        (429, {"code": "idempotency_key_in_use"}, RateLimitError),
    ],
)
async def test_a_code_counts_at_its_own_statuses_only(
    status: int, facts: dict[str, str], kind: type[APIStatusError]
) -> None:
    """Elsewhere the status decides, and with it whether the request is sent again."""
    error, _, _ = await outcome(
        answer({"error": facts}, status=status), retry=RetryPolicy(attempts=1)
    )
    assert type(error) is kind


@pytest.mark.parametrize(("value", "replayed"), [("true", True), ("TRUE", False), ("false", False)])
async def test_a_replay_says_so_in_one_spelling(value: str, *, replayed: bool) -> None:
    """``Idempotent-Replayed: true``; anything else is not a replay."""
    headers = {"Idempotent-Replayed": value}
    response, _, _ = await outcome(answer(OK, headers=headers))
    assert response.idempotent_replayed is replayed
    error, _, _ = await outcome(answer({}, status=404, headers=headers))
    assert error.idempotent_replayed is replayed


async def test_a_success_is_reported_to_the_limiter() -> None:
    """Room for requests in flight is taken by each and given back by its answer."""
    concurrency = failure(429, Stripe_Rate_Limited_Reason="endpoint-concurrency")
    eng = calls.engine(ScriptedTransport([concurrency, *[OK] * 30]), FakeClock())
    for _ in range(30):
        await calls.call(eng, POST)
    assert eng.limiter.pace(None, "refresh").has_room


def test_a_context_counts_before_an_account() -> None:
    """The rate limit is that of the account which a call acts for."""
    named = calls.options(stripe_account="acct_1", stripe_context="acct_2")
    assert named.acting_for == "acct_2"
    assert calls.options(stripe_account="acct_1").acting_for == "acct_1"
    assert calls.options(stripe_context="acct_2").acting_for == "acct_2"
    assert calls.options().acting_for is None


async def test_an_attempt_that_met_a_stale_connection_is_made_again_while_there_is_time() -> None:
    """Half a second of its timeout is enough, and no wait of a retry comes before it."""
    clock = FakeClock()
    stale = lost()
    stale.is_stale = True

    class Slow(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            left.append(timeout)
            if len(left) == 1:
                clock.advance(4.5)
            return await super().send(request, timeout)

    left: list[float] = []
    response = await calls.call(
        calls.engine(Slow([stale, OK]), clock), POST, calls.options(timeout=5.0)
    )
    assert (response.attempts, left, clock.sleeps) == (2, [5.0, 0.5], [])


async def test_hooks_are_told_how_long_an_attempt_took() -> None:
    """From when it was sent, whatever came before it."""
    clock, hook = FakeClock(), RecordingHook()

    class Slow(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            clock.advance(0.25)
            return await super().send(request, timeout)

    eng = calls.engine(Slow([failure(500), OK]), clock, hooks=(hook,))
    await calls.call(eng, POST)
    attempts = [event for event in hook.events if isinstance(event, AttemptFinished)]
    assert [event.elapsed for event in attempts] == [0.25, 0.25]


async def test_reprs_of_calls_show_no_headers() -> None:
    """Neither those that are sent with every request, nor those of an answer."""
    response = await calls.call(calls.engine(ScriptedTransport([OK]), FakeClock()), GET)
    assert "header" not in repr(response)
    assert "head" not in repr(calls.options())
