"""The request of each method, compared with the official SDK's own tests."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from aioresponses.compat import normalize_url
from yarl import URL

import fcasync
from tests._paths import DATA
from tests.conftest import WireMock

PUBLISHED = DATA / "cases" / "requests.json"
KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
ROOT = "/v1/financial_connections"
Call = Callable[[fcasync.Client], Awaitable[Any]]

ACCOUNT = {"id": "fca_xyz", "object": "financial_connections.account"}
SESSION = {
    "id": "fcsess_xyz",
    "object": "financial_connections.session",
    "accounts": {"object": "list", "data": [], "has_more": False, "url": f"{ROOT}/accounts"},
    "livemode": False,
    "permissions": [],
}
TRANSACTION = {"id": "fctxn_xyz", "object": "financial_connections.transaction"}
EMPTY = {"object": "list", "data": [], "has_more": False, "url": f"{ROOT}/accounts"}

CALLS: list[tuple[str, Call, str, str, str, dict[str, Any]]] = [
    # the official call, ours, the method, the path and query below ROOT, the body, the response
    (
        "Account.disconnect('fca_xyz')",
        lambda client: client.accounts.disconnect("fca_xyz"),
        "POST",
        "/accounts/fca_xyz/disconnect",
        "",
        ACCOUNT,
    ),
    (
        "Account.disconnect('fca_xxxxxxxxxxxxx')",
        lambda client: client.accounts.disconnect("fca_xxxxxxxxxxxxx"),
        "POST",
        "/accounts/fca_xxxxxxxxxxxxx/disconnect",
        "",
        ACCOUNT,
    ),
    ("Account.list()", lambda client: client.accounts.list(), "GET", "/accounts", "", EMPTY),
    (
        "Account.list(account_holder={'customer': 'cus_xxxxxxxxxxxxx'})",
        lambda client: client.accounts.list(account_holder={"customer": "cus_xxxxxxxxxxxxx"}),
        "GET",
        "/accounts?account_holder[customer]=cus_xxxxxxxxxxxxx",
        "",
        EMPTY,
    ),
    (
        "Account.retrieve('fca_xyz')",
        lambda client: client.accounts.retrieve("fca_xyz"),
        "GET",
        "/accounts/fca_xyz",
        "",
        ACCOUNT,
    ),
    (
        "Account.retrieve('fca_xxxxxxxxxxxxx')",
        lambda client: client.accounts.retrieve("fca_xxxxxxxxxxxxx"),
        "GET",
        "/accounts/fca_xxxxxxxxxxxxx",
        "",
        ACCOUNT,
    ),
    (
        "Account.list_owners('fca_xyz', ownership='fcaowns_xyz')",
        lambda client: client.accounts.list_owners("fca_xyz", ownership="fcaowns_xyz"),
        "GET",
        "/accounts/fca_xyz/owners?ownership=fcaowns_xyz",
        "",
        EMPTY,
    ),
    (
        "Account.list_owners('fca_xxxxxxxxxxxxx', limit=3, ownership='fcaowns_xxxxxxxxxxxxx')",
        lambda client: client.accounts.list_owners(
            "fca_xxxxxxxxxxxxx", limit=3, ownership="fcaowns_xxxxxxxxxxxxx"
        ),
        "GET",
        "/accounts/fca_xxxxxxxxxxxxx/owners?ownership=fcaowns_xxxxxxxxxxxxx&limit=3",
        "",
        EMPTY,
    ),
    (
        "Account.refresh_account('fca_xyz', features=['balance'])",
        lambda client: client.accounts.refresh("fca_xyz", features=["balance"]),
        "POST",
        "/accounts/fca_xyz/refresh",
        "features[0]=balance",
        ACCOUNT | {"status": "pending"},
    ),
    (
        "Account.subscribe('fa_123', features=['transactions'])",
        lambda client: client.accounts.subscribe("fa_123", features=["transactions"]),
        "POST",
        "/accounts/fa_123/subscribe",
        "features[0]=transactions",
        ACCOUNT,
    ),
    (
        "Account.unsubscribe('fa_123', features=['transactions'])",
        lambda client: client.accounts.unsubscribe("fa_123", features=["transactions"]),
        "POST",
        "/accounts/fa_123/unsubscribe",
        "features[0]=transactions",
        ACCOUNT,
    ),
    (
        "Session.retrieve('fcsess_xyz')",
        lambda client: client.sessions.retrieve("fcsess_xyz"),
        "GET",
        "/sessions/fcsess_xyz",
        "",
        SESSION,
    ),
    (
        "Session.retrieve('fcsess_xxxxxxxxxxxxx')",
        lambda client: client.sessions.retrieve("fcsess_xxxxxxxxxxxxx"),
        "GET",
        "/sessions/fcsess_xxxxxxxxxxxxx",
        "",
        SESSION,
    ),
    (
        (
            "Session.create(account_holder={'type': 'customer', 'customer': 'cus_123'}, "
            "permissions=['balances'])"
        ),
        lambda client: client.sessions.create(
            account_holder={"type": "customer", "customer": "cus_123"}, permissions=["balances"]
        ),
        "POST",
        "/sessions",
        "account_holder[type]=customer&account_holder[customer]=cus_123&permissions[0]=balances",
        SESSION,
    ),
    (
        (
            "Session.create(account_holder={'type': 'customer', 'customer': 'cus_xxxxxxxxxxxxx'}, "
            "permissions=['payment_method', 'balances'], filters={'countries': ['US']})"
        ),
        lambda client: client.sessions.create(
            account_holder={"type": "customer", "customer": "cus_xxxxxxxxxxxxx"},
            permissions=["payment_method", "balances"],
            filters={"countries": ["US"]},  # type: ignore[arg-type]
        ),
        "POST",
        "/sessions",
        (
            "account_holder[type]=customer&account_holder[customer]=cus_xxxxxxxxxxxxx"
            "&permissions[0]=payment_method&permissions[1]=balances&filters[countries][0]=US"
        ),
        SESSION,
    ),
    (
        "Transaction.retrieve('tr_123')",
        lambda client: client.transactions.retrieve("tr_123"),
        "GET",
        "/transactions/tr_123",
        "",
        TRANSACTION,
    ),
    (
        "Transaction.list(account='fca_xyz')",
        lambda client: client.transactions.list("fca_xyz"),
        "GET",
        "/transactions?account=fca_xyz",
        "",
        EMPTY,
    ),
]


@pytest.mark.parametrize(
    ("call", "method", "target", "body", "answer"),
    [row[1:] for row in CALLS],
    ids=[row[0] for row in CALLS],
)
async def test_a_call_sends_what_the_official_sdk_sends(
    wire: WireMock, call: Call, method: str, target: str, body: str, answer: dict[str, Any]
) -> None:
    """Method, path, query and body are those of the official SDK's tests."""
    url = URL(f"https://api.stripe.com{ROOT}{target}", encoded=True)
    if len(parts := target.partition("?")[0].split("/")) > 2 and "id" in answer:
        answer = answer | {"id": parts[2]}  # an answer is about the object that was asked for
    wire.add(url, method, payload=answer)
    async with fcasync.Client(KEY) as client:
        await call(client)
    ((sent_method, sent_url), (sent,)) = next(iter(wire.requests.items()))
    assert (sent_method, sent_url) == (method, normalize_url(url))
    assert (sent.kwargs["data"] or b"").decode() == body
    headers = sent.kwargs["headers"]
    assert headers["Authorization"] == f"Bearer {KEY}"
    assert headers["Stripe-Version"] == "2026-10-28.endive"
    assert ("Idempotency-Key" in headers) is (method == "POST")


def test_every_published_request_is_covered() -> None:
    """The table above has all requests of the official SDK's tests."""
    published = {
        row["call"].removeprefix("stripe.financial_connections."): row
        for row in json.loads(PUBLISHED.read_text())
    }
    assert published.keys() == {row[0] for row in CALLS}
    for name, _, method, target, body, _ in CALLS:
        path, _, query = target.partition("?")
        row = published[name]
        assert row["path"] == ROOT + path
        assert sorted(row["query_string"].split("&")) == sorted(query.split("&"))
        assert row.get("post_data", "") == body
        assert row["method"] == method.lower()


async def test_a_refreshed_account_may_be_pending(wire: WireMock) -> None:
    """unknown-enum: Stripe's own example has it; the value stays readable."""
    url = f"https://api.stripe.com{ROOT}/accounts/fca_xyz/refresh"
    wire.add(url, "POST", payload=ACCOUNT | {"status": "pending", "balance": None})
    async with fcasync.Client(KEY) as client:
        account = await client.accounts.refresh("fca_xyz", features=["balance"])
    assert account.status == "pending"
    assert account.account_numbers is None
    assert account.balance is None
