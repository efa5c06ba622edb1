"""A world as a function: time, limits, faults, ledger and events."""

import copy
import pickle
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcasync.sandbox._api.faults import KINDS, Fault, fault
from fcasync.sandbox._api.rates import PRESETS, RateLimit, rate_limit
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


def statuses(api: Driver, count: int, path: str = ACCOUNTS) -> list[int]:
    return [api.send("GET", path)[0] for _ in range(count)]


def test_the_total_rate_is_a_bucket_of_one_second() -> None:
    """A second's worth may come at once; the bucket refills at its rate."""
    api = driver(rate_limit=RateLimit(rate=5))

    assert statuses(api, 7) == [200] * 5 + [429] * 2
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "global-rate"
    api.now += 0.4
    assert statuses(api, 3) == [200, 200, 429]
    api.now += 100
    assert statuses(api, 7) == [200] * 5 + [429] * 2


def test_each_endpoint_has_its_own_bucket() -> None:
    """One exhausted operation leaves the others alone, and takes nothing from the total."""
    api = driver(rate_limit=RateLimit(rate=5, endpoint=2))

    assert statuses(api, 4) == [200, 200, 429, 429]
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "endpoint-rate"
    assert statuses(api, 2, api.url(1)) == [200, 200]


def test_held_requests_take_up_concurrency() -> None:
    """Requests that have not been answered count; the limit frees as they are."""
    api = driver(Fault(kind="delay", seconds=2, times=2), rate_limit=RateLimit(concurrency=2))

    assert statuses(api, 3) == [200, 200, 429]
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "global-concurrency"
    api.now += 2
    assert statuses(api, 3) == [200, 200, 200]


def test_a_limited_request_has_no_effect_and_keeps_no_result() -> None:
    """429 comes before everything else: the same key works a second later."""
    api = driver(rate_limit=RateLimit(rate=1), varied=False)
    api.get(ACCOUNTS)
    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")[0] == 429
    api.now += 1

    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")[0] == 200
    assert "Idempotent-Replayed" not in api.reply.headers


def test_limits_can_be_named() -> None:
    """Stripe's documented limits have names; a number is a total rate."""
    assert rate_limit("live") == PRESETS["live"] == RateLimit(rate=100, endpoint=25)
    assert rate_limit("sandbox") == RateLimit(rate=25, endpoint=25)
    assert rate_limit(7) == RateLimit(rate=7)
    assert rate_limit(None) == RateLimit()
    for wrong in (0, -1, "fast"):
        with pytest.raises(ValueError, match="rate_limit"):
            rate_limit(wrong)


def test_a_fault_strikes_as_often_as_it_may() -> None:
    """`times` counts strikes at the named operation only."""
    api = driver(Fault(operation="retrieve", kind="status", status=503, times=2))

    assert statuses(api, 2) == [200, 200]
    assert statuses(api, 4, api.url(1)) == [503, 503, 200, 200]
    assert api.world.faults.in_force == []


def test_the_first_matching_fault_strikes() -> None:
    """Faults are tried in order; one request suffers from one."""
    api = driver(Fault(kind="status", status=500, times=1), Fault(kind="status", status=502))

    assert statuses(api, 3) == [500, 502, 502]


def test_a_probable_fault_strikes_its_share() -> None:
    """Chance is fair, and follows from the seed."""
    api = driver(Fault(kind="status", probability=0.3), seed=1)

    assert 250 < statuses(api, 1000).count(500) < 350


