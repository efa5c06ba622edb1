"""Rare moments by name: what each changes, and which event says so."""

from typing import Any

import orjson
import pytest

from fcasync.sandbox._api.error_bodies import ApiError
from fcasync.sandbox._api.operations import SCHEMAS
from fcasync.sandbox._api.scenarios import SCENARIOS, play
from fcasync.sandbox._bank.event_bodies import TYPES, thin
from fcasync.sandbox._bank.rare import STALE
from tests.sandbox.worlds import START, Driver, driver

DAY = 86_400
PREFIX = "financial_connections."
BALANCE = ("features[]", "balance")
EVENTS = {
    "deactivated": "account.deactivated",
    "reactivated": "account.reactivated",
    "relink_required": "account.upcoming_deactivation",
    "upcoming_deactivation": "account.upcoming_deactivation",
    "deactivation_postponed": "account.expected_deactivation_date_updated",
    "authorization_upcoming_deactivation": "authorization.upcoming_deactivation",
    "authorization_deactivation_postponed": "authorization.expected_deactivation_date_updated",
    "upcoming_account_number_expiry": "account.upcoming_account_number_expiry",
    "account_number_expired": "account.account_numbers_updated",
    "payment_methods_lost": "account.supported_payment_method_types_updated",
    "null_balance": "account.refreshed_balance",
    "stale_balance": "account.refreshed_balance",
    "institution_down": None,
    "institution_up": None,
    "ordinary": None,
}
FIRST = {
    "reactivated": "deactivated",
    "deactivation_postponed": "upcoming_deactivation",
    "authorization_deactivation_postponed": "authorization_upcoming_deactivation",
}


def befall(api: Driver, name: str, index: int | None = None) -> dict[str, Any]:
    """Play a scenario on an account, and return it."""
    store, now = api.world.store, api.world.settle(api.now)
    index = checking(api) if index is None else index
    done = play(store, api.account_id(index), name, now)
    store.log.expect(done.effects)
    body: dict[str, Any] = orjson.loads(orjson.dumps(done.body))
    return body


def checking(api: Driver) -> int:
    """Return a checking account that supports payments and has no subscription."""
    store = api.world.store
    return next(i for i in range(store.total) if i % 6 and len(store.facts(i).payment_methods) == 2)


def types(api: Driver) -> list[str]:
    return [event["type"].removeprefix(PREFIX) for event in api.events()]


def test_every_event_of_stripe_can_be_brought_about() -> None:
    """The scenarios, together with link, refresh and disconnect, cover the fourteen types."""
    assert {name: each.event for name, each in SCENARIOS.items()} == {
        name: kind and kind.removeprefix("account.") for name, kind in EVENTS.items()
    }
    others = {"created", "disconnected", "refreshed_ownership", "refreshed_transactions"}
    covered = {kind for kind in EVENTS.values() if kind} | {f"account.{name}" for name in others}
    assert {f"{PREFIX}{kind}" for kind in covered} == set(TYPES)


@pytest.mark.parametrize("name", SCENARIOS)
def test_a_scenario_changes_the_account_and_says_so_once(name: str) -> None:
    """The event holds the changed account; a scenario that changes nothing is silent."""
    jsonschema = pytest.importorskip("jsonschema", reason="a development dependency")
    api = driver(varied=False)
    if name in FIRST:
        befall(api, FIRST[name])
    before = len(api.events())
    account = befall(api, name)
    events = api.events()[: len(api.events()) - before]

    assert [event["type"] for event in events] == [PREFIX + kind for kind in [EVENTS[name]] if kind]
    schema = {"$ref": "#/components/schemas/event", "components": {"schemas": SCHEMAS}}
    for event in events:
        jsonschema.validate(event, schema)
        about = event["data"]["object"]
        assert about == account or about["object"] == "financial_connections.authorization"
        is_update = event["type"].endswith("_updated")
        assert ("previous_attributes" in event["data"]) is is_update
        if is_update:
            old = event["data"]["previous_attributes"]
            assert old
            assert all(about.get(attribute) != value for attribute, value in old.items())


@pytest.mark.parametrize("name", ["relink_required", "upcoming_deactivation"])
def test_access_ends_on_the_announced_date(name: str) -> None:
    """Until then the account is active and says so; then it is inactive, and refuses refreshes."""
    api = driver(varied=False)
    index = checking(api)
    details = befall(api, name, index)["status_details"]["active"]
    assert details["action"] == ("relink_required" if name == "relink_required" else "none")
    assert details["expected_deactivation_date"] == START + 7 * DAY
    api.now += 7 * DAY - 1
    assert api.get(api.url(index))["status"] == "active"
    assert types(api) == ["account.upcoming_deactivation"]
    api.now += 1
    account = api.get(api.url(index))
    assert account["status"] == "inactive"
    assert "status_details" not in account
    assert types(api)[0] == "account.deactivated"
    assert api.send("POST", api.url(index, "refresh"), [BALANCE])[0] == 400
    befall(api, "reactivated", index)
    api.now += 1
    assert api.get(api.url(index))["status"] == "active"
    assert len(types(api)) == 3


@pytest.mark.parametrize("instead", ["ordinary", "deactivated", "deactivation_postponed"])
def test_an_announced_end_can_be_called_off(instead: str) -> None:
    """Then nothing happens on the date, and nothing is said twice."""
    api = driver(varied=False)
    index = checking(api)
    befall(api, "relink_required", index)
    api.now += DAY
    befall(api, instead, index)
    said = len(api.events())
    api.now += 7 * DAY
    assert len(api.events()) == said
    status = "inactive" if instead == "deactivated" else "active"
    assert api.get(api.url(index))["status"] == status


