"""The server's time: two estimates, each wrong only in the harmless direction."""

import pytest

from fcasync.bulk._plan.server_time import ServerTime
from fcasync.testing import FakeClock
from tests.bulk.plan._model import dated

SERVER = 1_700_000_000


def observing(clock: FakeClock) -> ServerTime:
    time = ServerTime(clock)
    time.observe(dated(SERVER))
    return time


def test_the_date_of_an_answer_is_the_time() -> None:
    """A local clock that is years off does not matter."""
    clock = FakeClock()
    time = observing(clock)
    clock.advance(10)
    assert (time.earliest(), time.latest()) == (SERVER + 10, SERVER + 10)


def test_a_machine_that_slept_has_two_times() -> None:
    """What began is dated as early, what is old is judged as late, as it can have been."""
    clock = FakeClock()
    time = observing(clock)
    clock.shift(3600)
    assert (time.earliest(), time.latest()) == (SERVER, SERVER + 3600)


def test_a_wall_clock_that_is_set_back_does_not_matter() -> None:
    """The monotonic clock went on."""
    clock = FakeClock()
    time = observing(clock)
    clock.advance(60)
    clock.shift(-86400)
    assert (time.earliest(), time.latest()) == (SERVER + 60, SERVER + 60)


@pytest.mark.parametrize("headers", [{}, {"Date": "yesterday"}, {"Date": ""}])
def test_an_answer_without_a_date_says_nothing(headers: dict[str, str]) -> None:
    """The last good date counts on; before the first, the wall clock is all there is."""
    clock = FakeClock()
    time = ServerTime(clock)
    time.observe(headers)
    assert time.earliest() == int(clock.time())
    time = observing(clock)
    time.observe(headers)
    assert time.earliest() == SERVER


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Type": "text/html"},
        {"Content-Type": "text/html", "Request-Id": "req_1"},
        {"Content-Type": "application/json"},
        {"Request-Id": "req_1"},
    ],
)
def test_only_stripes_own_responses_say_what_time_it_is(headers: dict[str, str]) -> None:
    """The error page of a proxy has a date as well, by whatever clock."""
    time = observing(FakeClock())
    assert time.observe({**headers, "Date": dated(SERVER + 172_800)["Date"]}) == 0.0
    assert time.earliest() == SERVER


def test_a_clock_that_is_set_back_is_noticed_once() -> None:
    """What was dated by the old clock has to be dated back by as much."""
    clock = FakeClock()
    time = observing(clock)
    clock.advance(10)
    assert time.observe(dated(SERVER + 10 - 7200)) == 7200
    clock.advance(10)
    assert time.observe(dated(SERVER + 20 - 7200)) == 0.0


def test_many_small_steps_back_add_up() -> None:
    """What is within the noise is remembered until it is not."""
    clock = FakeClock()
    time = observing(clock)
    steps = []
    for number in range(1, 11):
        clock.advance(10)
        steps.append(time.observe(dated(SERVER + 10 * number - 50 * number)))
    assert 440 <= sum(steps) <= 500


def test_a_response_that_took_long_sets_nothing_back() -> None:
    """Its date is that of its beginning; the next one shows that the clock goes on."""
    clock = FakeClock()
    time = observing(clock)
    clock.advance(40)
    assert time.observe(dated(SERVER + 5)) == 0.0
    assert time.observe(dated(SERVER + 40)) == 0.0
    assert time.earliest() == SERVER + 40
