"""The client object: options, views and repr."""

import asyncio
import pickle
from typing import Any

import pytest

import fcasync
from fcasync.testing import FakeClock, ScriptedTransport, answer

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
ACCOUNT = {"id": "fca_1", "object": "financial_connections.account"}
PENDING = ACCOUNT | {"balance_refresh": {"status": "pending", "last_attempted_at": 1}}
DONE = ACCOUNT | {"balance_refresh": {"status": "succeeded", "last_attempted_at": 1}}
FAILED = ACCOUNT | {"balance_refresh": {"status": "failed", "last_attempted_at": 1}}


def scripted(*script: Any, **options: Any) -> tuple[fcasync.Client, ScriptedTransport, FakeClock]:
    transport, clock = ScriptedTransport(script), FakeClock()
    return fcasync.Client(KEY, transport=transport, clock=clock, **options), transport, clock


def test_the_environment_sets_key_and_base_url(monkeypatch: pytest.MonkeyPatch) -> None:
    """STRIPE_API_KEY and STRIPE_API_BASE are used if there is no argument."""
    monkeypatch.setenv("STRIPE_API_KEY", KEY)
    monkeypatch.setenv("STRIPE_API_BASE", "http://127.0.0.1:8080")
    assert repr(fcasync.Client()) == "<Client sk_test_…p7dc at http://127.0.0.1:8080>"


def test_a_client_without_a_key_is_refused() -> None:
    """The message names both ways to pass a key."""
    with pytest.raises(fcasync.InvalidArgumentError, match="STRIPE_API_KEY"):
        fcasync.Client()


def test_a_client_cannot_be_pickled() -> None:
    """pickle: the message says that the client holds a key and sockets."""
    with pytest.raises(TypeError, match="build one per process"):
        pickle.dumps(fcasync.Client(KEY))


async def test_views_do_not_leak_into_each_other() -> None:
    """Calls through two views keep the headers of each, and the client keeps its own."""
    client, transport, _ = scripted(*[ACCOUNT] * 6)
    one = client.with_options(stripe_account="acct_1", extra_headers={"X-One": "1"})
    two = one.with_options(stripe_account="acct_2", extra_headers={"X-Two": "2"})
    await asyncio.gather(*(c.accounts.retrieve("fca_1") for c in (client, one, two) * 2))
    sent = [
        tuple(request.headers.get(name) for name in ("Stripe-Account", "X-One", "X-Two"))
        for request in transport.requests
    ]
    assert sorted(sent, key=str) == sorted(
        [(None, None, None), ("acct_1", "1", None), ("acct_2", "1", "2")] * 2, key=str
    )


async def test_a_raw_response_describes_the_response() -> None:
    """It has value, status, ids, replay, attempts, and headers with case-insensitive names."""
    client, _, _ = scripted(
        answer(status=500),
        answer(ACCOUNT, headers={"Request-Id": "req_1", "Idempotent-Replayed": "true"}),
    )
    response = await client.accounts.with_raw_response.refresh(
        "fca_1", features=["balance"], idempotency_key="key_1"
    )
    assert response.value.id == "fca_1"
    assert (response.status, response.request_id, response.attempts) == (200, "req_1", 2)
    assert (response.idempotency_key, response.idempotent_replayed) == ("key_1", True)
    assert response.headers["request-id"] == "req_1"
    assert response.elapsed == 0.25


async def test_a_raw_list_is_its_first_page() -> None:
    """with_raw_response.list() returns a response that holds one page."""
    client, _, _ = scripted({"object": "list", "data": [ACCOUNT], "has_more": False})
    response = await client.accounts.with_raw_response.list(limit=1)
    assert [account.id for account in response.value.data] == ["fca_1"]


async def test_refresh_and_wait_polls_until_nothing_is_pending() -> None:
    """Intervals start at 2 s and grow by a factor of 1.6; half of each is jitter."""
    client, transport, clock = scripted(PENDING, PENDING, PENDING, DONE)
    account = await client.accounts.refresh_and_wait("fca_1", features=["balance"])
    assert account.balance_refresh is not None
    assert account.balance_refresh.status == "succeeded"
    assert [request.operation.name for request in transport.requests] == [
        "refresh",
        "retrieve",
        "retrieve",
        "retrieve",
    ]
    assert clock.sleeps == pytest.approx([1.5, 2.4, 3.84])


