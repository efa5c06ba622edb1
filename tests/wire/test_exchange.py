"""The lean exchange: whose answer it is, which path is taken, and what HTTP allows on the way."""

import asyncio
import gzip
import zlib
from collections.abc import Awaitable, Callable
from typing import Any
from unittest.mock import Mock

import aiohttp
import orjson
import pytest
from aiohttp.client_proto import ResponseHandler

import fcasync
import tests._calls as calls
from fcasync._wire import exchange
from fcasync._wire.transport import AiohttpTransport
from fcasync.errors import APIConnectionError, ProtocolError
from tests._server import Server, http, serving

ACCOUNT = "financial_connections.account"
ONCE = fcasync.RetryPolicy(attempts=1)
Write = Callable[[asyncio.StreamWriter, str], Awaitable[None]]


def account(account_id: str) -> bytes:
    return http(b'{"id": "%s", "object": "financial_connections.account"}' % account_id.encode())


async def in_one_packet(writer: asyncio.StreamWriter, asked: str) -> None:
    writer.write(account(asked) + account("fca_stray"))


async def a_moment_later(writer: asyncio.StreamWriter, asked: str) -> None:
    writer.write(account(asked))
    await asyncio.sleep(0.005)
    writer.write(account("fca_stray"))


async def a_timeout_later(writer: asyncio.StreamWriter, asked: str) -> None:
    writer.write(account(asked))
    await asyncio.sleep(0.005)
    writer.write(http(b"", "408 Request Timeout"))


async def before_the_answer(writer: asyncio.StreamWriter, asked: str) -> None:
    writer.write(account("fca_stray") + account(asked))


async def half_an_answer_later(writer: asyncio.StreamWriter, asked: str) -> None:
    writer.write(account(asked))
    await asyncio.sleep(0.005)
    writer.write(account("fca_stray")[:40])


STRAY = [in_one_packet, a_moment_later, a_timeout_later, before_the_answer, half_an_answer_later]


@pytest.mark.parametrize("write", STRAY)
@pytest.mark.parametrize("pause", [0.0, 0.02])
async def test_no_call_gets_the_answer_of_another(write: Write, pause: float) -> None:
    """Whatever arrives unasked, an account is the one that was asked for, or an error."""
    connections = 0

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal connections
        connections += 1
        number, server = connections, Server()
        try:
            while request := await server.read(reader):
                asked = request.split(b" ")[1].rpartition(b"/")[2].decode()
                if number <= 3:
                    await write(writer, asked)
                else:
                    writer.write(account(asked))
        finally:
            writer.close()

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    url = f"http://127.0.0.1:{listener.sockets[0].getsockname()[1]}"
    answered = 0
    async with fcasync.Client(calls.KEY, base_url=url) as client:
        for number in range(12):
            asked = f"fca_{number}"
            try:
                found = await client.accounts.retrieve(asked)
            except (ProtocolError, fcasync.APIStatusError):
                pass
            else:
                assert found.id == asked
                answered += 1
            await asyncio.sleep(pause)
    assert answered >= 8
    listener.close()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("call", "kind"),
    [
        (lambda client: client.accounts.retrieve("fca_1"), ACCOUNT),
        (lambda client: client.accounts.refresh("fca_1", features=["balance"]), ACCOUNT),
        (lambda client: client.accounts.subscribe("fca_1", features=["transactions"]), ACCOUNT),
        (lambda client: client.accounts.unsubscribe("fca_1", features=["transactions"]), ACCOUNT),
        (lambda client: client.accounts.disconnect("fca_1"), ACCOUNT),
        (lambda client: client.sessions.retrieve("fcsess_1"), "financial_connections.session"),
        (lambda c: c.transactions.retrieve("fctxn_1"), "financial_connections.transaction"),
    ],
)
async def test_an_answer_about_another_object_closes_the_connection(call: Any, kind: str) -> None:
    """It is a ProtocolError, and nothing more is read from where it came."""
    async with (
        serving(http(orjson.dumps({"id": "fca_stranger", "object": kind}))) as server,
        fcasync.Client(calls.KEY, base_url=server.url) as client,
    ):
        for _ in range(2):
            with pytest.raises(ProtocolError, match="'fca_stranger'"):
                await call(client)
        assert server.connections == 2