@pytest.mark.parametrize("status", [500, 502, 503])
def test_an_executed_5xx_has_its_effect(status: int) -> None:
    """The answer lies: the refresh has started, and the ledger knows."""
    api = driver(Fault(kind="status", status=status, executed=True, times=1), varied=False)
    assert api.send("POST", api.url(1, "refresh"), [BALANCE])[0] == status
    row = api.world.ledger.rows[-1]

    assert (row["executed"], row["status"], row["fault"]) == (True, status, "status")
    assert api.get(api.url(1))["balance_refresh"]["status"] == "pending"


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ({}, "kind"),
        ([], "object"),
        ({"kind": "flood"}, "flood"),
        ({"kind": "status", "status": 200}, "200"),
        ({"kind": "status", "status": 0}, "400"),
        ({"kind": "status", "status": "500"}, "type"),
        ({"kind": "status", "status": True}, "type"),
        ({"kind": "redirect", "status": 200}, "200"),
        ({"kind": "delay", "seconds": -1}, "seconds"),
        ({"kind": "delay", "probability": 2}, "probability"),
        ({"kind": "delay", "times": 0}, "times"),
        ({"kind": "delay", "operation": "pay"}, "pay"),
        ({"kind": "delay", "colour": "red"}, "colour"),
        ({"kind": "reset_before", "executed": True}, "reset_after"),
        ({"kind": "status", "headers": {"A\r\nB": "x"}}, "header"),
        ({"kind": "status", "headers": {"A": 1}}, "strings"),
    ],
)
def test_a_fault_that_means_nothing_is_refused(data: Any, message: str) -> None:
    """A mistyped script fails when it is read, and says what is wrong."""
    with pytest.raises(ValueError, match=message):
        fault(data)


@pytest.mark.parametrize("kind", KINDS)
def test_a_fault_is_the_same_however_it_is_made(kind: str) -> None:
    """Copied, pickled, read from JSON: its kind decides its class, and it prints as a Fault."""
    made = Fault(kind=kind, operation="list", times=2)

    assert type(made) is KINDS[kind]
    assert made == fault({"kind": kind, "operation": "list", "times": 2})
    assert made == pickle.loads(pickle.dumps(made)) == copy.deepcopy(made)
    assert repr(made).startswith(f"Fault(operation='list', kind='{kind}'")


def test_a_status_fault_can_carry_headers() -> None:
    """Retry-After and Stripe-Should-Retry can be rehearsed."""
    api = driver(fault({"kind": "status", "status": 429, "headers": {"Retry-After": "2"}}))
    statuses(api, 1)

    assert api.reply.headers["Retry-After"] == "2"
    assert api.reply.headers["Stripe-Rate-Limited-Reason"] == "global-rate"


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
    event, follow_up = api.due(effect, effect.at)

    assert START < effect.at <= START + 1
    assert event["type"] == "financial_connections.account.refreshed_balance"
    assert event["data"]["object"]["balance_refresh"]["status"] == "succeeded"
    assert event["data"]["object"]["balance"] is not None
    assert follow_up == ()


def test_an_event_names_the_connected_account_it_happened_on() -> None:
    """Events of a key's own account do not name one."""
    own, connected = driver(varied=False), Driver(World(Settings(varied=False), "acct_1/acct_2"))
    accounts = []
    for api in (own, connected):
        api.post(api.url(1, "disconnect"))
        event, _ = api.world.due(api.effects[0], api.now)
        accounts.append(event and event.get("account"))

    assert accounts == [None, "acct_2"]


def test_a_subscription_sends_an_event_a_day_until_it_ends() -> None:
    """Daily events follow each other, one a day, and stop with the subscription."""
    api = driver(varied=False)
    feature = ("features[]", "transactions")
    api.post(api.url(1, "subscribe"), feature)
    daily = api.effects[-1]
    times = []
    for _ in range(3):
        event, (daily,) = api.due(daily, daily.at)
        times.append(event["created"])
    api.now = daily.at - 10
    api.post(api.url(1, "unsubscribe"), feature)

    assert [b - a for a, b in pairwise(times)] == [86_400, 86_400]
    assert api.world.due(daily, daily.at) == (None, ())


def test_a_refresh_in_between_puts_the_daily_event_off() -> None:
    """The next daily refresh is a day after the latest one, whoever asked for it."""
    api = driver(varied=False)
    feature = ("features[]", "transactions")
    api.post(api.url(1, "subscribe"), feature)
    daily = api.effects[-1]
    api.now += 80_000
    api.post(api.url(1, "refresh"), feature)
    event, (later,) = api.world.due(daily, daily.at)

    assert event is None
    assert later.at == pytest.approx(daily.at + 80_000)
