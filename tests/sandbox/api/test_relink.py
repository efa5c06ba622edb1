"""Relinking an account: a preview, of which requests of other versions see nothing."""

from typing import Any

import pytest

from fcasync.sandbox._api.error_bodies import ApiError
from fcasync.sandbox._api.link import decline, link, page
from fcasync.sandbox._api.scenarios import play
from tests.sandbox.worlds import SESSIONS, Driver, driver

PREVIEW = {"stripe-version": "2026-10-28.preview"}
HOLDER = [
    ("account_holder[type]", "customer"),
    ("account_holder[customer]", "cus_1"),
    ("permissions[]", "balances"),
]


def checking(api: Driver) -> int:
    """Return a checking account without a subscription: the first one that the page offers."""
    store = api.world.store
    return next(i for i in range(25) if i % 6 and store.facts(i).subcategory == "checking")


def seen(api: Driver, index: int) -> dict[str, Any]:
    """Return an account as a preview version shows it."""
    status, body = api.send("GET", api.url(index), headers=PREVIEW)
    assert status == 200
    return body


def inactive(name: str = "deactivated") -> tuple[Driver, int, str]:
    """Return a world, an inactive account in it, and the authorization of that."""
    api = driver(varied=False)
    index = checking(api)
    api.post(api.url(index, "subscribe"), ("features[]", "transactions"))
    api.now += 10
    done = play(api.world.store, api.account_id(index), name, api.world.settle(api.now))
    api.world.store.log.expect(done.effects)
    api.now += 8 * 86_400
    return api, index, seen(api, index)["authorization"]


def session(api: Driver, *options: tuple[str, str]) -> dict[str, Any]:
    status, body = api.send("POST", SESSIONS, [*HOLDER, *options], headers=PREVIEW)
    assert status == 200, body
    return body


def fill(api: Driver, made: dict[str, Any], *picks: int) -> dict[str, Any]:
    """Pick accounts on the hosted page, and return the session afterwards."""
    store = api.world.store
    opened = store.sessions[made["id"]]
    (institution,) = page(store, opened)["institutions"]
    now = api.world.settle(api.now)
    store.log.expect(link(store, opened, institution, list(picks), now))
    return api.send("GET", f"{SESSIONS}/{made['id']}", headers=PREVIEW)[1]


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("deactivated", {"action": "relink_required", "cause": "access_denied"}),
        ("relink_required", {"action": "relink_required", "cause": "access_expired"}),
        ("upcoming_deactivation", {"action": "none", "cause": "institution_requirement"}),
    ],
)
def test_a_preview_says_why_an_account_is_inactive(name: str, why: dict[str, str]) -> None:
    """And what its holder can do; all other versions say neither."""
    api, index, authorization = inactive(name)
    assert seen(api, index)["status_details"] == {"inactive": why}
    assert authorization.startswith("fcauth_")
    plain = api.get(api.url(index))
    assert "authorization" not in plain
    assert "status_details" not in plain
    listed = api.send("GET", "/v1/financial_connections/accounts", "limit=100", headers=PREVIEW)[1]
    assert len({each["authorization"] for each in listed["data"]}) == 25


def test_a_relinked_account_keeps_its_id_and_loses_its_subscription() -> None:
    """It is active again and says so; what else is picked is new."""
    api, index, authorization = inactive()
    made = session(
        api,
        ("relink_options[authorization]", authorization),
        ("relink_options[account]", api.account_id(index)),
    )
    assert (made["status"], made["relink_result"]["account"]) == ("pending", None)
    after = fill(api, made, 0, 1)
    ids = [account["id"] for account in after["accounts"]["data"]]
    assert after["status"] == "succeeded"
    assert after["relink_result"] == {
        "account": api.account_id(index),
        "authorization": authorization,
        "failure_reason": None,
    }
    assert ids == [api.account_id(index), api.account_id(25)]
    account = seen(api, index)
    assert (account["status"], account["subscriptions"]) == ("active", [])
    assert "status_details" not in account
    kinds = [event["type"].rpartition(".")[2] for event in api.events()[:2]]
    assert sorted(kinds) == ["created", "reactivated"]
    plain = api.get(f"{SESSIONS}/{made['id']}")
    assert plain.keys().isdisjoint({"status", "relink_options", "relink_result"})


def test_a_holder_may_link_another_account_instead() -> None:
    """Then the old one stays inactive, and the result says that it was not found."""
    api, index, authorization = inactive()
    after = fill(api, session(api, ("relink_options[authorization]", authorization)), 1)
    assert after["relink_result"] == {
        "account": None,
        "authorization": None,
        "failure_reason": "no_account",
    }
    assert [account["id"] for account in after["accounts"]["data"]] == [api.account_id(25)]
    assert seen(api, index)["status"] == "inactive"


def test_a_cancelled_relink_says_so() -> None:
    """The session has ended, and nothing has changed."""
    api, index, authorization = inactive()
    made = session(api, ("relink_options[authorization]", authorization))
    decline(api.world.store, api.world.store.sessions[made["id"]])
    after = api.send("GET", f"{SESSIONS}/{made['id']}", headers=PREVIEW)[1]
    assert after["status"] == "cancelled"
    assert after["status_details"] == {"cancelled": {"reason": "other"}}
    assert after["relink_result"]["failure_reason"] == "no_account"
    assert seen(api, index)["status"] == "inactive"


def test_what_cannot_be_relinked_is_refused() -> None:
    """Unknown ids, the account of another authorization, another bank, other versions."""
    api, index, authorization = inactive()
    other = seen(api, index + 1)["authorization"]
    option = "relink_options[authorization]"
    for options, param in (
        ([(option, "fcauth_1")], option),
        ([("relink_options[account]", "fca_1")], option),
        ([(option, other), ("relink_options[account]", api.account_id(index))],
         "relink_options[account]"),
    ):  # fmt: skip
        status, body = api.send("POST", SESSIONS, [*HOLDER, *options], headers=PREVIEW)
        assert (status, body["error"]["param"]) == (400, param)
    status, body = api.send("POST", SESSIONS, [*HOLDER, (option, authorization)])
    assert (status, body["error"]["param"]) == (400, "relink_options")

    store = api.world.store
    made = store.sessions[session(api, (option, authorization))["id"]]
    elsewhere = next(
        store.facts(i).institution
        for i in range(25)
        if store.facts(i).institution != store.facts(index).institution
    )
    with pytest.raises(ApiError, match="no institution"):
        link(store, made, elsewhere, [0], api.now)
    api.post(api.url(index, "disconnect"))
    with pytest.raises(ApiError, match="disconnected"):
        link(store, made, store.facts(index).institution, [0], api.now)
