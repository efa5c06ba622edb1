"""What happens on real sockets."""

import asyncio
import gc
import gzip
import multiprocessing
import os
import ssl
import sys
import threading
import traceback
import tracemalloc
import warnings
import zlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme
from aiohttp import http_parser

import fcasync
import tests._calls as calls
from fcasync._rules.retry_policy import RetryPolicy
from fcasync._wire.transport import AiohttpTransport
from fcasync.errors import (
    APIConnectionError,
    APITimeoutError,
    DeadlineExceededError,
    FCError,
    InvalidArgumentError,
    InvalidRequestError,
    ProtocolError,
)
from tests._calls import GET, POST
from tests._server import Behaviour, Server, drip, http, reset, serving, stall

pytestmark = pytest.mark.usefixtures("path")

TWICE = RetryPolicy(attempts=2, base=0.0)
ONCE = RetryPolicy(attempts=1)
FCA_1 = b'{"id": "fca_1", "object": "financial_connections.account"}'
FAST = RetryPolicy(base=0.001, rate_limit_base=0.001)


@pytest.fixture
async def transport() -> AsyncIterator[AiohttpTransport]:
    transport = calls.real_transport()
    yield transport
    await transport.aclose()


async def send(
    transport: AiohttpTransport, server: Server | str, operation: Any = POST, **settings: Any
) -> Any:
    url = server if isinstance(server, str) else server.url
    opts = calls.options(url, **({"retry": ONCE} | settings))
    return await calls.call(calls.engine(transport), operation, opts)


async def test_a_connection_is_used_again(transport: AiohttpTransport) -> None:
    """Three calls one after another need one connection."""
    async with serving(http(b'{"a": 1}')) as server:
        for _ in range(3):
            assert (await send(transport, server)).value == {"a": 1}
        assert (server.connections, len(server.requests)) == (1, 3)


async def test_a_refused_connection_is_named_and_executes_nothing(
    transport: AiohttpTransport,
) -> None:
    """Nobody listens: the sentence names the address, and nothing can have been executed."""
    with pytest.raises(APIConnectionError, match=r"cannot connect to http://127.0.0.1:1") as caught:
        await send(transport, "http://127.0.0.1:1")
    assert not caught.value.may_have_executed


@pytest.mark.parametrize("operation", [GET, POST], ids=["GET", "POST"])
async def test_a_reset_is_a_lost_answer(transport: AiohttpTransport, operation: Any) -> None:
    """A fresh connection that breaks is one attempt; only a POST may have had an effect."""
    async with serving(reset) as server:
        with pytest.raises(APIConnectionError) as caught:
            await send(transport, server, operation)
        assert caught.value.may_have_executed is (operation is POST)
        assert len(server.requests) == 1


async def test_a_stale_connection_is_replaced_at_once_under_the_same_key(
    transport: AiohttpTransport,
) -> None:
    """A kept connection that was closed meanwhile costs an attempt, no wait and no new key."""
    async with serving(http(), reset, http()) as server:
        await send(transport, server)
        response = await send(transport, server, retry=TWICE)
        assert response.attempts == 2
        assert server.header("Idempotency-Key", 1) == server.header("Idempotency-Key", 2)
        assert server.connections == 2


async def test_a_stale_connection_may_have_carried_the_request(
    transport: AiohttpTransport,
) -> None:
    """Sent on a kept connection and lost, then refused: Stripe may have executed it."""

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Server().read(reader)
        writer.write(http())
        await Server().read(reader)
        listener.close()
        writer.transport.abort()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    await send(transport, url)
    with pytest.raises(APIConnectionError, match="cannot connect") as caught:
        await send(transport, url, retry=TWICE)
    assert caught.value.may_have_executed


async def test_attempts_1_sends_once_also_on_a_stale_connection(
    transport: AiohttpTransport,
) -> None:
    """Retries that are switched off are off: the caller decides about a second request."""
    async with serving(http(), reset, http()) as server:
        await send(transport, server)
        with pytest.raises(APIConnectionError) as caught:
            await send(transport, server)
        assert (len(server.requests), caught.value.attempts) == (2, 1)


