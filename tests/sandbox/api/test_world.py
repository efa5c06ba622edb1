"""A world as a function: time, ledger and events."""

import copy
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.rates import RateLimit
from fcasync.sandbox._api.world import Settings, World
from tests.sandbox.worlds import ACCOUNTS, START, Driver, driver

BALANCE = ("features[]", "balance")
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["refresh", "subscribe", "unsubscribe", "disconnect", "read", "wait"]),
        st.integers(0, 6),
        st.sampled_from([None, "a", "b"]),
    ),
    max_size=12,
)


def perform(api: Driver, steps: list[tuple[str, int, str | None]]) -> list[Any]:
    answers = []
    for verb, index, key in steps:
        feature = "balance" if verb == "refresh" else "transactions"
        params = [] if verb == "disconnect" else [("features[]", feature)]
        if verb == "wait":
            api.now += index
        elif verb == "read":
            answers.append(api.send("GET", api.url(index)))
        else:
            answers.append(api.send("POST", api.url(index, verb), params, key=key))
    return answers


@settings(max_examples=50)
@given(steps=STEPS)
def test_the_same_requests_get_the_same_replies(steps: list[tuple[str, int, str | None]]) -> None:
    """A world is a function: what happened once happens again, faults and chance included."""
    fault = Fault(kind="status", probability=0.3)
    one, two = driver(fault, seed=4), driver(fault, seed=4)

    assert perform(one, steps) == perform(two, steps)
    assert one.world.ledger.rows == two.world.ledger.rows


@settings(max_examples=50)
@given(steps=STEPS, more=STEPS)
def test_a_copy_goes_its_own_way(steps: list[Any], more: list[Any]) -> None:
    """What happens to a copy leaves the original alone, and the other way round."""
    api = driver(Fault(kind="status", times=3), rate_limit=RateLimit(rate=3), seed=2)
    perform(api, steps)
    fork = Driver(copy.deepcopy(api.world), api.now)
    rows = api.world.ledger.rows
    answers = perform(fork, more)

    assert api.world.ledger.rows == rows
    assert perform(api, more) == answers


@settings(max_examples=60)
@given(steps=STEPS)
def test_at_most_one_execution_per_key(steps: list[Any]) -> None:
    """However often a key is used, at most one request with it has an effect."""
    api = driver(Fault(kind="reset_after", probability=0.5), seed=9)
    perform(api, steps)
    keys = [
        row["idempotency_key"]
        for row in api.world.ledger.rows
        if row["executed"] and row["idempotency_key"]
    ]

    assert len(keys) == len(set(keys))


def test_seeds_and_names_make_different_accounts() -> None:
    """Another seed is another population; the same seed is the same everywhere."""
    first = driver(seed=1).get(ACCOUNTS)

    assert driver(seed=1).get(ACCOUNTS) == first
    assert driver(seed=2).get(ACCOUNTS) != first


def test_a_million_accounts_take_no_room() -> None:
    """Accounts are computed when looked at: reading does not fill the store."""
    api = driver(accounts=1_000_000)
    page = api.get(ACCOUNTS, ("limit", 100))
    deep = api.get(ACCOUNTS, ("limit", 100), ("starting_after", api.account_id(500_000)))

    assert page["data"][0]["id"] == api.account_id(999_999)
    assert deep["data"][0]["id"] == api.account_id(499_999)
    assert api.world.store.changed == {}


def test_the_date_header_has_the_worlds_time() -> None:
    """Clients that measure ages by the server's clock see what `advance` has done."""
    api = driver()
    api.world.advance(90_000)
    api.get(ACCOUNTS)

    assert api.reply.headers["Date"] == "Sat, 16 Jan 2027 09:00:00 GMT"


@pytest.mark.parametrize("seconds", [-1, float("nan"), float("inf"), 1e11])
def test_the_clock_moves_forward_and_not_out_of_sight(seconds: float) -> None:
    """Time never runs backwards, and a hundred years are enough."""
    with pytest.raises(ValueError, match="advance"):
        driver().world.advance(seconds)


