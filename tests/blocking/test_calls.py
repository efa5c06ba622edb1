"""Calls that block: their results, errors, contexts and threads."""

import asyncio
import contextvars
import copy
import inspect
import pickle
import threading
import traceback
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import orjson
import pytest

import fcasync
from fcasync import Account, blocking
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, ScriptedTransport
from tests._server import http, stall
from tests.blocking._threads import later, serving_elsewhere, tasks

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
ACCOUNT = {"id": "fca_1", "object": "financial_connections.account"}
PENDING = ACCOUNT | {"balance_refresh": {"status": "pending", "last_attempted_at": 1}}
DONE = ACCOUNT | {"balance_refresh": {"status": "succeeded", "last_attempted_at": 1}}


def scripted(*script: Any, **options: Any) -> tuple[blocking.Client, ScriptedTransport, FakeClock]:
    transport, clock = ScriptedTransport(script), FakeClock()
    return blocking.Client(KEY, transport=transport, clock=clock, **options), transport, clock


def test_a_call_returns_what_the_asynchronous_one_returns(
    client: blocking.Client, sandbox: Sandbox
) -> None:
    """Models, raw responses, any request, sessions and errors are the same."""
    account, other = client.accounts.list().page().data[:2]
    assert client.accounts.retrieve(account) == account
    response = client.accounts.with_raw_response.retrieve(account)
    assert (response.value, response.status, response.attempts) == (account, 200, 1)
    page = client.accounts.with_raw_response.list(limit=2)
    assert [each.id for each in page.value.data] == [account.id, other.id]
    path = f"/v1/financial_connections/accounts/{account.id}"
    assert client.request("GET", path, decode=Account) == account
    assert client.request("GET", path)["id"] == account.id
    check = client.accounts.balance(account, at_least={"usd": 1})
    assert check.verdict in ("sufficient", "insufficient", "unknown")
    session = client.sessions.create(
        account_holder={"type": "customer", "customer": "cus_1"}, permissions=["balances"]
    )
    assert client.sessions.retrieve(session.id).id == session.id
    with pytest.raises(fcasync.NotFoundError):
        client.accounts.retrieve("fca_unknown1")
    settled = client.accounts.refresh_and_wait(other, features=["balance"])
    assert settled.balance_refresh is not None
    assert settled.balance_refresh.status == "succeeded"


def test_waiting_follows_the_clients_own_clock() -> None:
    """Intervals and timeouts are those of the asynchronous client."""
    client, transport, clock = scripted(PENDING, PENDING, DONE)
    with client:
        client.accounts.refresh_and_wait("fca_1", features=["balance"])
    assert clock.sleeps == pytest.approx([1.5, 2.4])
    assert [each.operation.name for each in transport.requests] == ["refresh"] + 2 * ["retrieve"]


def test_an_argument_is_refused_before_any_thread_is_started() -> None:
    """Bad options, lists and jobs fail where they are made."""
    with pytest.raises(fcasync.InvalidArgumentError, match="hooks"):
        blocking.Client(KEY, hooks=[5])  # type: ignore[list-item]
    client, transport, _ = scripted()
    with pytest.raises(fcasync.InvalidArgumentError, match="limit"):
        client.accounts.list(limit=0)
    with pytest.raises(fcasync.InvalidArgumentError, match="source"):
        client.bulk.disconnect("fca_1")
    with pytest.raises(TypeError, match="unexpected keyword argument 'lmit'"):
        client.accounts.list(lmit=3)  # type: ignore[call-arg]
    assert "fcasync.blocking" not in [thread.name for thread in threading.enumerate()]
    assert transport.requests == []