async def test_a_refresh_that_fails_at_the_bank_is_not_an_error() -> None:
    """No exception is raised; the account holds the failure."""
    client, _, _ = scripted(PENDING, FAILED)
    account = await client.accounts.refresh_and_wait("fca_1", features=["balance"])
    assert account.balance_refresh is not None
    assert account.balance_refresh.status is fcasync.RefreshStatus.FAILED


async def test_a_poll_ends_with_the_wait() -> None:
    """A server that does not respond costs at most 5 s more than the timeout."""
    lost = fcasync.APIConnectionError("reset")
    client, _, clock = scripted(PENDING, *[lost] * 20, retry=fcasync.RetryPolicy(attempts=20))
    with pytest.raises(fcasync.APIConnectionError):
        await client.accounts.refresh_and_wait("fca_1", features=["balance"], timeout=3)
    assert clock.monotonic() <= 3 + 5


async def test_a_view_of_a_subclass_keeps_its_attributes() -> None:
    """with_options() copies attributes that a subclass has added."""

    class Named(fcasync.Client):
        name = ""

    client = Named(KEY, transport=ScriptedTransport([ACCOUNT]))
    client.name = "platform"
    view = client.with_options(stripe_account="acct_1")
    assert (view.name, type(view)) == ("platform", Named)
    assert view.accounts is not client.accounts


async def test_only_the_requested_features_are_awaited() -> None:
    """Another pending feature does not delay the call."""
    client, _, clock = scripted(PENDING)
    await client.accounts.refresh_and_wait("fca_1", features=["transactions"])
    assert clock.sleeps == []


async def test_a_refresh_that_takes_too_long_raises_with_the_account() -> None:
    """The call ends after the timeout, and the error has the latest account."""
    client, _, clock = scripted(*[PENDING] * 10)
    with pytest.raises(fcasync.DeadlineExceededError, match="still pending after 5 s") as caught:
        await client.accounts.refresh_and_wait("fca_1", features=["balance"], timeout=5)
    assert caught.value.account.id == "fca_1"
    assert sum(clock.sleeps) == 5


@pytest.mark.parametrize(
    "failure",
    [answer({"error": {}}, status=404), fcasync.APIConnectionError("lost"), None],
    ids=["status", "connection", "pending"],
)
async def test_a_failed_poll_has_the_key_of_its_refresh(failure: Any) -> None:
    """The refresh was accepted; with its key it can be repeated safely."""
    script = [PENDING, *[failure or PENDING] * 9]
    client, transport, _ = scripted(*script, retry=fcasync.RetryPolicy(attempts=1))
    with pytest.raises(fcasync.FCError) as caught:
        await client.accounts.refresh_and_wait("fca_1", features=["balance"], timeout=5)
    assert caught.value.idempotency_key == transport.requests[0].idempotency_key is not None
    assert caught.value.may_have_executed


@pytest.mark.parametrize(
    "options",
    [
        {"retry": 3},
        {"limits": 5},
        {"hooks": [5]},
        {"hooks": print},
        {"hooks": None},
        {"stripe_account": "cus_1"},
    ],
)
def test_an_option_of_another_type_is_refused(options: dict[str, Any]) -> None:
    """It is refused immediately, not by the first call that needs it."""
    with pytest.raises(fcasync.InvalidArgumentError, match=next(iter(options))):
        fcasync.Client(KEY, **options)
    if options.keys() <= {"retry", "stripe_account"}:
        with pytest.raises(fcasync.InvalidArgumentError, match=next(iter(options))):
            fcasync.Client(KEY).with_options(**options)


