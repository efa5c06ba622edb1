"""Before and after a fork: gunicorn with preload, Celery's prefork pool, multiprocessing."""

import gc
import multiprocessing
import os
import ssl
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

import fcasync
from fcasync import blocking
from fcasync.blocking import _loop
from fcasync.sandbox import Sandbox
from tests._fork import status_of_child

pytestmark = [
    pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning"),
]
KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"


@pytest.fixture
def account(client: blocking.Client) -> str:
    return client.accounts.list().page().data[0].id


def test_a_child_makes_a_loop_of_its_own(client: blocking.Client, account: str) -> None:
    """Parent and child use the same client object, each over its own connections."""
    assert status_of_child(lambda: client.accounts.retrieve(account).id == account) == 0
    assert client.accounts.retrieve(account).id == account


def test_a_grandchild_works_as_well(client: blocking.Client, account: str) -> None:
    """A child that has a loop may fork again."""

    def child() -> bool:
        client.accounts.retrieve(account)
        return status_of_child(lambda: client.accounts.retrieve(account).id == account) == 0

    assert status_of_child(child) == 0


def test_multiprocessing_can_fork_a_pool(client: blocking.Client, account: str) -> None:
    """The workers of a pool inherit the client through the module or the closure."""
    context = multiprocessing.get_context("fork")
    processes = [
        context.Process(target=client.accounts.retrieve, args=(account,)) for _ in range(3)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(20)
    assert [process.exitcode for process in processes] == [0, 0, 0]


def test_forks_under_load(client: blocking.Client, account: str) -> None:
    """Eight threads call all the time; each child works, and no call of the parent fails."""
    is_over = threading.Event()

    def keep_calling() -> int:
        count = 0
        while not is_over.is_set():
            client.accounts.retrieve(account)
            list(client.accounts.list(limit=50))
            count += 1
        return count

    with ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(keep_calling) for _ in range(8)]
        try:
            statuses = [
                status_of_child(lambda: len(client.accounts.list().collect()) == 250)
                for _ in range(20)
            ]
        finally:
            is_over.set()
        assert all(call.result() for call in calls)
    assert statuses == [0] * 20


def test_forks_under_load_with_tls(tls: tuple[str, ssl.SSLContext]) -> None:
    """The loop is never inside OpenSSL when the process is copied."""
    url, context = tls
    is_over = threading.Event()
    with blocking.Client(KEY, base_url=url, ssl=context) as client:

        def keep_calling() -> None:
            while not is_over.is_set():
                client.accounts.retrieve("fca_1")

        with ThreadPoolExecutor(4) as pool:
            calls = [pool.submit(keep_calling) for _ in range(4)]
            try:
                statuses = [
                    status_of_child(lambda: client.accounts.retrieve("fca_1").id == "fca_1")
                    for _ in range(20)
                ]
            finally:
                is_over.set()
            for call in calls:
                call.result()
    assert statuses == [0] * 20


def test_a_fork_waits_for_no_loop_for_long(
    client: blocking.Client, account: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hook that waits for the thread that forks does not deadlock."""
    monkeypatch.setattr(_loop, "FORK_TIMEOUT", 0.05)
    reached, go_on = threading.Event(), threading.Event()

    def hook(event: fcasync.hooks.HookEvent, /) -> None:
        reached.set()
        go_on.wait(20)

    with blocking.Client(KEY, hooks=[hook], base_url="http://127.0.0.1:1") as other:
        call = threading.Thread(target=_fails, args=[lambda: other.accounts.retrieve("fca_1")])
        call.start()
        reached.wait()
        assert status_of_child(lambda: client.accounts.retrieve(account)) == 0
        go_on.set()
        call.join()


def _fails(call: Callable[[], Any]) -> None:
    with pytest.raises(fcasync.APIConnectionError):
        call()


def test_a_walk_does_not_go_on_in_a_child(client: blocking.Client) -> None:
    """Its request in flight is the parent's; the error says where to begin again."""
    ids = [account.id for account in client.accounts.list()]
    items = iter(client.accounts.list())
    next(items)

    def child() -> bool:
        with pytest.raises(fcasync.APIConnectionError, match="before a fork") as caught:
            list(items)
        rest = client.accounts.list(starting_after=caught.value.cursor)
        return caught.value.cursor == ids[99] and len(list(rest)) == 150

    assert status_of_child(child) == 0
    assert len(list(items)) == 249


def test_a_run_is_left_alone_by_a_child(client: blocking.Client, sandbox: Sandbox) -> None:
    """A child that leaves the block stops nothing; asking for an outcome there is an error."""
    ids = [account.id for account in client.accounts.list(max_items=30)]

    def child() -> bool:
        with pytest.raises(fcasync.APIConnectionError, match="before a fork"):
            next(run)
        assert run.stop() is False
        run.__exit__(None, None, None)
        return True

    with client.bulk.refresh(ids, features=["balance"]) as run:
        next(run)
        assert status_of_child(child) == 0
        assert len(list(run)) == 29
    assert len(sandbox.executions("refresh")) == 30


def test_a_child_that_closes_or_forgets_the_client_disturbs_nobody(
    client: blocking.Client, account: str, sandbox: Sandbox
) -> None:
    """The parent's connection is kept, because its sockets are shared with the child."""
    clients = [client, blocking.Client(sandbox.api_key, base_url=sandbox.url)]
    clients[1].accounts.retrieve(account)

    def child() -> bool:
        clients[0].close()
        clients.clear()
        gc.collect()
        return True

    assert status_of_child(child) == 0
    assert clients[1].accounts.retrieve(account).id == account
    clients[1].close()


def test_a_client_that_made_no_call_before_the_fork(sandbox: Sandbox) -> None:
    """What a module creates at import has no thread yet, and nothing to inherit."""
    client = blocking.Client(sandbox.api_key, base_url=sandbox.url)
    assert status_of_child(lambda: len(client.accounts.list().page()) == 10) == 0


@pytest.fixture
def tls() -> Iterator[tuple[str, ssl.SSLContext]]:
    trustme = pytest.importorskip("trustme", reason="needs trustme")
    import orjson

    from fcasync.sandbox._server.thread import LoopThread
    from tests._server import http

    ca = trustme.CA()
    served, trusting = (ssl.create_default_context(purpose) for purpose in _PURPOSES)
    ca.issue_cert("localhost").configure_cert(served)
    ca.configure_trust(trusting)
    answer = http(orjson.dumps({"id": "fca_1", "object": "financial_connections.account"}))
    home = LoopThread()
    server = home.run(_tls_server(served, answer))
    yield f"https://localhost:{server.sockets[0].getsockname()[1]}", trusting
    home.run(_stop(server))
    home.close()


_PURPOSES = (ssl.Purpose.CLIENT_AUTH, ssl.Purpose.SERVER_AUTH)


async def _tls_server(context: ssl.SSLContext, answer: bytes) -> Any:
    import asyncio

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while await reader.readuntil(b"\r\n\r\n"):
                writer.write(answer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()  # the client has disconnected

    return await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)


async def _stop(server: Any) -> None:
    import asyncio

    server.close()
    for task in asyncio.all_tasks() - {asyncio.current_task()}:
        task.cancel()