async def send(url: str, transport: AiohttpTransport | None = None) -> Any:
    own = transport or calls.real_transport()
    opts = calls.options(url, retry=ONCE)
    try:
        return (await calls.call(calls.engine(own), calls.GET, opts)).value
    finally:
        if transport is None:
            await own.aclose()


BODY = b'{"a": 1}'
CHUNKED = (
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    b"4\r\n" + BODY[:4] + b"\r\n4\r\n" + BODY[4:] + b"\r\n0\r\nX-Trailer: 1\r\n\r\n"
)


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize(
    ("answer", "is_kept"),
    [
        (CHUNKED, True),
        (b"HTTP/1.1 100 Continue\r\n\r\n" + http(BODY), True),
        (b"HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n" + http(BODY), True),
        (http(BODY, Connection="close"), False),
        (b"HTTP/1.0 200 OK\r\nContent-Length: 8\r\n\r\n" + BODY, False),
        (http(gzip.compress(BODY), Content_Encoding="gzip"), True),
        (http(zlib.compress(BODY), Content_Encoding="deflate"), True),
        (http(zlib.compress(BODY)[2:-4], Content_Encoding="deflate"), True),
        (http(gzip.compress(b" " * 300_000 + BODY), Content_Encoding="gzip"), True),
        (http(b" " * 300_000 + BODY), True),
    ],
    ids=[
        *("chunks and trailers", "100", "103", "close", "1.0", "gzip", "deflate"),
        *("raw deflate", "large gzip", "large"),
    ],
)
async def test_what_http_allows_is_understood(answer: bytes, is_kept: bool) -> None:
    """Every framing leads to the value, and the connection is kept if HTTP says that it may be."""
    transport = calls.real_transport()
    async with serving(answer) as server:
        for _ in range(2):
            assert await send(server.url, transport) == {"a": 1}
        assert server.connections == (1 if is_kept else 2)
    await transport.aclose()


@pytest.mark.usefixtures("path")
@pytest.mark.parametrize("cut", [1, 4, 8, 12, 15])
async def test_a_compressed_body_that_is_cut_short_is_a_lost_answer(cut: int) -> None:
    """Also when its length fits: a missing end, or checksum, is a truncation and is retried."""
    whole = gzip.compress(BODY)
    async with serving(http(whole[:-cut], Content_Encoding="gzip")) as server:
        with pytest.raises(APIConnectionError, match="cut short"):
            await send(server.url)


@pytest.mark.usefixtures("path")
async def test_a_checksum_that_does_not_fit_is_a_lost_answer() -> None:
    """Damage on the way is not handed out as data."""
    whole = bytearray(gzip.compress(BODY))
    whole[-6] ^= 1
    async with serving(http(bytes(whole), Content_Encoding="gzip")) as server:
        with pytest.raises(APIConnectionError, match="damaged"):
            await send(server.url)