async def test_an_extra_header_replaces_the_clients_in_any_case() -> None:
    """A view's headers override the client's, and are never sent twice."""
    client, transport, _ = scripted(ACCOUNT, extra_headers={"X-One": "1", "user-agent": "mine"})
    await client.with_options(extra_headers={"x-one": "2"}).accounts.retrieve("fca_1")
    headers = transport.requests[0].headers
    assert [value for name, value in headers.items() if name.lower() == "x-one"] == ["2"]
    assert [value for name, value in headers.items() if name.lower() == "user-agent"] == ["mine"]


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.accounts.list(account_holder={"customer": "cus_1"}, session="fcsess_1"),
        lambda c: c.accounts.list(account_holder="cus_1"),
        lambda c: c.accounts.list(account_holder={"customer": "cus_1", "account": "acct_1"}),
        lambda c: c.accounts.list(account_holder={}),
        lambda c: c.accounts.list(limit=0),
        lambda c: c.accounts.list(expand="data.ownership"),
        lambda c: c.accounts.list_owners("..", ownership="fcaowns_1"),
        lambda c: c.accounts.list_owners("fca_1", ownership=""),
        lambda c: c.accounts.list(expand=5),
        lambda c: c.accounts.list(session=""),
        lambda c: c.accounts.list(session="a/b"),
        lambda c: c.accounts.list(account_holder={"customer": ""}),
        lambda c: c.accounts.list(account_holder={"customer": "cus_1", "account": ""}),
        lambda c: c.transactions.list(""),
        lambda c: c.transactions.list("fca_1", transaction_refresh={"after": ""}),
    ],
)
def test_an_invalid_list_is_refused_immediately(call: Any) -> None:
    """Two holders, a holder and a session, or an invalid limit or id: refused before iteration.

    An empty id in a filter would be sent, and list everything.
    """
    client, transport, _ = scripted()
    with pytest.raises(fcasync.InvalidArgumentError):
        call(client)
    assert transport.requests == []


@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.accounts.refresh("fca_1", features=[]),
        lambda c: c.accounts.refresh("fca_1", features="balance"),
        lambda c: c.accounts.retrieve(""),
        lambda c: c.accounts.retrieve("fca_1", expand=5),
        lambda c: c.accounts.disconnect("fca_1", idempotency_key=""),
        lambda c: c.sessions.create(account_holder={"type": "customer"}, permissions=["balances"]),
        lambda c: c.sessions.create(
            account_holder={"type": "customer", "account": "acct_1"}, permissions=["balances"]
        ),
        lambda c: c.sessions.create(
            account_holder={"type": "customer", "customer": "cus_1"}, permissions=[]
        ),
        lambda c: c.sessions.create(account_holder="cus_1", permissions=["balances"]),
        lambda c: c.accounts.refresh_and_wait("fca_1", features=["balance"], timeout=0),
    ],
)
async def test_an_invalid_call_is_not_sent(call: Any) -> None:
    """Invalid arguments are refused before any I/O."""
    client, transport, _ = scripted()
    with pytest.raises(fcasync.InvalidArgumentError):
        await call(client)
    assert transport.requests == []


async def test_an_older_state_does_not_end_the_wait() -> None:
    """A poll that is answered from before the refresh shows how another one ended."""
    stale = ACCOUNT | {"balance_refresh": {"status": "succeeded", "last_attempted_at": 0}}
    client, transport, _ = scripted(PENDING, stale, DONE)
    account = await client.accounts.refresh_and_wait("fca_1", features=["balance"])
    assert fcasync.to_dict(account) == DONE
    assert len(transport.requests) == 3


async def test_transactions_have_raw_responses_too() -> None:
    """One transaction, or the first page of a list, with what the answer said about itself."""
    transaction = {"id": "fctxn_1", "object": "financial_connections.transaction"}
    client, transport, _ = scripted(
        answer(transaction, headers={"Request-Id": "req_1"}),
        answer({"object": "list", "data": [transaction], "has_more": False}),
    )
    raw = client.transactions.with_raw_response
    one = await raw.retrieve("fctxn_1")
    page = await raw.list("fca_1", limit=1)
    assert (one.value.id, one.request_id, one.status) == ("fctxn_1", "req_1", 200)
    assert [found.id for found in page.value.data] == ["fctxn_1"]
    assert [request.operation.name for request in transport.requests] == [
        "retrieve_transaction",
        "list_transactions",
    ]
