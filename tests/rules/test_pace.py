"""The limiter: slots, learning, and what it makes of a limit that nobody has named."""

import heapq
import json
import math
import random
import sys
import threading
from collections.abc import Callable

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync._rules.learner import CUT, FIRST_CUT, HOLD, SLOWEST, START_RATE, UNDER, cubic
from fcasync._rules.limiter import MAX_PACES, Limiter
from fcasync._rules.limits import Limits
from fcasync._rules.pace import Pace
from fcasync._rules.slots import CATCH_UP
from fcasync.errors import InvalidArgumentError
from tests._paths import DATA

VECTORS = DATA / "vectors" / "aws_adaptive.json"


def limited_at(rate: float, burst: float | None = None) -> Pace:
    return Pace(Limits(max_rate=rate, burst=burst))


@pytest.mark.parametrize("value", [0, -1, math.nan, math.inf, True, "25", [25]])
def test_a_ceiling_is_a_positive_number(value: object) -> None:
    """A rate that cannot be kept is refused before anything is sent."""
    with pytest.raises(InvalidArgumentError, match="max_rate must be a positive number"):
        Limits(max_rate=value)  # type: ignore[arg-type]


def test_a_burst_is_at_least_one_request() -> None:
    """A burst below one would never let anything pass."""
    with pytest.raises(InvalidArgumentError, match="burst must be a number of at least 1"):
        Limits(burst=0.5)


def test_an_open_pace_never_waits() -> None:
    """Without a ceiling and without a 429 there is nothing to wait for."""
    pace = Pace()
    assert [pace.reserve(now) for now in (0.0, 0.0, 0.1, 99.0)] == [0.0] * 4
    assert (pace.rate, pace.limit, repr(pace)) == (None, None, "<Pace unlimited>")


def test_slots_are_evenly_spaced() -> None:
    """A ceiling without a burst gives one slot every 1/rate seconds."""
    pace = limited_at(10)
    assert [pace.reserve(5.0) for _ in range(4)] == pytest.approx([0.0, 0.1, 0.2, 0.3])


def test_a_burst_goes_at_once_after_a_quiet_spell() -> None:
    """The burst is what may go without waiting; then the rate counts."""
    pace = limited_at(10, burst=3)
    assert [pace.reserve(5.0) for _ in range(5)] == pytest.approx([0.0, 0.0, 0.0, 0.1, 0.2])
    assert pace.reserve(60.0) == 0.0


def test_asking_takes_no_slot() -> None:
    """A call that could not be served in time can find out without standing in line."""
    pace = limited_at(10)
    pace.reserve(0.0)
    assert [pace.wait_for(0.0), pace.wait_for(0.0), pace.reserve(0.0)] == [0.1, 0.1, 0.1]


def test_a_slot_given_back_is_used_by_the_next() -> None:
    """A cancelled wait costs the others nothing, and no slot is used twice."""
    pace = limited_at(10)
    waits = [pace.reserve(0.0) for _ in range(4)]
    pace.release(waits[1])
    assert [pace.reserve(0.0), pace.reserve(0.0)] == pytest.approx([0.1, 0.4])


@given(
    rate=st.floats(0.5, 1000),
    burst=st.none() | st.floats(1, 50),
    steps=st.lists(st.tuples(st.floats(0, 2), st.booleans()), max_size=80),
)
def test_never_more_than_burst_plus_rate_times_time(
    rate: float, burst: float | None, steps: list[tuple[float, bool]]
) -> None:
    """In any stretch of time, whatever is cancelled, the ceiling holds; no wait is negative."""
    pace, now, used = limited_at(rate, burst), 0.0, list[float]()
    for pause, cancelled in steps:
        now += pause
        wait = pace.reserve(now)
        assert wait >= 0.0
        if cancelled:
            pace.release(now + wait)
        else:
            used.append(now + wait)
    used.sort()
    allowed = burst or 1.0
    for first, start in enumerate(used):
        for last, end in enumerate(used[first:], first):
            assert last - first + 1 <= allowed + rate * (end - start) + 1e-6


@given(pauses=st.lists(st.floats(0, 1), min_size=1, max_size=60), rate=st.floats(1, 100))
def test_slots_are_handed_out_in_order(pauses: list[float], rate: float) -> None:
    """Who asked first goes first."""
    pace, now, slots = limited_at(rate), 0.0, list[float]()
    for pause in pauses:
        now += pause
        slots.append(now + pace.reserve(now))
    assert slots == sorted(slots)