async def test_a_request_that_waited_in_the_pool_was_never_sent(path: str) -> None:
    """With every connection taken, the call that never got one executed nothing.

    aiohttp's documented interface does not say so: there the worse is assumed.
    """
    transport = calls.real_transport(max_connections=1)
    async with serving(stall) as server:
        first = asyncio.create_task(send(transport, server))
        while not server.requests:
            await asyncio.sleep(0.001)
        with pytest.raises(APITimeoutError) as caught:
            await send(transport, server, timeout=0.02)
        assert caught.value.may_have_executed is (path == "documented")
        first.cancel()
        await asyncio.wait([first])
    await transport.aclose()


async def test_closing_ends_calls_that_wait_in_the_pool_in_an_error() -> None:
    """The pool cancels them; a caller whom nobody cancelled never sees a CancelledError."""
    transport = calls.real_transport(max_connections=1)
    async with serving(stall) as server:
        tasks = [asyncio.create_task(send(transport, server)) for _ in range(3)]
        while not server.requests:
            await asyncio.sleep(0.001)
        await transport.aclose()
        first, *others = await asyncio.gather(*tasks, return_exceptions=True)
    assert isinstance(first, APIConnectionError)
    assert first.may_have_executed
    for error in others:
        assert isinstance(error, APIConnectionError)
        assert "closed before this request was sent" in str(error)
        assert not error.may_have_executed