def test_daily_refreshes_end_with_the_access() -> None:
    """A subscription brings nothing after the date."""
    api = driver(varied=False)
    index = checking(api)
    api.post(api.url(index, "subscribe"), ("features[]", "transactions"))
    befall(api, "relink_required", index)
    api.now += 20 * DAY
    kinds = types(api)
    assert kinds.count("account.refreshed_transactions") == 7
    assert kinds[0] == "account.deactivated"


def test_refreshes_fail_until_the_institution_is_up() -> None:
    """Those of all its accounts, also the daily ones; what has failed stays failed."""
    api = driver(accounts=60, varied=False)
    store, index = api.world.store, checking(api)
    same = [i for i in range(60) if store.facts(i).institution == store.facts(index).institution]
    same = [index, *(i for i in same if i % 6 and i != index)]
    other = next(
        i for i in range(60) if store.facts(i).institution != store.facts(index).institution
    )
    api.post(api.url(same[1], "subscribe"), ("features[]", "transactions"))
    api.now += 10
    befall(api, "institution_down", index)
    befall(api, "institution_down", index)
    for each in (index, same[-1], other):
        api.post(api.url(each, "refresh"), BALANCE)
    api.now += 10
    statuses = [api.get(api.url(i))["balance_refresh"]["status"] for i in (index, same[-1], other)]
    assert statuses == ["failed", "failed", "succeeded"]
    api.now += DAY
    assert api.get(api.url(same[1]))["transaction_refresh"]["status"] == "failed"
    befall(api, "institution_up", index)
    assert api.get(api.url(index))["balance_refresh"]["status"] == "failed"
    api.post(api.url(index, "refresh"), BALANCE)
    api.now += DAY
    assert api.get(api.url(index))["balance_refresh"]["status"] == "succeeded"
    assert api.get(api.url(same[1]))["transaction_refresh"]["status"] == "succeeded"


def test_balances_are_null_or_stale_until_all_is_ordinary() -> None:
    """Also after further refreshes, which succeed."""
    api = driver(varied=False)
    index = checking(api)
    for name in ("null_balance", "stale_balance", "ordinary"):
        befall(api, name, index)
        api.now += 100
        api.post(api.url(index, "refresh"), BALANCE)
        api.now += 100
        account = api.get(api.url(index))
        assert account["balance_refresh"]["status"] == "succeeded"
        if name == "null_balance":
            assert account["balance"] is None
        else:
            late = account["balance_refresh"]["last_attempted_at"] - account["balance"]["as_of"]
            assert late > DAY if name == "stale_balance" else late <= 0
    assert STALE > DAY


def test_an_account_number_expires() -> None:
    """First it is announced; then its status says so."""
    api = driver(varied=False)
    (number,) = befall(api, "upcoming_account_number_expiry")["account_numbers"]
    assert number["identifier_type"] == "tokenized_account_number"
    assert number["expected_expiry_date"] == START + 7 * DAY
    assert number["status"] == "transactable"
    (number,) = befall(api, "account_number_expired")["account_numbers"]
    assert number["status"] == "expired"
    assert befall(api, "payment_methods_lost")["supported_payment_method_types"] == []


def test_what_does_not_fit_is_refused() -> None:
    """With a sentence, and nothing changes."""
    api = driver(accounts=64)
    store = api.world.store
    states = {api.get(api.url(i))["status"]: i for i in range(64)}
    credit = next(i for i in range(64) if store.facts(i).category == "credit")
    blind = next(i for i in range(64) if "balances" not in store.facts(i).permissions)
    cases = [
        ("deactivated", states["disconnected"], "disconnected for good"),
        ("relink_required", states["inactive"], "is inactive"),
        ("deactivation_postponed", states["active"], "not about to be deactivated"),
        ("account_number_expired", credit, "no account number"),
        ("payment_methods_lost", credit, "no payment methods"),
        ("null_balance", blind, "may not read balances"),
    ]
    for name, index, words in cases:
        with pytest.raises(ApiError, match=words):
            befall(api, name, index)
    with pytest.raises(ValueError, match="choose from deactivated"):
        befall(api, "exploded")
    with pytest.raises(ApiError):
        play(store, "fca_1", "ordinary", START)
    assert api.events() == []


def test_thin_events_say_how_a_refresh_ended() -> None:
    """Each has the thin event of its own name, and one of the words without a snapshot event."""
    api = driver(varied=False)
    index = checking(api)
    api.post(api.url(index, "refresh"), BALANCE)
    api.now += 100
    befall(api, "institution_down", index)
    api.post(api.url(index, "refresh"), BALANCE, ("features[]", "ownership"))
    api.now += 100
    befall(api, "authorization_upcoming_deactivation", index)
    store = api.world.store
    api.events()
    bodies = [body for event in store.log.past.values() for body in thin(store, event)]
    kinds = [body["type"].removeprefix("v1.financial_connections.account.") for body in bodies]
    assert sorted(kinds) == [
        "balance_refresh_failed",
        "balance_refresh_succeeded",
        "ownership_refresh_failed",
        "refreshed_balance",
        "refreshed_balance",
        "refreshed_ownership",
    ]
    assert len({body["id"] for body in bodies}) == len(bodies)
    assert {body["related_object"]["id"] for body in bodies} == {api.account_id(index)}
