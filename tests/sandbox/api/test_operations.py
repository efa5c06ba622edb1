"""What each operation does to accounts, sessions and transactions."""

from itertools import pairwise

import pytest

from fcasync.sandbox._bank.states import Timing
from tests.sandbox.worlds import ACCOUNTS, SESSIONS, TRANSACTIONS, driver

BALANCE = ("features[]", "balance")
TRANSACTION_FEATURE = ("features[]", "transactions")
DAY = 86_400
NEVER_READ = 7  # its balance is null in every seed


def test_a_refresh_is_pending_and_then_fills_in_the_balance() -> None:
    """The POST is only an acceptance; the balance follows when the bank has answered."""
    api = driver(varied=False)
    accepted = api.post(api.url(NEVER_READ, "refresh"), BALANCE)
    api.now += 1
    settled = api.get(api.url(NEVER_READ))

    assert accepted["balance"] is None
    assert accepted["balance_refresh"]["status"] == "pending"
    assert accepted["balance_refresh"]["next_refresh_available_at"] is None
    assert settled["balance_refresh"]["status"] == "succeeded"
    assert settled["balance_refresh"]["last_attempted_at"] == api.now - 1
    assert settled["balance"]["current"]["usd"] > 0


def test_every_refresh_finds_another_balance() -> None:
    """A new balance differs from the one before, so that a test can distinguish them."""
    api = driver(varied=False)
    seen = set()
    for _ in range(20):
        api.post(api.url(1, "refresh"), BALANCE)
        api.now += 100
        seen.add(api.get(api.url(1))["balance"]["current"]["usd"])

    assert len(seen) == 20


def test_a_failed_refresh_keeps_the_old_balance() -> None:
    """A failure is a settled refresh without new data."""
    api = driver(varied=False, timing=Timing(failure_rate=1.0))
    before = api.get(api.url(1))["balance"]
    api.post(api.url(1, "refresh"), BALANCE)
    api.now += 1
    after = api.get(api.url(1))

    assert after["balance"] == before
    assert after["balance_refresh"]["status"] == "failed"


def test_a_refresh_under_way_is_joined() -> None:
    """Asking again while one is pending starts nothing, and is not an error."""
    api = driver(varied=False)
    first = api.post(api.url(1, "refresh"), BALANCE, key="a")
    api.now += 0.4
    again = api.post(api.url(1, "refresh"), BALANCE, key="b")

    assert again == first
    assert api.world.ledger.executions("refresh") == {api.account_id(1): 1}


def test_the_next_refresh_opens_at_the_time_that_is_shown() -> None:
    """Before next_refresh_available_at a refresh is refused, from then on it is accepted."""
    api = driver(varied=False)
    api.post(api.url(1, "refresh"), BALANCE)
    api.now += 2
    opens = api.get(api.url(1))["balance_refresh"]["next_refresh_available_at"]
    api.now = opens - 1
    assert api.send("POST", api.url(1, "refresh"), [BALANCE])[0] == 400
    api.now = opens

    assert api.send("POST", api.url(1, "refresh"), [BALANCE])[0] == 200


def test_a_refused_feature_refuses_all() -> None:
    """Nothing starts where one of the features cannot."""
    api = driver(varied=False)
    api.post(api.url(1, "refresh"), BALANCE)
    api.now += 2
    both = [BALANCE, ("features[]", "ownership")]

    assert api.send("POST", api.url(1, "refresh"), both)[0] == 400
    assert api.get(api.url(1))["ownership_refresh"] is None


def test_an_ownership_refresh_brings_owners() -> None:
    """The id that the account shows lists its owners, whole or page by page."""
    api = driver(varied=False)
    api.post(api.url(1, "refresh"), ("features[]", "ownership"))
    api.now += 2
    account = api.get(api.url(1), ("expand[]", "ownership"))
    ownership = account["ownership"]
    path = api.url(1, "owners")
    owners = api.get(path, ("ownership", ownership["id"]))["data"]
    first = api.get(path, ("ownership", ownership["id"]), ("limit", 1))
    rest = api.get(path, ("ownership", ownership["id"]), ("starting_after", owners[0]["id"]))

    assert owners == ownership["owners"]["data"]
    assert first["data"] + rest["data"] == owners
    assert first["has_more"] == (len(owners) > 1)
    assert {owner["ownership"] for owner in owners} == {ownership["id"]}


def test_owners_belong_to_their_account() -> None:
    """An ownership of another account, or of a refresh to come, is unknown."""
    api = driver(varied=False)
    api.post(api.url(1, "refresh"), ("features[]", "ownership"))
    api.now += 2
    mine = api.get(api.url(1))["ownership"]

    assert api.send("GET", api.url(2, "owners"), [("ownership", mine)])[0] == 400


def test_a_subscription_brings_a_refresh_now_and_every_day() -> None:
    """Subscribing starts a refresh, and each day adds one, without any request."""
    api = driver(varied=False)
    account = api.post(api.url(1, "subscribe"), TRANSACTION_FEATURE)
    assert account["subscriptions"] == ["transactions"]
    assert account["transaction_refresh"]["status"] == "pending"
    counts = []
    for _ in range(4):
        api.now += DAY
        api.now += 2
        account = api.get(api.url(1))
        assert account["transaction_refresh"]["status"] == "succeeded"
        page = api.get(TRANSACTIONS, ("account", api.account_id(1)), ("limit", 100))
        counts.append(len(page["data"]))

    assert [b - a for a, b in pairwise(counts)] == [3, 3, 3]


