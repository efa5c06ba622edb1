"""What the learner promises of the rate, apart from any slots."""

import math

import pytest

from fcasync._rules.learner import DOUBLINGS, START_RATE, Learner
from fcasync._rules.limits import Limits
from fcasync._rules.rate import Rate


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
