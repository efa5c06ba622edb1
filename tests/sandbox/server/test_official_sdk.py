"""The official Python SDK takes the sandbox for Stripe, on each of its transports."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from fcasync.sandbox import Sandbox
from fcasync.sandbox._bank.event_bodies import thin
from fcasync.testing import signed_webhook

stripe = pytest.importorskip("stripe", reason="the official SDK is a development dependency")
pytest.importorskip("httpx", reason="the official SDK's second transport")


@pytest.fixture
def threaded() -> Iterator[Sandbox]:
    with Sandbox(accounts=25, threaded=True, varied=False) as sandbox:
        yield sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=25, varied=False) as sandbox:
        yield sandbox


def client(sandbox: Sandbox, http_client: Any = None, **options: Any) -> Any:
    return stripe.StripeClient(
        sandbox.api_key,
        base_addresses={"api": sandbox.url},
        http_client=http_client or stripe.RequestsClient(),
        max_network_retries=0,
        **options,
    ).v1.financial_connections


def test_the_sync_client_walks_through_every_operation(threaded: Sandbox) -> None:
    """Eleven operations answer with what the official SDK's own classes can read."""
    fc = client(threaded)
    account = fc.accounts.list({"limit": 1}).data[0]
    features = ["balance", "ownership", "transactions"]

    assert fc.accounts.retrieve(account.id).id == account.id
    assert fc.accounts.refresh(account.id, {"features": features}).balance_refresh.status == (
        "pending"
    )
    threaded.advance(2)
    settled = fc.accounts.retrieve(account.id, {"expand": ["ownership"]})
    assert settled.balance_refresh.status == "succeeded"
    owners = fc.accounts.owners.list(account.id, {"ownership": settled.ownership.id})
    assert [owner.id for owner in owners.data] == [o.id for o in settled.ownership.owners.data]
    subscription = {"features": ["transactions"]}
    assert fc.accounts.subscribe(account.id, subscription).subscriptions == ["transactions"]
    assert fc.accounts.unsubscribe(account.id, subscription).subscriptions == []
    transaction = fc.transactions.list({"account": account.id}).data[0]
    assert fc.transactions.retrieve(transaction.id).id == transaction.id
    holder = {"type": "customer", "customer": "cus_1"}
    session = fc.sessions.create({"account_holder": holder, "permissions": ["balances"]})
    assert fc.sessions.retrieve(session.id).client_secret == session.client_secret
    assert fc.accounts.disconnect(account.id).status == "disconnected"


def test_the_sync_client_reads_events(threaded: Sandbox) -> None:
    """Lists, filters and single events are what its own classes can read."""
    sdk = stripe.StripeClient(
        threaded.api_key, base_addresses={"api": threaded.url}, http_client=stripe.RequestsClient()
    )
    fc = sdk.v1.financial_connections
    ids = [account.id for account in fc.accounts.list({"limit": 5}).data]
    for each in ids:
        fc.accounts.disconnect(each)
    kind = "financial_connections.account.disconnected"
    events = sdk.v1.events
    listed = [each.data.object["id"] for each in events.list({"limit": 2}).auto_paging_iter()]
    page = events.list({"types": [kind], "created": {"gte": 1}, "delivery_success": True})

    assert listed == ids[::-1]
    assert [each.type for each in page.data] == [kind] * 5
    assert events.retrieve(page.data[0].id).data.object["status"] == "disconnected"
    assert events.list({"type": "charge.succeeded"}).data == []


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_sync_client_follows_a_thin_event(threaded: Sandbox) -> None:
    """Its own parser takes what the sandbox signs, and fetches the same account."""
    store = threaded.world.store
    account = store.seed.account_ids.encode(3)
    threaded.scenario(account, "stale_balance")
    threaded.advance(1)
    store.settle(threaded.now)
    (event,) = store.log.past.values()
    sdk = stripe.StripeClient(
        threaded.api_key, base_addresses={"api": threaded.url}, http_client=stripe.RequestsClient()
    )
    for body in thin(store, event):
        data, headers = signed_webhook(body, threaded.webhook_secret)
        signature = headers["Stripe-Signature"]
        notification = sdk.parse_event_notification(data, signature, threaded.webhook_secret)
        assert type(notification).__name__ != "UnknownEventNotification"
        assert notification.fetch_related_object().id == account


