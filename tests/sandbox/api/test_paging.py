"""Pages follow each other without gap or repeat, in both directions."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from fcasync.sandbox._api.link import link
from tests.sandbox.worlds import ACCOUNTS, SESSIONS, Driver, driver

LIMITS = st.integers(1, 9)
HOLDER = [("account_holder[type]", "customer"), ("account_holder[customer]", "cus_new")]


def ids(page: dict[str, Any]) -> list[str]:
    return [item["id"] for item in page["data"]]


def walk(api: Driver, path: str, cursor: str, limit: int, *params: tuple[str, str]) -> list[str]:
    """Follow pages to the end; *cursor* is starting_after or ending_before."""
    listed: list[str] = []
    cursor_params: list[tuple[str, str]] = []
    while True:
        page = api.get(path, ("limit", limit), *params, *cursor_params)
        items = ids(page)
        listed += items if cursor == "starting_after" else items[::-1]
        if not page["has_more"]:
            return listed
        cursor_params = [(cursor, items[-1] if cursor == "starting_after" else items[0])]


@given(accounts=st.integers(0, 30), limit=LIMITS)
def test_pages_hold_every_account_once_newest_first(accounts: int, limit: int) -> None:
    """The page size changes the number of requests, never the accounts or their order."""
    api = driver(accounts=accounts)

    listed = walk(api, ACCOUNTS, "starting_after", limit)

    assert listed == [api.account_id(index) for index in range(accounts - 1, -1, -1)]


@given(accounts=st.integers(1, 30), limit=LIMITS)
def test_ending_before_walks_back_to_the_newest(accounts: int, limit: int) -> None:
    """Backwards pages hold what precedes the cursor, next to it first, in list order."""
    api = driver(accounts=accounts)
    oldest = api.account_id(0)
    page = api.get(ACCOUNTS, ("limit", limit), ("ending_before", oldest))
    listed = ids(page)[::-1]
    while page["has_more"]:
        page = api.get(ACCOUNTS, ("limit", limit), ("ending_before", ids(page)[0]))
        listed += ids(page)[::-1]

    assert listed == [api.account_id(index) for index in range(1, accounts)]


def new_account(api: Driver) -> str:
    body = api.post(SESSIONS, *HOLDER, ("permissions[]", "balances"))
    session = api.world.store.sessions[body["id"]]
    link(api.world.store, session, "Test Institution", [0], api.now)
    return ids(api.get(SESSIONS + "/" + body["id"])["accounts"])[0]


def test_accounts_linked_meanwhile_do_not_shift_a_page() -> None:
    """A cursor is an account, not an offset: nothing is skipped or seen twice."""
    api = driver(accounts=12)
    first = api.get(ACCOUNTS, ("limit", 5))
    new = new_account(api)
    second = api.get(ACCOUNTS, ("limit", 20), ("starting_after", ids(first)[-1]))

    assert len(ids(first) + ids(second)) == len({*ids(first), *ids(second)}) == 12
    assert ids(api.get(ACCOUNTS, ("limit", 1))) == [new]


def test_a_list_can_be_of_one_holder_or_session() -> None:
    """Each account has one holder; the filters find exactly theirs, in either direction."""
    api = driver(accounts=23)
    every = api.get(ACCOUNTS, ("limit", 100))["data"]
    holders = {str(sorted(a["account_holder"].items())): a["account_holder"] for a in every}
    listed: list[str] = []
    for holder in holders.values():
        kind = holder["type"]
        wanted = (f"account_holder[{kind}]", holder[kind])
        listed += (one := walk(api, ACCOUNTS, "starting_after", 2, wanted))
        assert one == [a["id"] for a in every if a["account_holder"] == holder]
    new = new_account(api)

    assert sorted(listed) == sorted(a["id"] for a in every)
    assert walk(api, ACCOUNTS, "starting_after", 2, ("account_holder[customer]", "cus_new")) == [
        new
    ]
    assert api.get(ACCOUNTS, ("account_holder[customer]", "cus_unknown"))["data"] == []


@given(limit=LIMITS)
def test_transactions_page_like_accounts(limit: int) -> None:
    """Transactions come newest first, each once, in both directions."""
    api = driver(varied=False)
    path, mine = "/v1/financial_connections/transactions", ("account", api.account_id(0))
    forwards = walk(api, path, "starting_after", limit, mine)
    last = api.get(path, mine, ("limit", limit), ("ending_before", forwards[-1]))

    assert len(set(forwards)) == len(forwards) > 10
    assert ids(last) == forwards[-1 - limit : -1][-limit:]