@pytest.mark.usefixtures("path")
async def test_switching_protocols_is_not_an_answer() -> None:
    """A 101 ends in an error, and its connection is closed: what follows is not HTTP."""
    upgrade = b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"
    ended: asyncio.Queue[bytes] = asyncio.Queue()
    asyncio.get_running_loop().set_debug(True)  # or aiohttp would not say that it was left open

    async def switch(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(upgrade)
        ended.put_nowait(await reader.read())

    async with serving(switch) as server:
        transport = calls.real_transport()
        with pytest.raises(ProtocolError, match="unexpected status 101"):
            await calls.call(calls.engine(transport), calls.POST, calls.options(server.url))
        opened: Any = transport._sessions.get()
        pool = opened.session.connector
        idle = [protocol for each in pool._conns.values() for protocol, _ in each]
        assert (pool._acquired, [each for each in idle if each.is_connected()]) == (set(), [])
        assert await asyncio.wait_for(ended.get(), 10) == b""
        await transport.aclose()


async def test_an_ipv6_host_is_written_with_brackets() -> None:
    """The Host header repeats the authority of the URL."""
    hosts: list[bytes] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        hosts.extend(line for line in head.split(b"\r\n") if line.startswith(b"Host:"))
        writer.write(http(BODY))
        writer.close()

    try:
        listener = await asyncio.start_server(handle, "::1", 0)
    except OSError:
        pytest.skip("this machine has no IPv6")
    port = listener.sockets[0].getsockname()[1]
    assert await send(f"http://[::1]:{port}") == {"a": 1}
    assert hosts == [b"Host: [::1]:%d" % port]
    listener.close()


class Refusing(exchange.LeanExchange):
    """Fails when it is used at all."""

    async def send(self, request: Any, flight: Any) -> Any:
        raise AssertionError("the lean exchange was used")


async def test_a_session_of_the_caller_is_used_as_documented(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Its hooks, its tracing and its connector may be anybody's."""
    monkeypatch.setattr(exchange, "LeanExchange", Refusing)
    async with serving(http(BODY)) as server, aiohttp.ClientSession() as session:
        assert await send(server.url, calls.real_transport(session=session)) == {"a": 1}


async def test_a_patched_session_is_used_as_documented(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever patches ClientSession._request wants to see the requests: mocks, tracing, replay."""
    seen = []
    request = aiohttp.ClientSession._request

    async def patched(self: Any, *args: Any, **kwargs: Any) -> Any:
        seen.append(args)
        return await request(self, *args, **kwargs)

    async with serving(http(BODY)) as server:
        transport = calls.real_transport()
        assert await send(server.url, transport) == {"a": 1}
        monkeypatch.setattr(aiohttp.ClientSession, "_request", patched)
        assert await send(server.url, transport) == {"a": 1}
        assert len(seen) == 1
        await transport.aclose()


async def test_another_aiohttp_makes_it_slower_never_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    """Without the parameters that are used here the documented way is taken, once and for all."""

    def other(self: Any, *, timer: Any = None, read_until_eof: bool = False) -> None:
        raise AssertionError("not to be called")

    real = ResponseHandler.set_response_params
    calls_of_it = []

    def counting(self: Any, **settings: Any) -> None:
        calls_of_it.append(settings)
        real(self, **settings)

    async with serving(http(BODY)) as server:
        transport = calls.real_transport()
        monkeypatch.setattr(exchange, "_test", _unsupported)
        monkeypatch.setattr(ResponseHandler, "set_response_params", counting)
        assert await send(server.url, transport) == {"a": 1}
        assert await send(server.url, transport) == {"a": 1}
        assert len(server.requests) == 2
        await transport.aclose()
    monkeypatch.undo()
    monkeypatch.setattr(ResponseHandler, "set_response_params", other)
    with pytest.raises(exchange.UnsupportedError):
        exchange._test(ResponseHandler(asyncio.get_running_loop()))


def _unsupported(protocol: object) -> None:
    raise exchange.UnsupportedError


async def test_a_connection_receives_no_more_at_once_than_is_mapped_for_good() -> None:
    """Asyncio's own buffers of 256 KiB are mapped and unmapped again for every answer."""
    async with serving(http(BODY)) as server:
        transport = calls.real_transport()
        await calls.call(calls.engine(transport), calls.POST, calls.options(server.url))
        opened: Any = transport._sessions.get()
        (idle,) = opened.session.connector._conns.values()
        assert idle[0][0].transport.max_size == 64 * 1024
        await transport.aclose()


class Bare:
    """A transport without the limit, as those of other loops are."""

    __slots__ = ("is_closing",)


class Protocol:
    """As much of aiohttp's protocol as is looked at before a connection is used."""

    def __init__(self) -> None:
        self.transport = Bare()
        self.should_close, self.read, self.close = False, None, None

    def set_response_params(self, *, read_until_eof: bool, auto_decompress: bool) -> None:
        """Take what is used."""


def test_a_loop_without_that_limit_will_do() -> None:
    """The transports of uvloop have none, and no room for one."""
    connection = Mock(protocol=Protocol())
    lean = exchange.LeanExchange(Mock(), ssl=True, most=1)
    lean._prepare(connection)
    assert connection.close.call_count == 0