@given(
    st.lists(
        st.tuples(st.floats(0, 1), st.sampled_from(["send", "ok", "429", "resource"])), max_size=200
    ),
    st.booleans(),
)
def test_no_history_breaks_the_pace(events: list[tuple[float, str]], learns: bool) -> None:
    """Whatever comes back, the rate keeps its floor and its ceiling, and waits are short."""
    pace, now = Pace(Limits(max_rate=200)), 0.0
    if learns:
        pace.learn()
    for pause, event in events:
        now += pause
        if event == "send":
            assert 0.0 <= pace.reserve(now) <= len(events) / SLOWEST
        else:
            reason = "resource-specific" if event == "resource" else None
            pace.answered(now, now, limited=event != "ok", reason=reason)
        assert pace.rate is not None
        assert SLOWEST <= pace.rate <= 200


def test_the_first_429_ends_the_open_phase() -> None:
    """From then on calls are spaced, at a rate taken from what was served before."""
    pace = Pace()
    for tick in range(100):
        pace.reserve(tick / 100)
        pace.answered(tick / 100, tick / 100, limited=False)
    pace.answered(1.0, 1.0, limited=True)
    assert pace.rate == pytest.approx(100 * FIRST_CUT, rel=0.05)
    assert pace.reserve(1.0) == pytest.approx(HOLD)
    assert pace.reserve(1.0) == pytest.approx(HOLD + 1 / 70, rel=0.05)


def test_one_object_does_not_slow_the_others() -> None:
    """A 429 because of one locked object says nothing about the rate."""
    pace = Pace()
    pace.answered(1.0, 1.0, limited=True, reason="resource-specific")
    assert pace.rate is None


def probe(pace: Pace, now: float, *, refused: int, accepted: int) -> float:
    """Let *pace* measure: of what it sends in its window, so many are refused and accepted."""
    sent: list[float] = []
    while len(sent) < refused + accepted:
        sent.append(now := now + pace.reserve(now))
    for number, at in enumerate(sent):
        pace.answered(at, now, limited=number < refused)
    later = now + 0.3 + pace.reserve(now + 0.3)
    pace.answered(later, later, limited=False)
    return later


@pytest.mark.parametrize("reason", [None, "endpoint-rate", "something-new"])
def test_429s_about_the_rate_are_a_measurement(reason: str | None) -> None:
    """When most of a burst is refused, the share that was accepted is the limit: one step."""
    pace, sent = Pace(), []
    pace.learn(100)
    for _ in range(11):
        sent.append(pace.reserve(0.0))
    for number, at in enumerate(sent):
        pace.answered(at, 0.12, limited=number % 10 != 0, reason=reason)
    pace.reserve(0.13)
    pace.answered(0.13, 0.2, limited=False)
    assert pace.limit == pytest.approx(100 * 4 / 13)
    assert pace.limit is not None
    assert pace.rate == pytest.approx(pace.limit * UNDER)


def test_one_refusal_does_not_end_slow_start() -> None:
    """A single 429 may be chance: the rate steps back a little, and goes on doubling."""
    pace = Pace()
    pace.learn(100)
    now = probe(pace, 0.0, refused=1, accepted=20)
    assert pace.limit is None
    assert pace.rate == pytest.approx(100 * CUT)
    drive(pace, 2.0, start=now)
    assert pace.rate is not None
    assert pace.rate > 200


def test_a_limit_that_is_touched_is_remembered() -> None:
    """Where few of a window are refused, the rate at the time is the limit."""
    pace = Pace()
    pace.learn(100)
    probe(pace, 0.0, refused=3, accepted=20)
    assert pace.limit == pytest.approx(100 * FIRST_CUT)
    assert pace.rate == pytest.approx(pace.limit)


def test_old_429s_are_not_news() -> None:
    """Requests sent before a cut say nothing about the rate after it."""
    pace = Pace()
    pace.learn(100)
    now = probe(pace, 0.0, refused=3, accepted=20)
    rate = pace.rate
    for at in (0.0, 0.05):
        pace.answered(at, now + 0.1, limited=True)
    pace.reserve(now + 0.1)
    assert pace.rate == rate


