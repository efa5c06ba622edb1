"""Exactly once, over every history of a small world."""

import os
from typing import Any

import pytest

from fcasync.sandbox._api.faults import Fault
from tests.bulk.plan._model import ZOMBIE, History, histories

DAY_AND_A_BIT = 30 * 3600.0
FAULTS = (
    Fault(kind="reset_before"),
    Fault(kind="reset_after"),
    Fault(kind="status", status=500, executed=True),
    Fault(kind="status", status=500, executed=False),
    Fault(kind="status", status=503, executed=True),
    Fault(kind="delay", seconds=10.0),  # the key is in use while the client has given up
)
LIKE_ONE_OF_THOSE = (
    Fault(kind="status", status=503, executed=False),
    Fault(kind="status", status=429),
    Fault(kind="garbage"),
)
SHORT, LONG, LID = ("killed", 60.0), ("killed", DAY_AND_A_BIT), ("asleep", DAY_AND_A_BIT)


SET_BACK, SET_AHEAD = ("clock set", -7200.0), ("clock set", 7200.0)
WEEK = 7 * 86_400.0
REFUSED_LOOK = Fault(operation="retrieve", kind="status", status=404)
STORED = (
    Fault(kind="reset_after"),
    Fault(kind="status", status=500, executed=True),
    Fault(kind="status", status=500, executed=False),
)


def check(faults: tuple[Fault, ...], strikes: int, gaps: tuple[Any, ...], pauses: int) -> None:
    count = 0
    for history, past in histories(History.begin(), faults, strikes, gaps, pauses):
        assert history.task is not None
        assert history.task.verdict is not None
        assert history.executions == 1, past
        assert history.task.verdict.status == "succeeded", past
        assert history.row is not None
        assert history.row.status == "succeeded", past
        count += 1
    assert count > len(faults) ** strikes


@pytest.mark.parametrize(
    ("strikes", "gaps", "pauses"),
    [(3, (), 0), (2, (LONG,), 1), (1, (SHORT, LONG, LID), 2), (0, (SHORT, LONG, LID), 3)],
)
def test_no_history_ends_with_two_refreshes_or_none(
    strikes: int, gaps: tuple[Any, ...], pauses: int
) -> None:
    """Whatever goes wrong in whatever order, the account is refreshed exactly once."""
    check(FAULTS, strikes, gaps, pauses)


@pytest.mark.parametrize(("strikes", "pauses"), [(3, 1), (2, 2)])
def test_no_step_of_the_servers_clock_makes_two_refreshes_or_none(
    strikes: int, pauses: int
) -> None:
    """A clock that is set during a run makes no intent look newer than it is."""
    gaps = (SET_BACK, SET_AHEAD)
    for history, past in histories(History.begin(), STORED, strikes, gaps, pauses):
        confirm(history, past)


def confirm(history: History, past: tuple[str, ...]) -> bool:
    """Compare what is claimed with what was done; return whether it had to be tried again."""
    assert history.task is not None
    assert history.task.verdict is not None
    assert history.executions <= 1, past
    is_failed = history.task.verdict.status == "failed"
    if is_failed:
        assert not history.task.is_certain, past
        history.retry(6 * 3600.0)
    assert history.task.verdict.status in ("accepted", "succeeded"), past
    assert history.executions == 1, past
    return is_failed


@pytest.mark.parametrize(("strikes", "gaps", "pauses"), [(3, (), 0), (2, (LONG,), 1)])
def test_a_refused_look_claims_nothing(strikes: int, gaps: tuple[Any, ...], pauses: int) -> None:
    """What ended as failed because the look was refused may have run, and is not run again."""
    faults = (*STORED, REFUSED_LOOK)
    ends = histories(History.begin(), faults, strikes, gaps, pauses)
    assert sum(confirm(history, past) for history, past in ends) > 0


@pytest.mark.parametrize(("strikes", "gaps", "pauses"), [(2, (SHORT, LONG), 1), (3, (), 0)])
def test_a_request_that_arrives_late_is_recognized(
    strikes: int, gaps: tuple[Any, ...], pauses: int
) -> None:
    """One that executes after the next generation was chosen makes Stripe refuse the next one.

    That refusal is then not a reason to defer the account and refresh it once more: the account
    itself shows the refresh. Histories that end before the late request arrives are left out.
    """
    faults = (ZOMBIE, *STORED)
    for history, past in histories(History.begin(WEEK), faults, strikes, gaps, pauses):
        assert history.task is not None
        assert history.task.verdict is not None
        history.deliver()
        assert history.executions == 1, past
        assert history.task.verdict.status == "succeeded", past


exhaustive = pytest.mark.skipif("FCASYNC_EXHAUSTIVE" not in os.environ, reason="takes half an hour")


@exhaustive
def test_no_history_at_all_ends_with_two_refreshes_or_none() -> None:
    """The same for every order of three faults of every kind and two gaps of every kind."""
    gaps = (SHORT, LONG, ("asleep", 60.0), LID)
    check(FAULTS + LIKE_ONE_OF_THOSE, 3, gaps, 2)


@exhaustive
def test_no_clock_step_and_no_refused_look_at_all_claims_too_much() -> None:
    """The same with a clock that is set, kills, and looks that are refused, in every order.

    The kills are short ones: nobody can know of a clock that was set back, by hours, between two
    answers, if the run is killed before the next answer and a day passes before it is resumed.
    """
    faults, gaps = (*STORED, REFUSED_LOOK), (SHORT, SET_BACK, SET_AHEAD)
    ends = histories(History.begin(), faults, 3, gaps, 2)
    assert sum(confirm(history, past) for history, past in ends) > 0


@exhaustive
def test_no_late_request_at_all_is_done_twice() -> None:
    """The same with requests that arrive at any time after their sender has given up."""
    for history, past in histories(History.begin(WEEK), (ZOMBIE, *STORED), 3, (SHORT, LONG), 2):
        history.deliver()
        assert history.executions == 1, past
        assert history.task is not None
        assert history.task.verdict is not None
        assert history.task.verdict.status == "succeeded", past
