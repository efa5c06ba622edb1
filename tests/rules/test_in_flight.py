"""The number of requests in flight, bounded by what Stripe refuses."""

from fcasync._rules.in_flight import SHARE, InFlight


def counting(count: int) -> InFlight:
    flight = InFlight()
    assert flight.count == 0
    for _ in range(count):
        flight.begin()
    return flight


def test_there_is_no_bound_before_a_complaint() -> None:
    """Any number may be in flight, and acceptances change nothing."""
    flight = counting(1000)
    flight.accepted()
    assert (flight.count, flight.bound, flight.has_room) == (1000, None, True)


def test_a_complaint_leaves_a_share_of_what_was_in_flight() -> None:
    """The refused request has ended already, and counts as having been in flight."""
    flight = counting(9)
    flight.refused()
    assert flight.bound == int(10 * SHARE)
    assert not flight.has_room
    for _ in range(2):
        flight.end()
    assert flight.has_room


def test_at_least_one_may_be_in_flight() -> None:
    """However often Stripe complains, the work goes on."""
    flight = counting(1)
    flight.end()
    for _ in range(5):
        flight.refused()
    assert (flight.bound, flight.has_room) == (1, True)


def test_complaints_about_requests_of_before_do_not_cut_twice() -> None:
    """What was sent under the old bound says nothing about the new one."""
    flight = counting(99)
    flight.refused()
    assert flight.bound == 80
    flight.refused()
    assert flight.bound == 80


def test_the_bound_grows_by_one_for_each_round_of_acceptances() -> None:
    """Three accepted under a bound of three make it four; then four are needed."""
    flight = counting(3)
    flight.refused()
    bounds = []
    for _ in range(8):
        flight.accepted()
        bounds.append(flight.bound)
    assert bounds == [3, 3, 4, 4, 4, 4, 5, 5]


def test_the_count_is_never_negative() -> None:
    """Ends that are reported twice do not open room that is not there."""
    flight = counting(1)
    for _ in range(3):
        flight.end()
    assert flight.count == 0