def test_the_ledger_forgets_rows_but_not_executions() -> None:
    """Rows are bounded; the proof of exactly-once is not."""
    api = driver(varied=False, longest_ledger=3)
    for index in range(5):
        api.post(api.url(index, "refresh"), BALANCE)
    ledger = api.world.ledger

    assert [row["number"] for row in ledger.rows] == [3, 4, 5]
    assert [row["number"] for row in ledger.since(4)] == [5]
    assert len(ledger.executions("refresh")) == ledger.requests == 5


def test_effects_become_events_when_due() -> None:
    """A refresh announces its end; the event shows the account as it then is."""
    api = driver(varied=False)
    api.post(api.url(7, "refresh"), BALANCE)
    (effect,) = api.effects
    assert api.events() == []
    api.now = effect.at
    (event,) = api.events()

    assert START < effect.at <= START + 1
    assert event["type"] == "financial_connections.account.refreshed_balance"
    assert event["created"] == int(effect.at)
    assert event["data"]["object"]["balance_refresh"]["status"] == "succeeded"
    assert event["data"]["object"]["balance"] is not None


def test_an_event_shows_the_account_as_it_was_at_its_moment() -> None:
    """However much later one looks, and whatever has happened since."""
    api = driver(varied=False)
    api.post(api.url(7, "refresh"), BALANCE)
    at = api.effects[0].at
    api.now = at
    then = api.get(api.url(7))
    twin = Driver(api.world.copy(), at + 1)
    for late in (api, twin):
        late.now = at + 40_000
        late.post(late.url(7, "disconnect"))
        late.now += 40_000
        first = late.events()[-1]
        assert first["data"]["object"] == then
        assert late.get(f"/v1/events/{first['id']}") == first


def test_an_event_names_the_connected_account_it_happened_on() -> None:
    """Events of a key's own account do not name one."""
    own, connected = driver(varied=False), Driver(World(Settings(varied=False), "acct_1/acct_2"))
    accounts = []
    for api in (own, connected):
        api.post(api.url(1, "disconnect"))
        (event,) = api.events()
        accounts.append(event.get("account"))

    assert accounts == [None, "acct_2"]


@pytest.mark.parametrize("delivers", [False, True])
def test_a_subscription_sends_an_event_a_day_until_it_ends(delivers: bool) -> None:
    """Daily events follow each other, one a day, and stop with the subscription."""
    api = driver(varied=False, delivers=delivers)
    feature = ("features[]", "transactions")
    api.post(api.url(1, "subscribe"), feature)
    daily = api.effects[-1]
    api.now = daily.at + 2 * 86_400
    times = [event["created"] for event in api.events()][::-1]
    api.now = daily.at + 3 * 86_400 - 10
    api.post(api.url(1, "unsubscribe"), feature)
    api.now += 5 * 86_400

    assert [b - a for a, b in pairwise(times[1:])] == [86_400, 86_400]
    assert [event["created"] for event in api.events()][::-1] == times


def test_a_refresh_in_between_puts_the_daily_event_off() -> None:
    """The next daily refresh is a day after the latest one, whoever asked for it."""
    api = driver(varied=False)
    feature = ("features[]", "transactions")
    api.post(api.url(1, "subscribe"), feature)
    daily = api.effects[-1]
    api.now += 80_000
    api.post(api.url(1, "refresh"), feature)
    api.now = daily.at + 1
    assert len(api.events()) == 2
    api.now = daily.at + 80_001

    later, asked, first = (event["created"] for event in api.events())
    assert later == pytest.approx(daily.at + 80_000, abs=1)
    assert first < asked < later


def test_years_of_subscriptions_cost_no_years() -> None:
    """Without an endpoint, only the daily events that can still be read are made."""
    api = driver(varied=False)
    for index in range(25):
        api.post(api.url(index, "subscribe"), ("features[]", "transactions"))
    api.world.advance(99 * 365 * 86_400)

    begun = sum(effect.daily is not None for effect in api.effects)
    assert begun == 20  # the others were subscribed from the start
    assert len(api.events()) == begun * 30
    assert api.world.store.log.count < begun * 33