def test_views_share_the_loop_and_keep_their_options() -> None:
    """with_options() starts no second thread, and a subclass keeps its attributes."""

    class Named(blocking.Client):
        name = ""

    transport = ScriptedTransport([ACCOUNT] * 3)
    with Named(KEY, transport=transport) as client:
        client.name = "platform"
        client.accounts.retrieve("fca_1")
        view = client.with_options(stripe_account="acct_1")
        assert (type(view), view.name) == (Named, "platform")
        view.accounts.retrieve("fca_1")
        client.accounts.retrieve("fca_1")
        names = [thread.name for thread in threading.enumerate()]
        assert names.count("fcasync.blocking") == 1
    sent = [request.headers.get("Stripe-Account") for request in transport.requests]
    assert sent == [None, "acct_1", None]


def test_it_refuses_to_block_a_loop() -> None:
    """In async code every call says what to use instead, and nothing is sent."""
    client, transport, _ = scripted(ACCOUNT)

    async def main() -> None:
        for call in (
            lambda: client.accounts.retrieve("fca_1"),
            lambda: next(iter(client.accounts.list())),
            lambda: client.accounts.list().collect(),
            lambda: client.bulk.disconnect(["fca_1"]).__enter__(),
        ):
            with pytest.raises(RuntimeError, match=r"use fcasync\.Client in async code"):
                call()
        account = await asyncio.to_thread(client.accounts.retrieve, "fca_1")
        assert account.id == "fca_1"
        with pytest.raises(RuntimeError, match=r"use fcasync\.Client in async code"):
            client.close()
        await asyncio.to_thread(client.close)

    asyncio.run(main())
    assert len(transport.requests) == 1


def test_a_hook_that_calls_the_client_does_not_deadlock() -> None:
    """Hooks run on the loop's thread, where waiting would wait for itself."""
    raised: list[BaseException] = []

    def hook(event: fcasync.hooks.HookEvent, /) -> None:
        try:
            client.accounts.retrieve("fca_1")
        except RuntimeError as error:
            raised.append(error)

    client, _, _ = scripted(ACCOUNT, hooks=[hook])
    with client:
        assert client.accounts.retrieve("fca_1").id == "fca_1"
    assert raised
    assert all("would block" in str(error) for error in raised)


def test_a_call_runs_in_the_context_of_its_thread() -> None:
    """Trace ids and log fields of the thread belong to its calls, and to no other thread's."""
    request_id = contextvars.ContextVar("request_id", default="none")
    seen: list[tuple[str, str | None]] = []

    def hook(event: fcasync.hooks.HookEvent, /) -> None:
        seen.append((request_id.get(), event.call.idempotency_key))

    def call(name: str) -> None:
        request_id.set(name)
        client.accounts.refresh("fca_1", features=["balance"], idempotency_key=name)

    client, _, _ = scripted(*[ACCOUNT] * 8, hooks=[hook])
    with client, ThreadPoolExecutor(4) as pool:
        list(pool.map(call, [f"key_{number}" for number in range(8)]))
    assert len(seen) == 3 * 8
    assert all(name == key for name, key in seen)


def test_many_threads_share_a_client(sandbox: Sandbox) -> None:
    """64 threads get each its own answers, over one loop and a bounded pool."""
    with (
        blocking.Client(sandbox.api_key, base_url=sandbox.url, max_connections=16) as client,
        ThreadPoolExecutor(64) as pool,
    ):
        ids = [account.id for account in client.accounts.list()]
        wanted = [ids[number % len(ids)] for number in range(640)]
        got = list(pool.map(lambda each: client.accounts.retrieve(each).id, wanted))
        assert got == wanted
        names = Counter(thread.name for thread in threading.enumerate())
        assert names["fcasync.blocking"] == 1
        assert tasks(client) == []


def test_a_traceback_shows_the_line_of_the_caller(client: blocking.Client) -> None:
    """It goes on into the coroutine, down to where the error was raised."""
    with pytest.raises(fcasync.NotFoundError) as caught:
        client.accounts.retrieve("fca_unknown1")  # this line
    frames = traceback.extract_tb(caught.value.__traceback__)
    assert frames[0].line == 'client.accounts.retrieve("fca_unknown1")  # this line'
    assert frames[-1].name == "_paced_attempt"
    assert caught.value.__context__ is None