async def test_a_short_body_is_a_lost_answer_and_retried(transport: AiohttpTransport) -> None:
    """short-body: fewer bytes than announced is retried with the same key."""

    async def short(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(http(b'{"a": ', Content_Length="100"))
        await writer.drain()

    async with serving(short, http(b'{"a": 1}')) as server:
        response = await send(transport, server, retry=FAST)
        assert (response.value, response.attempts) == ({"a": 1}, 2)
        assert server.header("Idempotency-Key", 0) == server.header("Idempotency-Key", 1)
    async with serving(short) as server:
        with pytest.raises(APIConnectionError) as caught:
            await send(transport, server)
        assert caught.value.may_have_executed


@pytest.mark.parametrize("behaviour", [stall, drip], ids=["stall", "slow-drip"])
async def test_the_timeout_covers_the_body(transport: AiohttpTransport, behaviour: Any) -> None:
    """slow-drip: bytes that keep coming do not keep an attempt alive."""
    async with serving(behaviour) as server:
        with pytest.raises(APITimeoutError, match=r"within 0.05 s"):
            await send(transport, server, timeout=0.05)


async def test_the_deadline_covers_all_attempts(transport: AiohttpTransport) -> None:
    """However many attempts there are, the call ends with the deadline."""
    async with serving(stall) as server:
        with pytest.raises(DeadlineExceededError, match=r"deadline of 0.1 s"):
            await send(transport, server, deadline=0.1, retry=FAST)
        # Without room for another attempt the last failure is the answer.
        with pytest.raises((APITimeoutError, DeadlineExceededError)) as caught:
            await send(transport, server, timeout=0.05, deadline=0.12, retry=FAST)
        assert 1 <= caught.value.attempts <= 3


@pytest.mark.parametrize(
    ("status", "location"),
    [
        ("302 Found", "http://evil.test/"),
        ("307 Temporary Redirect", "http://evil.test/"),
        ("308 Permanent Redirect", "/v1/elsewhere"),
        ("301 Moved", ""),
    ],
)
async def test_redirects_are_never_followed(
    transport: AiohttpTransport, status: str, location: str
) -> None:
    """redirect-302, redirect-307, redirect-same: a ProtocolError after one request."""
    async with serving(http(b"", status, Location=location)) as server:
        with pytest.raises(ProtocolError, match="redirects"):
            await send(transport, server, retry=FAST)
        assert len(server.requests) == 1


async def test_a_gzip_bomb_is_cut_off(transport: AiohttpTransport) -> None:
    """gzip-bomb: the cap counts decompressed bytes, and memory stays near it."""
    bomb = gzip.compress(b" " * 200_000_000)
    async with serving(http(bomb, Content_Encoding="gzip")) as server:
        tracemalloc.start()
        with pytest.raises(ProtocolError, match="larger than 1048576 bytes"):
            await send(transport, server)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
    assert peak < 16 * 1024 * 1024


PIECES = {
    "plain": (b'{"a": 1}', {}),
    "gzip": (gzip.compress(b'{"a": 1}'), {"Content_Encoding": "gzip"}),
    "deflate": (zlib.compress(b'{"a": 1}'), {"Content_Encoding": "deflate"}),
}


@pytest.mark.parametrize("kind", PIECES)
@pytest.mark.parametrize("is_chunked", [False, True], ids=["length", "chunked"])
async def test_a_body_may_come_in_pieces(
    transport: AiohttpTransport, kind: str, is_chunked: bool
) -> None:
    """One byte at a time, each in a packet of its own, is the same body."""
    body, headers = PIECES[kind]
    head = http(body, **headers)[: -len(body)]
    if is_chunked:
        length = b"Content-Length: %d\r\n" % len(body)
        head = head.replace(length, b"Transfer-Encoding: chunked\r\n")

    async def dribble(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        for byte in body:
            await asyncio.sleep(0.001)
            writer.write(b"1\r\n%c\r\n" % byte if is_chunked else b"%c" % byte)
        writer.write(b"0\r\n\r\n" if is_chunked else b"")
        await reader.read()  # until the client goes

    async with serving(dribble) as server:
        assert (await send(transport, server)).value == {"a": 1}


@pytest.mark.parametrize("kind", ["plain", "gzip", "chunked"])
async def test_the_largest_body_is_just_as_large_as_allowed(path: str, kind: str) -> None:
    """`max_response_bytes` itself is allowed, one byte more is not."""
    for size, is_allowed in ((4096, True), (4097, False)):
        body = b'"' + b"x" * (size - 2) + b'"'
        response = http(body)
        if kind == "gzip":
            response = http(gzip.compress(body), Content_Encoding="gzip")
        if kind == "chunked":
            response = http(b"").replace(b"Content-Length: 0", b"Transfer-Encoding: chunked")
            response += b"%x\r\n%s\r\n0\r\n\r\n" % (size, body)
        transport = calls.real_transport(max_response_bytes=4096)
        async with serving(response) as server:
            if is_allowed:
                assert len((await send(transport, server)).value) == size - 2
            else:
                with pytest.raises(ProtocolError, match="larger than 4096 bytes"):
                    await send(transport, server)
            await transport.aclose()


async def test_an_endless_body_is_cut_off(transport: AiohttpTransport) -> None:
    """huge-body: a chunked answer without end meets the same cap."""

    async def endless(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        while not writer.is_closing():
            writer.write(b"10000\r\n" + b" " * 0x10000 + b"\r\n")
            await writer.drain()

    async with serving(endless) as server:
        with pytest.raises(ProtocolError, match="larger than"):
            await send(transport, server)


# Unlike its C parser, aiohttp's Python parser judges no line before the blank one at the end.
@pytest.mark.parametrize(
    "garbage",
    [
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        pytest.param(
            b"SSH-2.0-OpenSSH_9\r\n",
            marks=pytest.mark.skipif(
                http_parser.HttpResponseParser is http_parser.HttpResponseParserPy,
                reason="aiohttp is without its C parser",
            ),
        ),
        b"HTTP/1.1 200 OK\r\nX: " + b"a" * 100_000 + b"\r\n\r\n",
    ],
)
async def test_what_is_not_http_is_a_protocol_error(
    transport: AiohttpTransport, garbage: bytes
) -> None:
    """Another protocol, or headers without bounds, end in one type, with no key in its chain."""
    async with serving(garbage) as server:
        with pytest.raises(ProtocolError, match="not HTTP") as caught:
            await send(transport, server)
        assert caught.value.__cause__ is None


async def test_502_with_html_is_retried_as_such(transport: AiohttpTransport) -> None:
    """A proxy's page in place of an answer is judged by its status."""
    page = http(b"<h1>Bad gateway</h1>", "502 Bad Gateway", Content_Type="text/html")
    async with serving(page, http(b"{}")) as server:
        assert (await send(transport, server, retry=FAST)).attempts == 2


async def test_html_with_200_is_a_protocol_error(transport: AiohttpTransport) -> None:
    """html-200: a captive portal is distinguished from Stripe, and not asked again."""
    async with serving(http(b"<html>Log in</html>", Content_Type="text/html")) as server:
        with pytest.raises(ProtocolError, match="captive portal") as caught:
            await send(transport, server, retry=FAST)
        assert caught.value.body == "<html>Log in</html>"
        assert len(server.requests) == 1


async def test_the_environment_does_not_reroute_requests(
    transport: AiohttpTransport, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """env-proxy: proxy variables and .netrc are ignored."""
    (tmp_path / ".netrc").write_text("machine 127.0.0.1 login a password b\n")
    monkeypatch.setenv("HOME", str(tmp_path))
    for name in ("HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    async with serving(http()) as server:
        await send(transport, server)
        assert server.header("Authorization") == f"Bearer {calls.KEY}"


async def test_a_proxy_is_used_when_it_is_given() -> None:
    """`proxy=` sends the request there, with its whole URL."""
    async with serving(http()) as proxy:
        transport = calls.real_transport(proxy=proxy.url)
        await send(transport, "http://127.0.0.1:1")
        await transport.aclose()
        assert proxy.requests[0].startswith(b"POST http://127.0.0.1:1/v1/things/fca_1/refresh ")


async def test_a_proxy_that_refuses_is_named_and_its_password_is_not() -> None:
    """A tunnel that was never opened executed nothing, and is not worth a retry after a 407."""
    refusal = http(b"", "407 Proxy Authentication Required")
    async with serving(refusal) as proxy:
        url = proxy.url.replace("//", "//user:hunter2@")
        transport = calls.real_transport(proxy=url)
        with pytest.raises(APIConnectionError, match="proxy refused the connection: 407") as caught:
            await send(transport, "https://api.example.test")
        await transport.aclose()
    assert not caught.value.may_have_executed
    assert not caught.value.retryable
    transport = calls.real_transport(proxy="http://user:hunter2@127.0.0.1:1")
    with pytest.raises(APIConnectionError, match="cannot connect to the proxy") as unreachable:
        await send(transport, "https://api.example.test")
    await transport.aclose()
    for error in (caught.value, unreachable.value):
        assert "hunter2" not in shown(error)


def test_a_session_of_another_loop_is_refused() -> None:
    """Its connections could never answer: aiohttp's own error would come much later."""

    async def make() -> aiohttp.ClientSession:
        return aiohttp.ClientSession()

    async def use() -> None:
        with pytest.raises(InvalidArgumentError, match="another event loop"):
            await send(calls.real_transport(session=session), "http://127.0.0.1:1")
        await session.close()

    session = asyncio.run(make())
    asyncio.run(use())


@pytest.mark.filterwarnings("ignore::DeprecationWarning")  # aiohttp deprecates auth=
async def test_a_session_that_cannot_work_is_refused() -> None:
    """One with a login of its own, and what is not a session at all."""
    async with aiohttp.ClientSession(auth=aiohttp.BasicAuth("user", "hunter2")) as session:
        with pytest.raises(InvalidArgumentError, match="auth= of its own"):
            fcasync.Client(calls.KEY, session=session)
    with pytest.raises(InvalidArgumentError, match="session must be a ClientSession, not 5"):
        fcasync.Client(calls.KEY, session=5)  # type: ignore[arg-type]


async def test_settings_of_a_session_that_was_passed_in_change_no_error() -> None:
    """`raise_for_status=True` is for the owner's own requests."""
    page = http(b'{"error": {"message": "no"}}', "402 Payment Required")
    async with serving(page) as server, aiohttp.ClientSession(raise_for_status=True) as session:
        with pytest.raises(InvalidRequestError, match="no"):
            await send(calls.real_transport(session=session), server)


async def test_a_session_that_its_owner_closed_is_named() -> None:
    """The error is one of fcasync's, and final."""
    session = aiohttp.ClientSession()
    await session.close()
    with pytest.raises(APIConnectionError, match="session was closed") as caught:
        await send(calls.real_transport(session=session), "http://127.0.0.1:1", retry=FAST)
    assert (caught.value.attempts, caught.value.may_have_executed) == (1, False)


async def test_a_session_that_was_passed_in_stays_open() -> None:
    """Its owner closes it."""
    async with serving(http()) as server, aiohttp.ClientSession() as session:
        transport = calls.real_transport(session=session)
        await send(transport, server)
        await transport.aclose()
        assert not session.closed


async def test_an_untrusted_certificate_is_final(transport: AiohttpTransport) -> None:
    """A certificate that cannot be checked is a connection error that no retry cures."""
    async with serving_tls(trustme.CA()) as url:
        with pytest.raises(APIConnectionError, match="no trusted TLS connection") as caught:
            await send(transport, url, retry=FAST)
        assert (caught.value.attempts, caught.value.may_have_executed) == (1, False)


async def test_a_context_of_ones_own_is_used() -> None:
    """`ssl=` takes a context that trusts a private authority."""
    authority = trustme.CA()
    context = ssl.create_default_context()
    authority.configure_trust(context)
    transport = calls.real_transport(ssl=context)
    async with serving_tls(authority) as url:
        assert (await send(transport, url)).value == {"tls": True}
        await transport.aclose()


@asynccontextmanager
async def serving_tls(authority: trustme.CA) -> AsyncIterator[str]:
    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await Server().read(reader)
        writer.write(http(b'{"tls": true}', Connection="close"))
        writer.close()

    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("127.0.0.1").configure_cert(context)
    server = await asyncio.start_server(handle, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def test_cancellation_leaves_no_connection_behind(transport: AiohttpTransport) -> None:
    """A cancelled call closes the connection that it was using."""
    hung_up = asyncio.Event()

    async def wait(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read()
        hung_up.set()

    async with serving(wait) as server:
        task = asyncio.create_task(send(transport, server))
        while not server.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.wait_for(hung_up.wait(), 5)


def test_one_transport_serves_loop_after_loop() -> None:
    """A second asyncio.run works, and neither leaves a session open."""
    transport = calls.real_transport()

    async def main() -> None:
        async with serving(http()) as server:
            await send(transport, server)
            await send(transport, server)

    for _ in range(3):
        asyncio.run(main())
    # A session holds its loop: keeping them would add up in a program of many short loops.
    assert len(transport.loops) == 1


def test_one_transport_serves_several_loops_at_once() -> None:
    """Each thread's loop has connections of its own."""
    transport = calls.real_transport()
    failures: list[BaseException] = []

    async def main() -> None:
        async with serving(http()) as server:
            await asyncio.gather(*(send(transport, server) for _ in range(20)))

    def run() -> None:
        try:
            asyncio.run(main())
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


async def test_who_cancels_and_closes_at_once_sees_the_cancellation() -> None:
    """A call that was itself cancelled is not one whose session somebody closed."""
    transport = calls.real_transport(max_connections=1)
    async with serving(stall) as server:
        tasks = [asyncio.create_task(send(transport, server)) for _ in range(3)]
        while not server.requests:
            await asyncio.sleep(0.001)
        for task in tasks:
            task.cancel()
        await transport.aclose()
        await asyncio.wait(tasks)
    assert [task.cancelled() for task in tasks] == [True] * 3


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
async def test_a_forked_child_opens_connections_of_its_own(transport: AiohttpTransport) -> None:
    """After a fork (gunicorn preload, multiprocessing) parent and child both work."""
    async with serving(http(b'{"a": 1}')) as server:
        await send(transport, server)
        context = multiprocessing.get_context("fork")
        process = context.Process(target=_child, args=(transport, server.url))
        process.start()
        await asyncio.to_thread(process.join, 20)
        await send(transport, server)
        assert process.exitcode == 0
        assert server.connections == 2


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
async def test_a_child_that_lets_go_of_its_client_disturbs_nobody() -> None:
    """The parent's kept connection still works: its sockets are shared with the child."""
    transport = calls.real_transport()
    async with serving(http()) as server:
        await send(transport, server)
        child = os.fork()
        if child == 0:
            del transport
            gc.collect()
            os._exit(0)
        os.waitpid(child, 0)
        await send(transport, server, timeout=5.0)
        assert server.connections == 1
    await transport.aclose()


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
@pytest.mark.filterwarnings("ignore:.*multi-threaded, use of fork:DeprecationWarning")
async def test_what_a_child_collects_is_not_closed_in_the_parent(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The child calls, lets go of its client and collects: no warning, nothing is to be closed."""
    reader, writer = os.pipe()
    scheduled: list[Any] = []
    monkeypatch.setattr(  # by which a generator that holds a session is closed when it is collected
        asyncio.get_running_loop(), "call_soon_threadsafe", lambda *args: scheduled.append(args)
    )
    async with serving(http(FCA_1)) as server:
        clients = [fcasync.Client(calls.KEY, base_url=server.url)]
        await clients[0].accounts.retrieve("fca_1")
        child = os.fork()
        if child == 0:
            os.write(writer, _use_and_collect(clients, scheduled).encode())
            os._exit(0)
        os.close(writer)
        monkeypatch.undo()
        said = await asyncio.to_thread(os.read, reader, 10_000)
        os.waitpid(child, 0)
        os.close(reader)
        assert said.decode() == "nothing to say"
        assert server.connections == 2
        await clients[0].accounts.retrieve("fca_1")
        assert server.connections == 2
        await clients[0].aclose()


def _use_and_collect(clients: list[fcasync.Client], scheduled: list[Any]) -> str:
    """Return what went wrong in a child that calls, lets go of its client, and collects."""
    asyncio.events._set_running_loop(None)  # inherited from its parent's thread
    noticed: list[str] = []
    sys.unraisablehook = lambda facts: noticed.append(f"unraisable: {facts.exc_value!r}")

    async def main() -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, facts: noticed.append(f"{facts}"))
        await clients.pop().accounts.retrieve("fca_1")

    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            asyncio.run(main())
        except BaseException as error:
            noticed.append(repr(error))
        gc.collect()
    noticed += [str(each.message) for each in warned]
    noticed += [f"left to the parent's loop: {args}" for args in scheduled]
    return "; ".join(noticed) or "nothing to say"


def _child(transport: AiohttpTransport, url: str) -> None:
    async def main() -> None:
        assert (await send(transport, url)).value == {"a": 1}

    # The child inherits the running loop's mark from its parent's thread.
    asyncio.events._set_running_loop(None)
    asyncio.run(main())


async def test_no_error_shows_the_key(transport: AiohttpTransport) -> None:
    """repr-leak: neither an error nor what caused it holds the API key."""
    garbage = http(b"", "302 Found"), b"nonsense\r\n\r\n", http(b"[")
    behaviours: list[bytes | Behaviour] = [*garbage, reset, stall]
    for behaviour in behaviours:
        async with serving(behaviour) as server:
            with pytest.raises(FCError) as caught:
                await send(transport, server, timeout=0.05)
        assert calls.KEY not in shown(caught.value)
    with pytest.raises(FCError) as caught:
        await send(transport, "http://127.0.0.1:1")
    assert calls.KEY not in shown(caught.value)


def shown(error: BaseException) -> str:
    """Return all that a tracker of errors could show of *error*, local variables included."""
    trace = traceback.TracebackException.from_exception(error, capture_locals=True)
    # The frames from here up are the test's own, and hold what it was called with.
    ours = Path(fcasync.__file__).parents[1] / "tests"
    link: traceback.TracebackException | None = trace
    lines: list[str] = []
    while link is not None:
        lines += (str(f.locals) for f in link.stack if not Path(f.filename).is_relative_to(ours))
        link = link.__cause__ or link.__context__
    chain: BaseException | None = error
    while chain is not None:
        lines.append(f"{chain} {chain!r} {vars(chain)}")
        chain = chain.__cause__ or chain.__context__
    return "\n".join(lines)


@pytest.mark.parametrize("operation", [GET, POST])
async def test_only_what_is_decompressed_here_is_asked_for(operation: Any) -> None:
    """Whatever else aiohttp could decompress where another package is installed."""
    async with serving(http()) as server:
        transport = calls.real_transport()
        await calls.call(calls.engine(transport), operation, calls.options(server.url))
        await transport.aclose()
        assert server.header("Accept-Encoding") == "gzip, deflate"


async def test_a_call_is_not_repeated_after_its_client_was_closed() -> None:
    """Whoever closes a client while a call waits wants no new connection for a retry."""
    async with serving(stall) as server:
        client = fcasync.Client(calls.KEY, base_url=server.url, timeout=5)
        task = asyncio.ensure_future(client.accounts.refresh("fca_1", features=["balance"]))
        while not server.requests:
            await asyncio.sleep(0.001)
        await client.aclose()
        with pytest.raises(APIConnectionError) as caught:
            await task
    assert (caught.value.attempts, caught.value.retryable) == (1, False)
    assert (server.connections, len(server.requests)) == (1, 1)


async def test_idle_connections_are_dropped_before_load_balancers_drop_them() -> None:
    """After 55 s: many load balancers close theirs after 60 without a word."""
    async with calls.real_transport()._new_session() as session:
        connector: Any = session.connector
        assert connector._keepalive_timeout == 55.0


async def test_closing_in_mid_request_opens_no_new_session() -> None:
    """A connection that was kept is not taken for one that the server had closed."""
    async with serving(http(FCA_1), stall) as server:
        transport = calls.real_transport()
        await send(transport, server, GET)
        task = asyncio.create_task(send(transport, server, GET, retry=TWICE))
        while len(server.requests) < 2:
            await asyncio.sleep(0.001)
        await transport.aclose()
        with pytest.raises(APIConnectionError) as caught:
            await task
    assert (caught.value.attempts, transport.loops) == (1, [])
