"""The table of an account, and how a refresh goes from pending to its outcome."""

from hypothesis import given
from hypothesis import strategies as st

from fcasync.sandbox._bank.states import ACCOUNT, DAY, Refresh, Refused, Timing, after

TIMES = st.floats(0, 1e6, allow_nan=False)
EVENTS = sorted({event for events in ACCOUNT.values() for event in events})


def test_the_table_leads_only_to_its_own_states() -> None:
    """No event leaves the table."""
    targets = {state for events in ACCOUNT.values() for state in events.values()}

    assert targets <= ACCOUNT.keys()


@given(st.lists(st.sampled_from(EVENTS), max_size=12))
def test_a_disconnected_account_stays_so(events: list[str]) -> None:
    """Whatever is tried, in any order: nothing comes back from a disconnection."""
    state, gone = "active", False
    for event in events:
        try:
            state = after(state, event)
        except Refused:
            continue
        gone = gone or event == "disconnect"
        assert (state == "disconnected") == gone


@given(waits=st.lists(st.floats(0, 3.0), max_size=10), failure_rate=st.sampled_from([0, 0.5, 1]))
def test_a_refresh_is_pending_until_it_settles(waits: list[float], failure_rate: float) -> None:
    """A new attempt is pending until it settles, and a pending one is not started twice."""
    timing = Timing(failure_rate=failure_rate)
    refresh, now = Refresh(seed=3), 0.0
    for wait in waits:
        status = refresh.status(now, timing)
        begun = refresh.begun(now, timing)
        assert begun.number == refresh.number + (status != "pending")
        assert begun.status(now, timing) == "pending"
        assert begun.status(now + timing.settle_seconds, timing) in {"succeeded", "failed"}
        refresh, now = begun, now + wait


@given(started=TIMES, failure_rate=st.sampled_from([0.0, 1.0]))
def test_an_outcome_is_final(started: float, failure_rate: float) -> None:
    """Looking later, or writing a success down, never changes how a refresh ended."""
    timing = Timing(failure_rate=failure_rate)
    refresh = Refresh(seed=11).begun(started, timing)
    end = started + timing.settle_seconds
    expected = "failed" if failure_rate else "succeeded"

    assert refresh.status(end, timing) == expected
    assert refresh.status(end + DAY, timing) == expected
    assert refresh.settled(end, timing).status(end + DAY, timing) == expected
