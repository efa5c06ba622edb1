"""Ctrl-C and signal handlers that raise, in a thread that waits."""

import asyncio
import signal
import threading
import traceback
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager
from typing import Any

import orjson
import pytest

import fcasync
from fcasync import blocking
from fcasync.blocking import _job
from fcasync.blocking._job import Job
from fcasync.testing import FakeClock
from tests._server import http, stall
from tests.blocking._threads import (
    interrupting,
    interrupting_unnoticed,
    later,
    serving_elsewhere,
    tasks,
)

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
ACCOUNT = {"id": "fca_1", "object": "financial_connections.account"}
PENDING = ACCOUNT | {"balance_refresh": {"status": "pending", "last_attempted_at": 1}}
ANSWER = http(orjson.dumps(ACCOUNT))
FIRST_PAGE = http(orjson.dumps({"object": "list", "data": [ACCOUNT], "has_more": True, "url": "/"}))


class TimeLimitError(Exception):
    """What a handler raises, as Celery's soft time limit does."""


@contextmanager
def handling(number: int, error: type[BaseException]) -> Iterator[None]:
    def handle(*_: Any) -> None:
        raise error

    before = signal.signal(number, handle)
    try:
        yield
    finally:
        signal.signal(number, before)


@pytest.mark.parametrize("error", [KeyboardInterrupt, TimeLimitError, SystemExit])
@pytest.mark.parametrize(
    "call",
    [
        lambda c: c.accounts.retrieve("fca_1"),
        lambda c: c.accounts.refresh("fca_1", features=["balance"]),
        lambda c: c.accounts.list().page(),
        lambda c: c.accounts.list().collect(),
        lambda c: list(c.accounts.list()),
        lambda c: list(c.transactions.sync("fca_1")),
        lambda c: c.bulk.refresh(["fca_1"], features=["balance"]).__enter__(),
    ],
    ids=["get", "post", "page", "collect", "walk", "sync", "bulk"],
)
def test_an_interrupted_call_leaves_nothing_behind(
    call: Callable[[blocking.Client], Any], error: type[BaseException]
) -> None:
    """The call is cancelled in the loop, its connection is closed, and the client works on."""
    with (
        handling(signal.SIGUSR1, error),
        serving_elsewhere(interrupting(signal.SIGUSR1), ANSWER) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        with pytest.raises(error):
            call(client)
        assert tasks(client) == []
        assert len(server.requests) == 1
        assert client.accounts.retrieve("fca_1").id == "fca_1"
        assert server.connections == 2


def test_ctrl_c_in_the_instant_before_a_wait_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    """A signal that does not wake the thread is looked for."""
    monkeypatch.setattr(_job, "LOOK", 0.01)
    with (
        serving_elsewhere(interrupting_unnoticed()) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            client.accounts.retrieve("fca_1")
        assert tasks(client) == []


def test_ctrl_c_ends_a_long_wait() -> None:
    """refresh_and_wait has sent its POST, and is interrupted while it polls."""
    with (
        serving_elsewhere(http(orjson.dumps(PENDING)), interrupting(), ANSWER) as server,
        blocking.Client(KEY, base_url=server.url, clock=FakeClock()) as client,
    ):
        with pytest.raises(KeyboardInterrupt) as caught:
            client.accounts.refresh_and_wait("fca_1", features=["balance"], timeout=3600)
        frames = traceback.extract_tb(caught.value.__traceback__)
        assert "refresh_and_wait" in str(frames[0].line)
        assert tasks(client) == []
        assert len(server.requests) == 2
        client.accounts.retrieve("fca_1")


def test_ctrl_c_between_two_pages_ends_the_request_that_was_ahead() -> None:
    """The next page is being fetched while the caller works on this one."""
    with (
        serving_elsewhere(FIRST_PAGE, interrupting(), ANSWER) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        with pytest.raises(KeyboardInterrupt):
            for account in client.accounts.list():
                assert account.id == "fca_1"
        client.accounts.retrieve("fca_1")
        assert tasks(client) == []


def test_a_handler_may_close_the_client() -> None:
    """The call that it interrupts ends with the error of a closed client."""
    with (
        serving_elsewhere(interrupting(signal.SIGUSR1)) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        before = signal.signal(signal.SIGUSR1, lambda *_: client.close())
        try:
            with pytest.raises(fcasync.APIConnectionError, match="client was closed"):
                client.accounts.retrieve("fca_1")
        finally:
            signal.signal(signal.SIGUSR1, before)


@contextmanager
def interrupted_post(client: blocking.Client, act: Callable[[], object]) -> Iterator[None]:
    """Let a signal handler *act* when the client's next call is half handed over to its loop."""
    loop = client._loops.current()._loop
    post = loop.call_soon_threadsafe

    def interrupted(*args: Any, **kwargs: Any) -> Any:
        del vars(loop)["call_soon_threadsafe"]
        handle = post(*args, **kwargs)
        signal.raise_signal(signal.SIGUSR1)
        return handle

    vars(loop)["call_soon_threadsafe"] = interrupted
    before = signal.signal(signal.SIGUSR1, lambda *_: act())
    try:
        yield
    finally:
        signal.signal(signal.SIGUSR1, before)


def test_a_handler_may_close_the_client_while_a_call_begins() -> None:
    """The thread holds what hands a call over, so its handler does not wait for the loop's end."""
    with (
        serving_elsewhere(stall) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        thread = client._loops.current()._thread
        with (
            interrupted_post(client, client.close),
            pytest.raises(fcasync.APIConnectionError, match="client was closed"),
        ):
            client.accounts.retrieve("fca_1")
        thread.join()


def test_a_handler_that_raises_while_a_call_begins_leaves_the_client_usable() -> None:
    """In this thread and in others: nothing that was handed over half-way holds them up."""

    def act() -> None:
        raise TimeLimitError

    with (
        serving_elsewhere(ANSWER) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        with interrupted_post(client, act), pytest.raises(TimeLimitError):
            client.accounts.retrieve("fca_1")
        assert later(lambda: client.accounts.retrieve("fca_1").id)() == "fca_1"
        assert client.accounts.retrieve("fca_1").id == "fca_1"
        assert tasks(client) == []


def test_a_handler_may_make_a_call_while_the_loop_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    """The client has one loop afterwards, whoever started it."""
    start = threading.Thread.start

    def interrupted(thread: threading.Thread) -> None:
        monkeypatch.setattr(threading.Thread, "start", start)
        start(thread)
        signal.raise_signal(signal.SIGUSR1)

    with (
        serving_elsewhere(ANSWER, ANSWER) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        before = signal.signal(signal.SIGUSR1, lambda *_: client.accounts.retrieve("fca_1"))
        try:
            monkeypatch.setattr(threading.Thread, "start", interrupted)
            client.accounts.retrieve("fca_1")
        finally:
            signal.signal(signal.SIGUSR1, before)
        started = [each for each in threading.enumerate() if each.name == "fcasync.blocking"]
        client.close()
        for thread in started:
            thread.join(20)
        assert not any(thread.is_alive() for thread in started)


def test_a_handler_may_wait_for_the_loop_while_a_call_begins() -> None:
    """The loop does not wait for its thread, even if a forgotten walk is collected on the loop."""
    with (
        serving_elsewhere(ANSWER) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        loop = client._loops.current()
        seen: list[str] = []

        async def walk() -> AsyncGenerator[str]:
            yield "page"

        async def collected() -> str:
            loop.discard(walk())
            return "collected"

        with interrupted_post(client, lambda: seen.append(loop.run(collected))):
            assert client.accounts.retrieve("fca_1").id == "fca_1"
        assert seen == ["collected"]


def test_a_handler_may_make_a_call() -> None:
    """A call inside a call: each waits for its own result."""
    seen = []
    with (
        serving_elsewhere(interrupting(signal.SIGUSR1), ANSWER) as server,
        blocking.Client(KEY, base_url=server.url, timeout=1.0) as client,
    ):
        before = signal.signal(
            signal.SIGUSR1, lambda *_: seen.append(client.accounts.retrieve("fca_1").id)
        )
        try:
            client.accounts.retrieve("fca_1")
        finally:
            signal.signal(signal.SIGUSR1, before)
        assert seen == ["fca_1"]


def test_ctrl_c_while_a_block_is_left_leaves_no_run_at_work(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Leaving the block goes on to its end, and then the interrupt is raised."""
    pages = {"object": "list", "data": [], "has_more": False, "url": "/"}
    time = http(orjson.dumps(pages), Date="Sun, 06 Nov 2050 08:49:37 GMT", Request_Id="req_1")
    with (
        serving_elsewhere(time, stall) as server,
        blocking.Client(KEY, base_url=server.url) as client,
    ):
        run = client.bulk.refresh(["fca_1"], features=["balance"])
        run.__enter__()
        while len(server.requests) < 2:
            threading.Event().wait(0.001)
        inside = client._loops.current().inside
        start = inside.start

        def interrupt(job: Job[Any]) -> None:
            signal.pthread_kill(_main(), signal.SIGINT)
            start(job)

        monkeypatch.setattr(inside, "start", interrupt)
        with pytest.raises(KeyboardInterrupt):
            run.__exit__(None, None, None)
        monkeypatch.undo()
        assert tasks(client) == []
        assert run.stop() is False


def _main() -> int:
    identity = threading.main_thread().ident
    assert identity is not None
    return identity


def test_a_call_that_is_interrupted_at_once_has_taken_its_first_step() -> None:
    """What leaves a block in good order runs, however soon the interrupt comes."""
    steps: list[str] = []

    async def leave() -> None:
        steps.append("begun")
        await asyncio.sleep(3600)

    async def main() -> None:
        job = Job(leave)
        job.start()
        job.interrupt()  # before the loop has had a turn
        while job.task is not None:
            await asyncio.sleep(0)

    asyncio.run(main())
    assert steps == ["begun"]
