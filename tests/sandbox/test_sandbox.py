"""The sandbox as an object: its arguments, and how it starts and stops."""

import asyncio
from typing import Any

import aiohttp
import pytest

import fcasync
from fcasync import RetryPolicy, blocking
from fcasync.sandbox import RateLimit, Sandbox
from tests.sandbox.conftest import Http, port_of
from tests.sandbox.worlds import ACCOUNTS


async def test_a_threaded_sandbox_serves_a_loop_too() -> None:
    """`threaded=True` works under `async with`, and its numbers are read across threads."""
    async with Sandbox(threaded=True, varied=False) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        async with (
            aiohttp.ClientSession(sandbox.url, headers=headers) as session,
            session.get(ACCOUNTS) as answer,
        ):
            assert answer.status == 200
        sandbox.advance(5)
        assert len(sandbox.ledger) == 1
    with pytest.raises(RuntimeError, match="not running"):
        _ = sandbox.url


async def test_an_account_is_relinked_by_the_client() -> None:
    """The whole story of the guide: access ends, a session links the account again."""
    async with (
        Sandbox(varied=False) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        kinds = {account.subcategory: account.id async for account in client.accounts.list()}
        account_id = kinds["checking"]
        sandbox.scenario(account_id, "relink_required")
        assert (await client.accounts.retrieve(account_id)).action == "relink"
        sandbox.advance(8 * 86_400)
        preview = client.with_options(stripe_version="2026-10-28.preview")
        account = await preview.accounts.retrieve(account_id)
        assert (account.status, account.action) == ("inactive", "relink")
        options = {"authorization": account.extra["authorization"], "account": account.id}
        session = await preview.sessions.create(
            account_holder={"type": "customer", "customer": "cus_1"},
            permissions=["balances"],
            extra_params={"relink_options": options},
        )
        assert sandbox.link(session.client_secret or "") == [account_id]
        after = await preview.sessions.retrieve(session)
        assert after.extra["relink_result"]["account"] == account_id
        assert (await client.accounts.retrieve(account_id)).status == "active"


def test_a_sandbox_that_is_not_threaded_needs_a_loop() -> None:
    """The wrong `with` says which one is right."""
    with pytest.raises(TypeError, match="async with"), Sandbox():
        pass


@pytest.mark.parametrize(
    "wrong",
    [
        {"accounts": -1},
        {"accounts": 2**27 + 1},
        {"seed": 1.5},
        {"seed": 2**64},
        {"rate_limit": 0},
        {"settle_seconds": -1},
        {"latency": float("nan")},
        {"failure_rate": 2},
        {"webhook_duplicates": -0.1},
        {"api_key": "sk_live_1234567890"},
        {"api_key": "hello"},
        {"webhook_url": "localhost:3000/hook"},
        {"webhook_url": "http:///hook"},
    ],
)
def test_a_sandbox_refuses_bad_arguments(wrong: dict[str, Any]) -> None:
    """Arguments are checked when the sandbox is made."""
    with pytest.raises(ValueError, match=next(iter(wrong))) as refused:
        Sandbox(**wrong)

    assert "1234567890" not in str(refused.value)


async def test_a_sandbox_runs_once_at_a_time(sandbox: Sandbox, http: Http) -> None:
    """Entering one that runs is an error, and does the one that runs no harm."""
    with pytest.raises(RuntimeError, match="running already"):
        await sandbox.__aenter__()

    assert (await http.send("GET", ACCOUNTS))[0] == 200


def test_a_threaded_sandbox_runs_once_at_a_time() -> None:
    """The same holds across threads."""
    with Sandbox(threaded=True) as sandbox:
        with pytest.raises(RuntimeError, match="running already"):
            sandbox.__enter__()

        assert sandbox.ledger == []


def test_a_threaded_sandbox_ends_the_answers_that_it_holds_back() -> None:
    """Nothing is left on its loop when the block is left, whoever waits or has given up."""
    with Sandbox(accounts=1, threaded=True) as sandbox:
        sandbox.add_faults({"kind": "delay", "seconds": 3600})
        assert sandbox._host.home is not None
        loop = sandbox._host.home._loop
        with (
            blocking.Client(sandbox.api_key, base_url=sandbox.url, timeout=0.05) as client,
            pytest.raises(fcasync.APITimeoutError),
        ):
            once = client.with_options(retry=RetryPolicy(attempts=1))
            once.accounts.list().page()
        assert asyncio.all_tasks(loop)
    assert not asyncio.all_tasks(loop)


def test_a_sandbox_that_could_not_start_can_be_started_later() -> None:
    """After a busy port, what it holds can still be read, and it can try again."""
    with Sandbox(threaded=True) as first:
        port = port_of(first)
        second = Sandbox(port=port, threaded=True)
        with pytest.raises(OSError, match="in use"):
            second.__enter__()
        assert second.ledger == []
    with second:
        assert port_of(second) == port


async def test_a_busy_port_is_an_error_at_the_start(sandbox: Sandbox) -> None:
    """The port that was asked for, or none."""
    port = port_of(sandbox)
    with pytest.raises(OSError, match="address already in use"), Sandbox(port=port, threaded=True):
        pass


async def test_a_repr_shows_where_it_is_and_no_key(sandbox: Sandbox) -> None:
    """A sandbox can be printed: URL and size, never the key."""
    assert repr(sandbox) == f"<Sandbox {sandbox.url}, 25 accounts>"
    assert repr(Sandbox(3)) == "<Sandbox not started, 3 accounts>"


async def test_connected_accounts_have_worlds_limits_and_counts_of_their_own() -> None:
    """What happens to one is not seen in another, nor in the platform's own account."""
    async with (
        Sandbox(accounts=3, varied=False, settle_seconds=0) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url, retry=RetryPolicy(attempts=1)) as own,
    ):
        first, second = (sandbox.connected(name) for name in ("acct_1", "acct_2"))
        first.set_rate_limit(RateLimit(endpoint=1))
        clients = [own.with_options(stripe_account=name) for name in ("acct_1", "acct_2")]
        names = [[account.id for account in await client.accounts.list()] for client in clients]
        assert not set(names[0]) & set(names[1])
        for name in names[1]:
            await clients[1].accounts.refresh(name, features=["ownership"])
        assert second.executions("refresh") == dict.fromkeys(names[1], 1)
        assert first.executions("refresh") == sandbox.executions("refresh") == {}
        with pytest.raises(fcasync.RateLimitError):
            for _ in range(2):
                await clients[0].accounts.retrieve(names[0][0])


async def test_a_connected_account_can_take_its_access_away() -> None:
    """Stripe answers 403 then, and to nobody else."""
    async with (
        Sandbox(accounts=1) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url) as own,
    ):
        tenant = sandbox.connected("acct_1")
        client = own.with_options(stripe_account="acct_1")
        tenant.revoke()
        with pytest.raises(fcasync.PermissionDeniedError, match="revoked") as caught:
            await client.accounts.list()
        assert caught.value.code == "account_invalid"
        assert len(await own.accounts.list()) == 1
        tenant.restore()
        assert len(await client.accounts.list()) == 1
        assert repr(tenant) == "<acct_1, 1 accounts>"
        with pytest.raises(ValueError, match="acct_"):
            sandbox.connected("fca_1")
