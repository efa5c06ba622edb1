"""Exactly once, over every history of a small world."""

import os
from typing import Any

import pytest

from fcasync.sandbox._api.faults import Fault
from tests.bulk.plan._model import History, histories

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


@pytest.mark.skipif("FCASYNC_EXHAUSTIVE" not in os.environ, reason="takes half an hour")
def test_no_history_at_all_ends_with_two_refreshes_or_none() -> None:
    """The same for every order of three faults of every kind and two gaps of every kind."""
    gaps = (SHORT, LONG, ("asleep", 60.0), LID)
    check(FAULTS + LIKE_ONE_OF_THOSE, 3, gaps, 2)