@pytest.mark.parametrize(("reason", "other_is_free"), [("global-rate", False), (None, True)])
def test_global_reasons_are_about_all_operations(reason: str | None, other_is_free: bool) -> None:
    """An account's other operations wait as well, and those of other accounts never."""
    limiter = Limiter()
    limiter.pace("acct_1", "refresh").answered(1.0, 1.0, limited=True, reason=reason)
    waits = [limiter.pace("acct_1", "retrieve").reserve(1.0) for _ in range(3)]
    assert (waits == [0.0] * 3) is other_is_free
    assert [limiter.pace("acct_2", "retrieve").reserve(1.0) for _ in range(3)] == [0.0] * 3


def test_a_concurrency_reason_bounds_what_is_in_flight() -> None:
    """Four fifths of what was in flight; the bound grows with what is answered, one by one."""
    pace = Pace()
    for _ in range(10):
        pace.reserve(0.0)
    pace.answered(0.0, 0.1, limited=True, reason="endpoint-concurrency")
    assert (pace.rate, pace.operation.in_flight.bound, pace.has_room) == (None, 8, False)
    for _ in range(9):
        pace.answered(0.0, 0.2, limited=False)
    assert (pace.operation.in_flight.bound, pace.operation.in_flight.count, pace.has_room) == (
        9,
        0,
        True,
    )


@given(seconds=st.floats(0, 100), rate=st.floats(0.5, 1000))
def test_the_most_that_may_be_sent_is_an_upper_bound(seconds: float, rate: float) -> None:
    """Whoever is refused because of it could not have been served, however the rate grows."""
    pace = Pace()
    pace.learn(rate)
    most, now, sent = pace.most_until(0.0, seconds), 0.0, 0
    while now <= min(seconds, 3.0) and sent < 2000:
        now += pace.reserve(now)
        pace.answered(now, now, limited=False)
        sent += now <= seconds
    assert sent <= most + 1


def drive(pace: Pace, seconds: float, start: float = 0.0) -> float:
    """Use every slot for *seconds*, with answers that come at once."""
    now = start
    while now < start + seconds:
        now += pace.reserve(now)
        pace.answered(now, now, limited=False)
    return now


def test_slow_start_doubles_the_rate() -> None:
    """From 25 a second, a rate of 200 is reached within about two seconds."""
    pace = Pace()
    pace.learn()
    assert pace.rate == START_RATE
    drive(pace, 2.1)
    assert pace.rate == pytest.approx(200, rel=0.35)


def test_a_ceiling_is_approached_from_its_half() -> None:
    """Whoever names the limit is believed, and not tested at once."""
    pace = limited_at(80)
    pace.learn()
    assert pace.rate == 40
    drive(pace, 2.0)
    assert pace.rate == 80


def test_a_rate_that_is_not_used_does_not_grow() -> None:
    """Only traffic proves a rate: half of it, for however long, changes nothing."""
    pace = Pace()
    pace.learn(10)
    for tick in range(500):
        pace.reserve(tick / 5)
        pace.answered(tick / 5, tick / 5, limited=False)
    assert pace.rate == 10


def test_a_learnt_pace_keeps_what_it_learnt() -> None:
    """A second job on the same client starts where the first one left off."""
    pace = Pace()
    pace.learn(100)
    probe(pace, 0.0, refused=3, accepted=20)
    rate = pace.rate
    pace.learn()
    assert pace.rate == rate


def test_a_job_that_met_no_limit_leaves_none_behind() -> None:
    """After the last job single calls are free again, unless a 429 has taught otherwise."""
    pace = Pace()
    pace.learn()
    pace.learn()
    pace.unlearn()
    assert pace.rate == START_RATE
    pace.unlearn()
    assert [pace.rate, pace.reserve(0.0), pace.reserve(0.0)] == [None, 0.0, 0.0]
    pace.learn(100)
    probe(pace, 0.0, refused=3, accepted=20)
    pace.unlearn()
    assert pace.rate == pytest.approx(70)


def test_a_late_loop_catches_up_only_a_little() -> None:
    """A learnt pace makes up for CATCH_UP seconds of slots, never for a long pause."""
    pace = Pace()
    pace.learn(100)
    pace.reserve(0.0)
    at_once = sum(pace.reserve(0.4) == 0.0 for _ in range(50))
    assert at_once == pytest.approx(CATCH_UP * 100 + 1, abs=1)


