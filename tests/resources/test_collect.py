"""What follows linking: the accounts of a session, subscribed and refreshed once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

import fcasync
from fcasync import DeadlineExceededError, InvalidArgumentError, NotFoundError, Session
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, ScriptedTransport, answer, make_account

ALL = ["balances", "ownership", "transactions"]


@pytest.fixture
def clock() -> FakeClock:
    return FakeClock()


@pytest.fixture
async def sandbox(clock: FakeClock) -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=3, clock=clock) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox, clock: FakeClock) -> AsyncIterator[fcasync.Client]:
    async with fcasync.Client(sandbox.api_key, base_url=sandbox.url, clock=clock) as client:
        yield client


def posts(sandbox: Sandbox) -> list[str]:
    """Return the names of the changes to accounts that were requested."""
    names = [entry["operation"] for entry in sandbox.ledger]
    return [name for name in names if name in ("refresh", "subscribe")]


async def linked(client: fcasync.Client, sandbox: Sandbox, **more: Any) -> Session:
    """Return a session in which a person linked two accounts."""
    session = await client.sessions.create(
        account_holder={"type": "customer", "customer": "cus_1"},
        **{"permissions": ALL, **more},
    )
    assert session.client_secret
    sandbox.link(session.client_secret, accounts=2)
    return session


async def test_accounts_are_ready_when_it_returns(client: fcasync.Client, sandbox: Sandbox) -> None:
    """They are subscribed, and what was asked for has been read from the bank."""
    session = await linked(client, sandbox)
    accounts = await client.sessions.collect(session, features=["balance", "transactions"])
    assert len(accounts) == 2
    for account in accounts:
        assert account.subscriptions == ["transactions"]
        assert account.balance_refresh is not None
        assert account.balance_refresh.status != "pending"
        assert account.transaction_refresh is not None
        assert account.ownership_refresh is None


async def test_it_waits_for_what_the_session_prefetches(
    client: fcasync.Client, sandbox: Sandbox
) -> None:
    """Without features, nothing is requested that costs money; what is on its way is awaited."""
    session = await linked(client, sandbox, prefetch=["balances"])
    accounts = await client.sessions.collect(session.id, subscribe=())
    assert [account.balance_refresh is not None for account in accounts] == [True, True]
    assert all(
        account.balance_refresh.status != "pending"
        for account in accounts
        if account.balance_refresh
    )
    assert all(account.transaction_refresh is None for account in accounts)
    assert posts(sandbox) == []


async def test_calling_it_again_changes_nothing(client: fcasync.Client, sandbox: Sandbox) -> None:
    """A browser that reports the end twice costs no second refresh."""
    session = await linked(client, sandbox)
    first = await client.sessions.collect(session, features=["balance"])
    sent = posts(sandbox).count("refresh")
    assert await client.sessions.collect(session, features=["balance"]) == first
    assert posts(sandbox).count("refresh") == sent == 2


async def test_what_was_not_granted_is_left_out(client: fcasync.Client, sandbox: Sandbox) -> None:
    """A holder who shares only balances has no transactions, and that is not an error."""
    session = await linked(client, sandbox, permissions=["balances"])
    accounts = await client.sessions.collect(session, features=["balance", "ownership"])
    assert not any(account.subscriptions for account in accounts)
    assert all(account.ownership_refresh is None for account in accounts)
    assert posts(sandbox) == ["refresh", "refresh"]


async def test_an_abandoned_session_has_no_accounts(client: fcasync.Client) -> None:
    """A user who closed the page linked nothing."""
    session = await client.sessions.create(
        account_holder={"type": "customer", "customer": "cus_1"}, permissions=ALL
    )
    assert await client.sessions.collect(session) == []


async def test_a_silent_bank_ends_the_wait(sandbox: Sandbox) -> None:
    """At the timeout the accounts come back as they are: still pending."""
    clock = FakeClock()  # not the sandbox's: its banks never get to their answer
    async with fcasync.Client(sandbox.api_key, base_url=sandbox.url, clock=clock) as client:
        session = await linked(client, sandbox)
        accounts = await client.sessions.collect(session, features=["balance"], timeout=10)
    states = [account.balance_refresh and account.balance_refresh.status for account in accounts]
    assert states == ["pending", "pending"]


@pytest.mark.parametrize("operation", ["subscribe", "refresh"])
async def test_only_the_silence_of_a_bank_raises_nothing(operation: str) -> None:
    """A request that Stripe did not answer is an error: nobody must take its account for ready."""
    async with (
        Sandbox(accounts=2) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url, deadline=0.5) as client,
    ):
        session = await linked(client, sandbox)
        sandbox.add_faults({"operation": operation, "kind": "delay", "seconds": 60})
        with pytest.raises(DeadlineExceededError):
            await client.sessions.collect(session, features=["balance"])


async def test_a_refused_subscription_costs_no_refresh(
    client: fcasync.Client, sandbox: Sandbox
) -> None:
    """A bank whose transactions Stripe cannot read may still have a balance."""
    session = await linked(client, sandbox)
    sandbox.add_faults({"operation": "subscribe", "kind": "status", "status": 400, "times": 2})
    accounts = await client.sessions.collect(session, features=["balance"])
    assert [account.subscriptions for account in accounts] == [[], []]
    assert all(account.balance_refresh is not None for account in accounts)


async def test_an_account_that_is_gone_comes_back_as_it_is(
    client: fcasync.Client, sandbox: Sandbox
) -> None:
    """A holder who revoked access at once does not fail the accounts beside it."""
    session = await linked(client, sandbox)
    [first, second] = await client.accounts.list(session=session.id).collect()
    sandbox.deactivate(first.id)
    accounts = await client.sessions.collect(session, features=["balance"])
    assert [account.status for account in accounts] == ["inactive", "active"]
    assert accounts[1].balance_refresh is not None, second


async def test_an_unknown_session_is_an_error(client: fcasync.Client) -> None:
    """It is the same error as that of retrieve(), not a group of errors."""
    with pytest.raises(NotFoundError):
        await client.sessions.collect("fcsess_unknown")


@pytest.mark.parametrize(
    "arguments",
    [
        {"features": []},
        {"features": "balance"},
        {"features": ["balance", "balances"]},
        {"subscribe": "transactions"},
        {"subscribe": ["transaction"]},
        {"timeout": -1},
    ],
)
async def test_bad_arguments_are_refused_before_any_request(
    client: fcasync.Client, sandbox: Sandbox, arguments: Any
) -> None:
    """Nothing is sent for a call that cannot be right."""
    with pytest.raises(InvalidArgumentError):
        await client.sessions.collect("fcsess_1", **arguments)
    assert len(sandbox.ledger) == 0


async def test_the_first_refresh_ends_within_the_time_for_the_banks() -> None:
    """Stripe's own silence does not make the wait longer than a poll's would be."""
    account = fcasync.to_dict(
        make_account(id="fca_1", permissions=["balances"], balance_refresh=None)
    )
    page = {"object": "list", "data": [account], "has_more": False, "url": "/"}
    transport = ScriptedTransport([answer(page), answer(account)])
    client = fcasync.Client("sk_test_1", transport=transport, clock=FakeClock())
    await client.sessions.collect("fcsess_1", subscribe=(), features=["balance"], timeout=10)
    assert [request.operation.name for request in transport.requests] == ["list", "refresh"]
    assert transport.requests[1].options.deadline == 10
