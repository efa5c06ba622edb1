"""The brake: while nothing but failures arrives, a server is probed rather than loaded."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.bulk._plan.brake import FAILURES, LONGEST_GAP, Brake


def sends(brake: Brake, seconds: float, rate: float) -> list[float]:
    """Send whenever the brake and the *rate* let it, each answered by a 503 at once."""
    times, now = [], 0.0
    while now < seconds:
        if wait := brake.wait(now):
            now += wait
            continue
        brake.take(now)
        times.append(now)
        brake.failed(now, "503")
        now += 1 / rate
    return times


@pytest.mark.parametrize("rate", [5.0, 25.0, 400.0, 10_000.0])
def test_an_outage_of_a_minute_gets_a_hundred_to_two_hundred_requests(rate: float) -> None:
    """However fast the job was, and enough of them for the rule that ends the run."""
    times = sends(Brake(), 60.0, rate)
    assert 100 <= len(times) <= 200
    assert len([when for when in times if when >= 50.0]) <= 10


def test_the_rate_halves_with_each_burst_of_failures() -> None:
    """Twenty in a row begin it at half of 25 a second, and each further twenty halve it."""
    brake, gaps = Brake(), []
    for number in range(6 * FAILURES):
        brake.take(0.0)
        if number % FAILURES == 0:
            gaps.append(brake.wait(0.0))
        brake.failed(0.0, "503")
    assert gaps == pytest.approx([0.0, 0.08, 0.16, 0.32, 0.64, LONGEST_GAP])


@given(
    st.lists(st.tuples(st.floats(0.0, 5.0), st.booleans(), st.booleans())),
)
def test_only_failures_in_a_row_brake_and_one_good_answer_releases(
    answers: list[tuple[float, bool, bool]],
) -> None:
    """Whatever arrives in whatever order, the wait is bounded, and nothing after a good answer."""
    brake, now, in_a_row = Brake(), 0.0, 0
    for seconds, is_good, is_sent in answers:
        now += seconds
        if is_sent and not brake.wait(now):
            brake.take(now)
        if is_good:
            brake.good()
            in_a_row = 0
            assert brake.wait(now) == 0.0
        else:
            brake.failed(now, "503")
            in_a_row += 1
        assert brake.is_well == is_good
        assert 0.0 <= brake.wait(now) <= LONGEST_GAP
        if in_a_row < FAILURES:
            assert brake.wait(now) == 0.0
            assert brake.outage(now) is None


@given(share=st.integers(5, 100), answers=st.integers(1, 500))
def test_failures_now_and_then_do_not_brake(share: int, answers: int) -> None:
    """One answer in five that is a 5xx is a matter of the retries alone."""
    brake = Brake()
    for number in range(answers):
        assert brake.wait(float(number)) == 0.0
        brake.take(float(number))
        if number % share:
            brake.good()
        else:
            brake.failed(float(number), "503")


def test_an_outage_is_named_by_what_alone_arrived_and_for_how_long() -> None:
    """From the first of the failures in a row, and only once there are enough of them."""
    brake = Brake()
    for _ in range(FAILURES):
        assert brake.outage(20.0) is None
        brake.failed(8.0, "503")
    assert brake.outage(20.0) == "only 503 for 12 s"
    brake.failed(21.0, "timeouts")
    assert brake.outage(128.0) == "only 503 and timeouts for 0:02:00"
    brake.good()
    assert brake.outage(128.0) is None
    assert brake.wait(-math.inf) == 0.0