@pytest.mark.parametrize("days", [1, 2, 3, 30])
def test_daily_refreshes_can_fail_too(days: int) -> None:
    """Where every refresh fails, days bring attempts and no transactions."""
    api = driver(varied=False, timing=Timing(failure_rate=1.0))
    api.post(api.url(1, "subscribe"), TRANSACTION_FEATURE)
    api.now += days * DAY + 2

    assert api.get(api.url(1))["transaction_refresh"]["status"] == "failed"
    assert api.send("GET", TRANSACTIONS, [("account", api.account_id(1))])[0] == 400


def test_decades_of_transactions_have_ids_of_their_own() -> None:
    """A clock that is moved far ahead mixes up neither transactions nor accounts."""
    api = driver(varied=False)
    api.post(api.url(2, "subscribe"), TRANSACTION_FEATURE)
    api.world.advance(70 * 365 * DAY)
    (newest,) = api.get(TRANSACTIONS, ("account", api.account_id(2)), ("limit", 1))["data"]

    assert newest["account"] == api.account_id(2)
    assert api.get(f"{TRANSACTIONS}/{newest['id']}") == newest


def test_unsubscribing_ends_the_daily_refreshes() -> None:
    """Without a subscription nothing moves by itself."""
    api = driver(varied=False)
    api.post(api.url(1, "subscribe"), TRANSACTION_FEATURE)
    api.now += DAY + 10
    account = api.post(api.url(1, "unsubscribe"), TRANSACTION_FEATURE)
    api.now += 3 * DAY

    assert account["subscriptions"] == []
    assert api.get(api.url(1)) == account


def test_transactions_tell_what_changed_after_a_refresh() -> None:
    """transaction_refresh[after] leaves out what that refresh already had."""
    api = driver(varied=False)
    mine = ("account", api.account_id(0))
    before = api.get(TRANSACTIONS, mine, ("limit", 100))["data"]
    refresh = api.get(api.url(0))["transaction_refresh"]["id"]
    assert api.get(TRANSACTIONS, mine, ("transaction_refresh[after]", refresh))["data"] == []
    api.post(api.url(0, "refresh"), TRANSACTION_FEATURE)
    api.now += 2
    after = api.get(TRANSACTIONS, mine, ("transaction_refresh[after]", refresh), ("limit", 100))
    every = api.get(TRANSACTIONS, mine, ("limit", 100))["data"]
    pending = [item["id"] for item in before if item["status"] == "pending"]

    assert len(every) == len(before) + 3
    assert {item["id"] for item in after["data"]} == {
        *pending, *(item["id"] for item in every[:3])
    }  # fmt: skip
    assert api.get(f"{TRANSACTIONS}/{every[0]['id']}") == every[0]


@pytest.mark.parametrize("name", ["gt", "gte", "lt", "lte"])
def test_transactions_can_be_cut_by_time(name: str) -> None:
    """Each bound means what Stripe says: with or without the instant itself."""
    api = driver(varied=False)
    mine = ("account", api.account_id(0))
    every = api.get(TRANSACTIONS, mine, ("limit", 100))["data"]
    at = every[5]["transacted_at"]
    kept = {"gt": every[:5], "gte": every[:6], "lt": every[6:], "lte": every[5:]}[name]
    listed = api.get(TRANSACTIONS, mine, ("limit", 100), (f"transacted_at[{name}]", at))["data"]

    assert listed == kept
    assert api.get(TRANSACTIONS, mine, ("transacted_at", at))["data"] == [every[5]]


def test_disconnecting_is_final_and_can_be_repeated() -> None:
    """The second disconnect changes nothing; nothing else works any more."""
    api = driver(varied=False)
    first = api.post(api.url(0, "disconnect"))
    again = api.post(api.url(0, "disconnect"))

    assert first["status"] == "disconnected"
    assert first["subscriptions"] == []
    assert again == first
    assert api.world.ledger.executions("disconnect") == {api.account_id(0): 1}
    assert api.send("POST", api.url(0, "refresh"), [BALANCE])[0] == 400


def test_a_session_comes_back_as_it_was_made() -> None:
    """A session keeps its parameters, and is empty until someone links accounts."""
    api = driver()
    params = [
        ("account_holder[type]", "customer"),
        ("account_holder[customer]", "cus_1"),
        ("permissions[0]", "balances"),
        ("permissions[1]", "transactions"),
        ("filters[account_subcategories][]", "checking"),
        ("limits[accounts]", "2"),
        ("prefetch[]", "balances"),
        ("return_url", "https://example.com/done"),
    ]
    made = api.post(SESSIONS, *params)

    assert api.get(f"{SESSIONS}/{made['id']}") == made
    assert made["accounts"]["data"] == []
    assert made["limits"] == {"accounts": 2}
    assert made["filters"]["account_subcategories"] == ["checking"]
    assert made["client_secret"].startswith(f"{made['id']}_secret_")


def test_expand_puts_objects_in_place_of_ids() -> None:
    """Ids become objects where asked, in single objects and in lists; nothing else changes."""
    api = driver(varied=False)
    plain = api.get(ACCOUNTS, ("limit", 100))["data"]
    paths = [("expand[]", f"data.{path}") for path in ("ownership", "account_holder.customer")]
    rich = api.get(ACCOUNTS, ("limit", 100), *paths)["data"]
    for before, after in zip(plain, rich, strict=True):
        if before["ownership"] is not None:
            assert after["ownership"]["id"] == before["ownership"]
        if before["account_holder"]["type"] == "customer":
            customer = after["account_holder"]["customer"]
            assert customer["object"] == "customer"
            assert customer["id"] == before["account_holder"]["customer"]

    assert any(account["ownership"] for account in plain)


def test_an_empty_post_disconnects() -> None:
    """The one POST without parameters needs no body at all."""
    api = driver(varied=False)

    assert api.send("POST", api.url(1, "disconnect"))[0] == 200