def test_the_sync_client_lists_thin_events(threaded: Sandbox) -> None:
    """It follows next_page_url alone, so that the filters have to be in it."""
    sdk = stripe.StripeClient(
        threaded.api_key, base_addresses={"api": threaded.url}, http_client=stripe.RequestsClient()
    )
    ids = [threaded.world.store.seed.account_ids.encode(index) for index in range(7)]
    for each in ids:
        threaded.scenario(each, "deactivated")
    threaded.scenario(threaded.world.store.seed.account_ids.encode(9), "stale_balance")
    events = sdk.v2.core.events
    kind = "v1.financial_connections.account.deactivated"
    created = {"gte": "2020-01-01T00:00:00Z", "lt": "2100-01-01T00:00:00.5+01:00"}
    page = events.list({"types": [kind], "created": created, "limit": 3})
    listed = [each.related_object.id for each in page.auto_paging_iter()]
    assert listed == ids[::-1]
    assert len(events.list({"object_id": ids[3]}).data) == 1
    assert events.list({"created": {"gt": "2100-01-01T00:00:00Z"}}).data == []
    assert events.retrieve(page.data[0].id).type == kind
    with pytest.raises(stripe.InvalidRequestError):
        events.retrieve("evt_test_1")


def test_the_sync_client_pages_in_both_directions(threaded: Sandbox) -> None:
    """Automatic paging sees each account once, forwards and backwards."""
    fc = client(threaded)
    forwards = [account.id for account in fc.accounts.list({"limit": 4}).auto_paging_iter()]
    last = forwards[-1]
    page = fc.accounts.list({"limit": 4, "ending_before": last})
    backwards = [account.id for account in page.auto_paging_iter()]

    assert len(set(forwards)) == 25
    assert backwards == forwards[-2::-1]


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ({"kind": "status", "status": 403}, "PermissionError"),
        ({"kind": "status", "status": 409}, "APIError"),
        ({"kind": "status", "status": 429}, "RateLimitError"),
        ({"kind": "status", "status": 500}, "APIError"),
        ({"kind": "reset_before"}, "APIConnectionError"),
        ({"kind": "truncate"}, "APIConnectionError"),
    ],
    ids=lambda value: value if isinstance(value, str) else str(value.get("status", value["kind"])),
)
def test_scripted_faults_raise_the_sdks_own_errors(
    threaded: Sandbox, fault: dict[str, Any], error: str
) -> None:
    """Each fault arrives as the error class that the same answer of Stripe would raise."""
    threaded.add_faults(fault)

    with pytest.raises(getattr(stripe, error)):
        client(threaded).accounts.list()


def test_refusals_raise_the_sdks_own_errors(threaded: Sandbox) -> None:
    """400, 401, 404 and a reused idempotency key carry Stripe's code and parameter."""
    fc = client(threaded)
    account = fc.accounts.list({"limit": 1}).data[0].id
    key = {"idempotency_key": "one"}
    fc.accounts.refresh(account, {"features": ["balance"]}, key)

    with pytest.raises(stripe.InvalidRequestError) as missing:
        fc.accounts.retrieve("fca_unknown")
    with pytest.raises(stripe.InvalidRequestError) as bad:
        fc.accounts.list({"limit": 1000})
    with pytest.raises(stripe.IdempotencyError):
        fc.accounts.refresh(account, {"features": ["ownership"]}, key)
    with pytest.raises(stripe.AuthenticationError):
        client(threaded).accounts.list(options={"api_key": "sk_live_" + "0" * 16})

    assert (missing.value.http_status, missing.value.code) == (404, "resource_missing")
    assert (bad.value.http_status, bad.value.param) == (400, "limit")
    assert missing.value.request_id.startswith("req_")


def test_a_retry_after_a_lost_answer_is_replayed(threaded: Sandbox) -> None:
    """The SDK's own retry meets the result of its first attempt: one effect, two requests."""
    threaded.add_faults({"operation": "refresh", "kind": "reset_after", "times": 1})
    retrying = stripe.StripeClient(
        threaded.api_key, base_addresses={"api": threaded.url}, max_network_retries=2
    ).v1.financial_connections
    account = retrying.accounts.list({"limit": 1}).data[0].id

    retrying.accounts.refresh(account, {"features": ["balance"]})

    rows = [row for row in threaded.ledger if row["operation"] == "refresh"]
    assert [(row["executed"], row["replayed"]) for row in rows] == [(True, False), (False, True)]
    assert threaded.executions("refresh") == {account: 1}


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # stripe's, inside httpx
@pytest.mark.parametrize("transport", ["HTTPXClient", "AIOHTTPClient"])
async def test_the_async_clients_refresh_and_page(sandbox: Sandbox, transport: str) -> None:
    """Both carry the same calls to the same end."""
    http_client = getattr(stripe, transport)()
    fc = client(sandbox, http_client)
    try:
        first = await fc.accounts.list_async({"limit": 10})
        ids = [account.id async for account in first.auto_paging_iter()]
        await fc.accounts.refresh_async(ids[0], {"features": ["balance"]})
        sandbox.advance(2)
        settled = await fc.accounts.retrieve_async(ids[0])
        with pytest.raises(stripe.InvalidRequestError):
            await fc.accounts.retrieve_async("fca_unknown")
    finally:
        await http_client.close_async()
        await asyncio.sleep(0)  # lets the transport see its sockets close

    assert len(set(ids)) == 25
    assert settled.balance_refresh.status == "succeeded"