def test_the_growth_is_cubic() -> None:
    """Published sequences (beta 0.7, scale 0.4) come out to the last digit."""
    groups = json.loads(VECTORS.read_text())["groups"]["adaptiveRetryCubicTestCases"]
    for group in groups.values():
        good, cut_at = group["given"]["last_max_rate"], group["given"]["last_throttle_time"]
        rate = good
        for case in group["cases"]:
            now = case["timestamp"]
            if case["response"] == "throttle":
                good, cut_at, rate = rate, now, rate * 0.7
            else:
                rate = cubic(good, good * 0.7, now - cut_at)
            assert rate == pytest.approx(case["calculated_rate"])


def test_growth_returns_to_the_good_rate_lingers_and_goes_on() -> None:
    """The curve starts at the cut, is flat at the good rate and steep away from it."""
    plateau = math.cbrt(15 / 0.4)
    curve = [cubic(100, 85, at) for at in (0, plateau - 1, plateau, plateau + 1, plateau + 5)]
    assert curve == pytest.approx([85, 99.6, 100, 100.4, 150])


def test_paces_are_apart_for_each_account_and_operation() -> None:
    """One account's or endpoint's 429 does not slow another's."""
    limiter = Limiter()
    limiter.pace("acct_1", "refresh").answered(1.0, 1.0, limited=True)
    rates = [limiter.pace(*key).rate for key in [(None, "refresh"), ("acct_1", "retrieve")]]
    assert rates == [None, None]
    assert limiter.pace("acct_1", "refresh").rate is not None


def test_a_limiter_does_not_grow_for_ever() -> None:
    """Any number of connected accounts leaves at most MAX_PACES paces; learnt ones stay."""
    limiter = Limiter()
    limiter.pace("acct_learnt", "refresh").answered(1.0, 1.0, limited=True)
    for number in range(4 * MAX_PACES):
        limiter.pace(f"acct_{number}", "refresh").reserve(number / 1000)
        assert len(limiter) <= MAX_PACES
    assert limiter.pace("acct_learnt", "refresh").rate is not None


def test_a_limiter_of_learnt_paces_is_bounded_too() -> None:
    """When every pace learnt something, the oldest ones go."""
    limiter = Limiter(Limits(max_rate=1))
    for number in range(MAX_PACES + 1):
        limiter.pace(f"acct_{number}", "refresh").reserve(0.0)
    assert len(limiter) == MAX_PACES // 2 + 1


@attrs.define
class Bucket:
    """Stripe's side: a token bucket whose rate may change."""

    rate: Callable[[float], float]
    burst: float = 25.0
    tokens: float = 25.0
    filled_at: float = 0.0

    def take(self, now: float) -> bool:
        gained = (now - self.filled_at) * self.rate(now)
        self.tokens, self.filled_at = min(self.burst, self.tokens + gained), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True


@attrs.frozen
class Traffic:
    """What became of a simulated run, as parts of 1."""

    goodput: float
    refused: float
    foreign_refused: float


def simulate(
    rate: Callable[[float], float],
    seconds: float,
    *,
    latency: float = 0.12,
    foreign: float = 0.0,
    seed: int = 7,
) -> Traffic:
    """Send as fast as a learning pace lets us, in virtual time, next to *foreign* requests/s."""
    dice, bucket, pace = random.Random(seed), Bucket(rate), Pace()
    pace.learn()
    served, others = [0, 0], [0, 0]
    events: list[tuple[float, int, str, float, bool]] = [(0.0, 0, "send", 0.0, True)]
    if foreign:
        events.append((0.0, 1, "foreign", 0.0, True))
    number = len(events)

    def at(when: float, kind: str, sent: float = 0.0, good: bool = True) -> None:
        nonlocal number
        number += 1
        heapq.heappush(events, (when, number, kind, sent, good))

    while events[0][0] <= seconds:
        now, _, kind, sent, good = heapq.heappop(events)
        if kind == "send":
            sent = now + pace.reserve(now)
            at(sent + latency / 2, "arrive", sent)
            at(sent, "send")
        elif kind == "arrive":
            at(now + latency / 2, "answer", sent, bucket.take(now))
        elif kind == "answer":
            served[good] += 1
            pace.answered(sent, now, limited=not good)
        else:
            others[bucket.take(now)] += 1
            at(now + dice.expovariate(foreign), "foreign")
    possible = sum(rate(second + 0.5) for second in range(int(seconds)))
    return Traffic(
        goodput=served[True] / possible,
        refused=served[False] / sum(served),
        foreign_refused=others[False] / (sum(others) or 1),
    )


