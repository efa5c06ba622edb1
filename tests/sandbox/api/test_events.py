"""The list of events: what happened, newest first, for 30 days."""

from typing import Any

import pytest

from fcasync.sandbox._bank.events import LONGEST
from tests.sandbox.worlds import EVENTS, START, Driver, driver

BALANCE = ("features[]", "balance")
DAY = 86_400
PREFIX = "financial_connections.account."


def busy(count: int = 7, **settings: Any) -> Driver:
    """Return a world in which accounts 0, 1, ... were disconnected, one each second."""
    api = driver(varied=False, **settings)
    for index in range(count):
        api.post(api.url(index, "disconnect"))
        api.now += 1
    return api


def ids(api: Driver, *params: tuple[str, Any]) -> list[str]:
    return [event["data"]["object"]["id"] for event in api.get(EVENTS, *params)["data"]]


def test_events_are_listed_newest_first_and_paged() -> None:
    """Cursors work in both directions, as for all other lists."""
    api = busy()
    accounts = [api.account_id(index) for index in range(6, -1, -1)]
    events = api.events()
    assert [event["data"]["object"]["id"] for event in events] == accounts
    page = api.get(EVENTS, ("limit", 3))
    assert page["has_more"]
    assert page["url"] == EVENTS
    assert ids(api, ("limit", 3), ("starting_after", events[2]["id"])) == accounts[3:6]
    assert ids(api, ("limit", 3), ("ending_before", events[5]["id"])) == accounts[2:5]
    assert not api.get(EVENTS, ("ending_before", events[3]["id"]))["has_more"]


def test_a_page_stays_right_while_events_arrive() -> None:
    """What is new comes before the first page, and shifts no other."""
    api = busy()
    page = api.get(EVENTS, ("limit", 3))
    api.post(api.url(20, "disconnect"))
    rest = api.get(EVENTS, ("limit", 100), ("starting_after", page["data"][-1]["id"]))
    newer = api.get(EVENTS, ("limit", 100), ("ending_before", page["data"][0]["id"]))
    assert len(page["data"]) + len(rest["data"]) == 7
    assert [event["data"]["object"]["id"] for event in newer["data"]] == [api.account_id(20)]


def test_events_are_filtered_by_type_and_time() -> None:
    """`type`, `types[]` and `created`, alone and together."""
    api = busy(3)
    api.post(api.url(9, "refresh"), BALANCE)
    api.now += 10
    other, mine = f"{PREFIX}refreshed_balance", f"{PREFIX}disconnected"
    assert len(ids(api)) == 4
    assert ids(api, ("type", other)) == [api.account_id(9)]
    assert len(ids(api, ("types[]", other), ("types[]", mine))) == 4
    assert ids(api, ("types[]", mine), ("created[gte]", int(START) + 2)) == [api.account_id(2)]
    assert ids(api, ("created[lt]", int(START) + 1)) == [api.account_id(0)]
    assert ids(api, ("created", int(START) + 1)) == [api.account_id(1)]
    assert ids(api, ("type", "charge.succeeded")) == []


def test_events_are_filtered_by_their_delivery() -> None:
    """Without an endpoint nothing is undelivered; with one, all is until it is taken."""
    assert len(ids(busy(3), ("delivery_success", "true"))) == 3
    api = busy(3, delivers=True)
    first = api.world.news(api.now)[0]
    assert len(ids(api, ("delivery_success", "false"))) == 3
    assert {event["pending_webhooks"] for event in api.events()} == {1}
    api.world.store.log.undelivered.discard(first.number)
    assert ids(api, ("delivery_success", "true")) == [api.account_id(0)]
    assert len(ids(api, ("delivery_success", "false"))) == 2


def test_events_are_kept_for_thirty_days() -> None:
    """After that they are in no list, and cannot be retrieved."""
    api = busy(2)
    older = api.events()[1]["id"]
    api.now = START + 30 * DAY - 1
    assert len(ids(api)) == 2
    api.now = START + 30 * DAY + 0.5
    assert ids(api) == [api.account_id(1)]
    status, body = api.send("GET", f"{EVENTS}/{older}")
    assert (status, body["error"]["code"]) == (404, "resource_missing")


def test_the_log_does_not_grow_without_end() -> None:
    """Beyond a bound the oldest events are forgotten."""
    api = driver(accounts=LONGEST + 50, varied=False)
    for index in range(LONGEST + 50):
        api.post(api.url(index, "disconnect"))
    api.now += 1
    assert len(api.events()) == LONGEST


@pytest.mark.parametrize(
    ("params", "param"),
    [
        ([("limit", 0)], "limit"),
        ([("delivery_success", "maybe")], "delivery_success"),
        ([("type", "a"), ("types[]", "b")], "types"),
        ([("types[]", str(number)) for number in range(21)], "types"),
        ([("created[before]", 1)], "created[before]"),
        ([("starting_after", "evt_1")], "starting_after"),
        ([("starting_after", "evt_1"), ("ending_before", "evt_2")], "ending_before"),
        ([("expand[]", "data.account")], "expand[0]"),
    ],
)
def test_bad_parameters_are_refused(params: Any, param: str) -> None:
    """With the parameter's name, as everywhere."""
    status, body = busy(1).send("GET", EVENTS, params)
    assert (status, body["error"]["param"]) == (400, param)


def test_a_copied_world_has_its_own_events() -> None:
    """What happens in one is not seen in the other."""
    api = busy(2)
    twin = Driver(api.world.copy(), api.now)
    twin.post(twin.url(9, "disconnect"))
    assert (len(api.events()), len(twin.events())) == (2, 3)