def test_an_error_is_garbage_as_soon_as_it_was_handled(client: blocking.Client) -> None:
    """No cycle keeps the frames of a failed call alive until the next collection."""
    import gc
    import weakref

    gc.collect()
    gc.disable()
    try:
        try:
            client.accounts.retrieve("fca_unknown1")
        except fcasync.NotFoundError as error:
            gone = weakref.ref(error)
        assert client.accounts.list().page().data  # the loop has let go of the call as well
        assert gone() is None
    finally:
        gc.enable()


@pytest.mark.parametrize("make", [lambda c: c, lambda c: c.accounts, lambda c: c.accounts.list()])
def test_nothing_that_holds_a_client_can_be_pickled(make: Any) -> None:
    """The message says what to do in a process of one's own."""
    client, _, _ = scripted()
    for refused in (pickle.dumps, copy.deepcopy):
        with pytest.raises(TypeError, match="build a Client per process"):
            refused(make(client))


def test_the_repr_hides_the_key() -> None:
    """Also in the traceback of a constructor that refused its arguments."""
    client, _, _ = scripted()
    assert repr(client) == "<blocking Client sk_test_…p7dc at https://api.stripe.com>"
    assert repr(blocking.Client.__new__(blocking.Client)) == (
        "<blocking Client without valid arguments>"
    )
    assert repr(client.accounts.list(starting_after="fca_1")) == (
        "<Paginator starting_after=fca_1; iterate over it or use page()>"
    )


def test_a_closed_client_may_be_used_again() -> None:
    """As the asynchronous client: a later call starts anew."""
    client, transport, _ = scripted(ACCOUNT, ACCOUNT)
    for _ in range(2):
        with client:
            client.accounts.retrieve("fca_1")
        assert "fcasync.blocking" not in [thread.name for thread in threading.enumerate()]
    client.close()
    assert len(transport.requests) == 2


def test_closing_ends_calls_in_flight_with_an_error() -> None:
    """Threads that wait get an error that has the key of a request that may have been executed."""
    with serving_elsewhere(stall) as server:
        client = blocking.Client(KEY, base_url=server.url)
        read = later(lambda: client.accounts.retrieve("fca_1"))
        write = later(lambda: client.accounts.refresh("fca_1", features=["balance"]))
        while len(server.requests) < 2:
            threading.Event().wait(0.001)
        client.close()
        for error, is_write in ((read(), False), (write(), True)):
            assert isinstance(error, fcasync.APIConnectionError)
            assert "the client was closed while this call was in flight" in str(error)
            assert error.may_have_executed is is_write
            assert (error.idempotency_key is not None) is is_write
            assert not error.retryable
        sent = [server.header("Idempotency-Key", index) for index in range(2)]
        assert write().idempotency_key in sent


def test_closing_ends_a_call_that_polls() -> None:
    """The error of refresh_and_wait has the key of its refresh."""
    with serving_elsewhere(http(orjson.dumps(PENDING)), stall) as server:
        client = blocking.Client(KEY, base_url=server.url)
        wait = later(lambda: client.accounts.refresh_and_wait("fca_1", features=["balance"]))
        while not server.requests:
            threading.Event().wait(0.001)
        client.close()
        error = wait()
        assert isinstance(error, fcasync.APIConnectionError)
        assert error.idempotency_key == server.header("Idempotency-Key", 0)


def test_everything_public_is_documented() -> None:
    """``help(fcasync.blocking)`` says what each name is for."""
    for name in blocking.__all__:
        cls = getattr(blocking, name)
        assert cls.__module__ == "fcasync.blocking"
        for member, value in inspect.getmembers(cls):
            assert member.startswith("_") or inspect.getdoc(value), f"{name}.{member}"