def test_an_unknown_limit_is_found_and_used() -> None:
    """100/s with a burst of 25 at 120 ms: at least 95 % is used, at most 2 % is refused."""
    traffic = simulate(lambda _: 100, 120)
    assert traffic.goodput >= 0.95
    assert traffic.refused <= 0.02


def test_a_limit_that_drops_and_comes_back_is_followed() -> None:
    """100/s, 40/s for a minute, 100/s again: at least 90 % of it is used."""
    traffic = simulate(lambda now: 40 if 60 <= now < 120 else 100, 180)
    assert traffic.goodput >= 0.90


@pytest.mark.parametrize("seed", range(4))
def test_others_on_the_same_key_get_their_share(seed: int) -> None:
    """Foreign traffic of 50/s under the same limit of 100/s sees at most 5 % refusals."""
    traffic = simulate(lambda _: 100, 180, foreign=50, seed=seed)
    assert traffic.foreign_refused <= 0.05
    assert traffic.goodput >= 0.45


@pytest.mark.parametrize("latency", [0.01, 0.5, 1.0])
def test_slow_answers_make_for_a_slow_start(latency: float) -> None:
    """However long an answer takes, nine tenths of the limit is used and few are refused."""
    traffic = simulate(lambda _: 100, 300, latency=latency)
    assert traffic.goodput >= 0.9
    assert traffic.refused <= 0.1


def test_threads_share_a_limiter(monkeypatch: pytest.MonkeyPatch) -> None:
    """A client may be used from several threads: no slot is given twice, and nothing breaks."""
    monkeypatch.setattr("fcasync._rules.limiter.MAX_PACES", 8)
    limiter, shared = Limiter(), limited_at(1000.0)
    failures: list[Exception] = []
    slots: list[float] = []

    def work(number: int) -> None:
        try:
            for turn in range(1000):
                limiter.pace(f"acct_{number}_{turn}", "refresh").reserve(0.0)
                slots.append(shared.reserve(0.0))
        except Exception as error:
            failures.append(error)

    patience = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    sys.setswitchinterval(patience)
    assert failures == []
    assert len({round(slot, 6) for slot in slots}) == len(slots)
    assert len(limiter) <= 8


def test_the_pace_never_stands_still() -> None:
    """However many 429s there are, it asks again every other second."""
    pace, now = Pace(Limits()), 0.0
    for _ in range(200):
        now += pace.reserve(now)
        pace.answered(now, now + 0.05, limited=True)
        now += 0.05
    assert pace.rate == 0.5


def test_a_slot_that_is_given_back_was_not_sent() -> None:
    """Else a share of what was sent would seem to be refused; and a new window begins at none."""
    pace = Pace(Limits(max_rate=10.0))
    rate = pace.operation.rate
    for slot in (0.0, 0.1):
        pace.reserve(0.0)
        pace.release(slot)
    assert rate._sent == 0
    pace.release(0.2)
    assert rate._sent == 0


def test_the_first_429_and_its_companions_are_one() -> None:
    """What was sent before the pace began says nothing about it: no probe, no second cut."""
    pace = Pace()
    for _ in range(10):
        pace.reserve(0.0)
    pace.answered(0.0, 0.1, limited=True)
    began = pace.rate
    for _ in range(9):
        pace.answered(0.0, 0.2, limited=True)
    assert pace.operation.rate._learner.probe is None
    assert pace.rate == began


def test_threads_that_share_a_pace_lose_no_count() -> None:
    """Whatever was begun has ended, however often the threads took turns in the middle."""
    pace, before = Pace(), sys.getswitchinterval()

    def work() -> None:
        for number in range(20_000):
            pace.reserve(0.0)
            if number % 2:
                pace.lost()
            else:
                pace.answered(0.0, 0.0, limited=False)

    threads = [threading.Thread(target=work) for _ in range(4)]
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    assert (pace.operation.in_flight.count, pace.tenant.in_flight.count) == (0, 0)
