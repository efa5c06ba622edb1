"""What the learner promises of the rate, apart from any slots."""

import math

import pytest

from fcasync._rules.learner import CLEARLY_PAST, CUT, DOUBLINGS, START_RATE, Learner
from fcasync._rules.limits import Limits
from fcasync._rules.rate import WINDOW, Rate
from fcasync._rules.slots import Slots


def test_a_ceiling_bounds_what_could_be_sent() -> None:
    """At its ceiling a rate does not grow, whether it is learning or not."""
    open_learner, learning = Learner(10.0), Learner(10.0)
    learning.start(10.0)
    assert open_learner.most_within(3.0) == 30.0
    assert learning.most_within(3.0) == 30.0


def test_below_the_ceiling_doubling_all_along_is_the_most() -> None:
    """The integral of a rate that doubles so many times a second, and never above the ceiling."""
    learner = Learner(math.inf)
    learner.start(None)
    assert learner.rate == START_RATE
    speed = DOUBLINGS * math.log(2)
    assert learner.most_within(2.0) == pytest.approx(START_RATE * math.expm1(2 * speed) / speed)
    bounded = Learner(60.0)
    bounded.start(START_RATE)
    assert bounded.most_within(10.0) == 600.0


def test_an_open_rate_has_no_bound() -> None:
    """Without a ceiling and without a 429 anything could be sent."""
    assert Learner(math.inf).most_within(1.0) == math.inf


def test_a_slot_given_back_is_not_use_of_the_rate() -> None:
    """A rate whose slots are all returned has no demand, and does not grow."""
    rate = Rate(Limits())
    rate.start_learning(20.0)
    now = 0.0
    for _ in range(200):
        now += rate.take(now)
        rate.give_back(now)
        now += 0.05
    assert rate.present == 20.0


def test_a_window_of_measuring_ends_to_the_moment() -> None:
    """What is sent at its very end belongs to the next one."""
    rate = Rate(Limits())
    rate.take(0.0)
    rate.take(WINDOW)
    assert rate.last_used == WINDOW


def test_those_in_line_do_not_wait_for_slots_of_before_a_probe() -> None:
    """When it ends without a cut, the next slot is one interval away, however many were taken."""
    rate = Rate(Limits())
    rate.start_learning(100.0)
    for _ in range(100):
        rate.take(0.0)
    rate.refused(0.0, 0.05)
    for sent_at in (0.01, 0.02, 0.03, 0.04, 0.05):
        rate.accepted(sent_at, 0.2)
    assert rate.present == pytest.approx(100 * CUT)
    assert rate.peek(0.2) == pytest.approx(1 / rate.present)


def test_a_free_slot_is_not_waited_for() -> None:
    """Neither who asks for it nor who takes it waits."""
    rate = Rate(Limits(max_rate=10.0))
    assert (rate.peek(5.0), rate.take(5.0), rate.take(6.0)) == (0.0, 0.0, 0.0)


def test_slots_are_free_from_the_moment_of_the_next() -> None:
    """A rate whose next slot begins right now has nothing to remember."""
    slots = Slots(None)
    slots.take(0.0, 1.0, is_paced=False)
    assert (slots.are_free(0.9), slots.are_free(1.0)) == (False, True)


@pytest.mark.parametrize(("rate", "seconds"), [(10.0, 0.4), (1000.0, 0.1)])
def test_a_probe_lasts_for_four_requests_and_a_tenth_of_a_second(
    rate: float, seconds: float
) -> None:
    """Whichever is longer: less than that measures noise."""
    learner = Learner(math.inf)
    learner.start(rate)
    learner.refused(1.0, 1.0)
    assert learner.probe is not None
    assert learner.probe.ends == pytest.approx(1.0 + seconds)


def probed(learner: Learner, began: float, refused: int, requests: int) -> Learner:
    """Return *learner* after a probe in which so many of so many requests were refused."""
    learner.refused(began, began)
    probe = learner.probe
    assert probe is not None
    probe.sent, probe.refused = requests, refused
    learner.conclude(began + 0.2)
    return learner


def touched() -> Learner:
    """Return a learner that has just met its first limit, of 70 a second, at the time 1.2."""
    learner = Learner(math.inf)
    learner.start(100.0)
    return probed(learner, 1.0, 3, 20)


@pytest.mark.parametrize(
    ("began", "refused", "limit"),
    [
        (1.3, 5, 35.0),  # soon, and half of it refused
        (1.3, 3, 70.0),  # soon, but most was accepted
        (5.0, 5, 70.0),  # half of it refused, but long after
        (5.0, 7, 21.0),  # most of it refused
    ],
)
def test_a_share_is_the_limit_when_most_was_refused_or_half_of_it_again(
    began: float, refused: int, limit: float
) -> None:
    """Otherwise the limit was just touched, and is the rate at the time."""
    assert probed(touched(), began, refused, 10).limit == pytest.approx(limit)


def test_a_limit_met_from_one_side_is_not_passed_by_doubling() -> None:
    """The end of slow start overshoots: twice its limit proves nothing before a second meeting."""
    learner = touched()
    learner.rate = 140.0
    learner.grow(0.25, 1000.0)
    assert learner.rate == 140.0


@pytest.mark.parametrize(("share_of_limit", "doubles"), [(CLEARLY_PAST, True), (1.1, False)])
def test_a_rate_clearly_past_its_limit_doubles(share_of_limit: float, doubles: bool) -> None:
    """From that very rate on the limit is a thing of the past."""
    learner = probed(touched(), 5.0, 3, 10)
    assert learner.limit == 70.0
    learner.rate = before = share_of_limit * 70.0
    learner.grow(0.25, 1000.0)
    assert (learner.rate == pytest.approx(before * 2 ** (0.25 * DOUBLINGS))) is doubles
