"""The rules of a transport, each as a test against a server on 127.0.0.1."""

import asyncio
import gzip
import os
import zlib
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Final, TypeAlias

from fcasync._wire.protocol import Transport
from fcasync.errors import APIConnectionError, APITimeoutError, ProtocolError
from fcasync.testing._bench import SHORT, TIMEOUT, Bench, ends, expect, http
from fcasync.testing._raw_server import Peer, RawServer, Received

Rule: TypeAlias = Callable[[Bench], Awaitable[None]]

FINE: Final = http(b'{"id": "fca_1"}', Request_Id="req_1")
ITS_OWN: Final = frozenset({"host", "content-length", "connection"})
_PROXIES: Final = ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "ALL_PROXY")


async def check_transport(
    make: Callable[[], Transport], *, max_response_bytes: int | None = None
) -> None:
    """Check that a transport keeps the rules of :class:`fcasync.Transport`.

    Each rule gets a transport of its own, which talks to a server on 127.0.0.1 that answers rightly
    and wrongly. It takes a few seconds, most of which are timeouts that have to pass.

    ::

        async def test_my_transport():
            await check_transport(MyTransport, max_response_bytes=1_000_000)

    Args:
        make: Makes a transport.
        max_response_bytes: The size of the largest body that it accepts. None leaves out the rule
            that there is such a bound; give it one.

    Raises:
        AssertionError: It breaks rules; the message lists all of them.
    """
    faults = {rule: await _fault(rule, make, max_response_bytes) for rule in RULES}
    broken = [f"{rule.__doc__}"[:-1] + f": {fault}" for rule, fault in faults.items() if fault]
    if broken:
        raise AssertionError("\n".join(["the transport breaks these rules:", *broken]))


async def _fault(rule: Rule, make: Callable[[], Transport], most: int | None) -> str | None:
    """Return in which way a transport breaks *rule*; None if it keeps it."""
    async with RawServer(_nothing) as server:
        bench = Bench(make, server, most)
        before = asyncio.all_tasks()
        try:
            await ends(rule(bench), f"did not end within {TIMEOUT:g} s")
        except AssertionError as error:
            return str(error)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is reported
            return f"raised {type(error).__name__}: {error}"
        finally:
            await bench.transport.aclose()
        left = {str(task.get_coro()) for task in asyncio.all_tasks() - before}
    left = {each for each in left if "RawServer" not in each}
    return f"it leaves tasks behind: {', '.join(sorted(left))}" if left else None


async def _nothing(received: Received, peer: Peer) -> None:
    """Answer nothing."""


async def _sends_what_is_there(bench: Bench) -> None:
    """It sends the request byte for byte, with no headers but its own three."""
    bench.answer(FINE)
    for request in (bench.get(), bench.post(), bench.post()):
        await bench.send(request)
        got = bench.server.received[-1]
        expect(got.method == request.method, f"the method is {got.method}")
        expect(got.target == request.target, f"the target is {got.target}")
        expect(got.body == (request.body or b""), "the body is not what it was")
        for name, value in request.headers.items():
            expect(got.all(name) == [value], f"{name} came {len(got.all(name))} times, or changed")
        known = {name.lower() for name in request.headers} | ITS_OWN
        more = sorted({name for name, _ in got.headers} - known)
        expect(not more, f"it adds {', '.join(more)}")


async def _returns_any_status(bench: Bench) -> None:
    """Any status is an answer, with its headers and its body, and redirects are not followed."""
    for status in ("200 OK", "302 Found", "400 Bad Request", "429 Wait", "503 Down"):
        sent = len(bench.server.received)
        bench.answer(http(b'{"a": 1}', status=status, Location="/v1/other", Request_Id="req_1"))
        answer = await bench.send(bench.post())
        expect(answer.status == int(status[:3]), f"{status} came as {answer.status}")
        expect(answer.body == b'{"a": 1}', f"the body of {status} is not what it was")
        for name in ("Request-Id", "request-id", "REQUEST-ID"):
            expect(answer.headers.get(name) == "req_1", f"the header {name} is not found")
        expect(len(bench.server.received) == sent + 1, f"{status} made it send again")


async def _returns_whole_bodies(bench: Bench) -> None:
    """A body is complete and decompressed, however it was sent."""
    body = b'{"data": "' + b"x" * 200_000 + b'"}'
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    for answer in (
        http(body),
        http(gzip.compress(body), Content_Encoding="gzip"),
        http(zlib.compress(body), Content_Encoding="deflate"),
        head + b"5\r\n%b\r\n%x\r\n%b\r\n0\r\n\r\n" % (body[:5], len(body) - 5, body[5:]),
    ):
        bench.answer(answer)
        expect((await bench.send(bench.get())).body == body, "the body is not what it was")


async def _notices_what_is_cut_short(bench: Bench) -> None:
    """A body that ends early is a lost answer, also inside gzip."""
    body = b'{"data": "' + os.urandom(2000).hex().encode() + b'"}'
    half = gzip.compress(body)[:-20]
    for answer in (
        http(body, length=len(body) + 1),
        http(half, Content_Encoding="gzip"),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{" + b'"a"',
        b"HTTP/1.1 200 OK\r\nContent-",
        b"",
    ):
        bench.break_off(answer)
        await bench.fails(bench.post(), APIConnectionError)
        await bench.fails(bench.get(), APIConnectionError)


async def _sends_once(bench: Bench) -> None:
    """It repeats nothing, not even a GET whose connection broke."""

    async def reset(received: Received, peer: Peer) -> None:
        peer.reset()

    bench.server.respond = reset
    await bench.fails(bench.get(), APIConnectionError)
    await bench.fails(bench.post(), APIConnectionError)
    expect(len(bench.server.received) == 2, f"2 requests came {len(bench.server.received)} times")


async def _bounds_the_body(bench: Bench) -> None:
    """A body that is too large after decompression is a ProtocolError, and not before."""
    if bench.most is None:
        return
    bench.answer(http(b"x" * bench.most))
    expect(len((await bench.send(bench.get())).body) == bench.most, "the largest body is cut")
    bomb = gzip.compress(b"x" * (bench.most * 20 + 1))
    for answer in (http(b"x" * (bench.most + 1)), http(bomb, Content_Encoding="gzip")):
        bench.answer(answer)
        await bench.fails(bench.post(), ProtocolError)


async def _refuses_what_is_not_http(bench: Bench) -> None:
    """What is not HTTP is a ProtocolError, or at least a lost answer."""
    bench.break_off(b"SSH-2.0-OpenSSH_9.6\r\n\r\n")
    await bench.fails(bench.post(), ProtocolError, APIConnectionError)


async def _keeps_its_timeout(bench: Bench) -> None:
    """The timeout covers all of a request: its head, and a body that comes to a halt."""
    for begun in (b"", b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{"):
        bench.stall(begun)
        await bench.fails(bench.post(), APITimeoutError, timeout=SHORT)
        await bench.fails(bench.get(), APITimeoutError, timeout=SHORT)


async def _says_when_nothing_was_sent(bench: Bench) -> None:
    """A connection that is refused has executed nothing."""
    async with RawServer(_nothing) as gone:
        nowhere = gone.url
    await bench.fails(bench.post(base_url=nowhere), APIConnectionError, was_sent=False)


async def _keeps_answers_apart(bench: Bench) -> None:
    """After a cancelled request, and among many at a time, each gets the answer to its own."""
    begun = asyncio.Event()

    async def late(received: Received, peer: Peer) -> None:
        thing = received.target.split("?")[0].rpartition("/")[2]
        begun.set()
        if thing == "fca_slow":
            await asyncio.sleep(SHORT)
        await peer.write(http(thing.encode()))

    bench.server.respond = late
    slow = bench.send(bench.get("fca_slow"))
    task = asyncio.create_task(slow, name="fcasync.testing.cancelled")
    while not begun.is_set() and not task.done():  # noqa: ASYNC110 - whichever comes first
        await asyncio.sleep(0.001)
    task.cancel()
    await asyncio.wait([task])
    expect(task.cancelled(), "CancelledError is not passed on")
    things = [f"fca_{number}" for number in range(20)]
    tasks = [
        asyncio.create_task(bench.send(bench.get(thing)), name="fcasync.testing.request")
        for thing in things
    ]
    bodies = [answer.body.decode() for answer in await asyncio.gather(*tasks)]
    expect(bodies == things, "an answer went to another request")


async def _keeps_no_cookies(bench: Bench) -> None:
    """A cookie is not sent back."""
    bench.answer(http(b"{}", Set_Cookie="a=1; Path=/"))
    for _ in range(2):
        await bench.send(bench.get())
    expect(not bench.server.received[-1].all("cookie"), "a cookie was kept")


async def _asks_no_environment(bench: Bench) -> None:
    """Proxies of the environment are ignored: it does not decide where a key is sent."""

    async def relay(received: Received, peer: Peer) -> None:
        await peer.write(FINE)

    bench.answer(FINE)
    async with RawServer(relay) as proxy:
        with _environment(dict.fromkeys(_PROXIES, proxy.url)):
            transport = bench.make()
            try:
                await transport.send(bench.get(), TIMEOUT)
            finally:
                await transport.aclose()
        expect(not proxy.received, "a request went to a proxy of the environment")


@contextmanager
def _environment(variables: dict[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    os.environ.update(variables)
    for name in ("NO_PROXY", "no_proxy"):
        os.environ.pop(name, None)
    try:
        yield
    finally:
        for name in {*variables, "NO_PROXY", "no_proxy"}:
            os.environ.pop(name, None)
            if name in before:
                os.environ[name] = before[name]


async def _closes_and_opens_again(bench: Bench) -> None:
    """Closing ends its connections, may be repeated, and is followed by new ones if need be."""
    bench.answer(FINE)
    for _ in range(2):
        await bench.send(bench.get())
        await bench.transport.aclose()
        await bench.transport.aclose()
        while bench.server.connections:  # noqa: ASYNC110 - they end one by one
            await asyncio.sleep(0.01)


async def _serves_any_loop(bench: Bench) -> None:
    """It may be used on several event loops, one after the other and at a time."""
    bench.answer(FINE)
    await bench.send(bench.get())

    async def elsewhere() -> int:
        try:
            return (await bench.send(bench.get())).status
        finally:
            await bench.transport.aclose()

    for _ in range(2):
        expect(await asyncio.to_thread(asyncio.run, elsewhere()) == 200, "another loop has failed")
        await bench.send(bench.get())


RULES: Final[tuple[Rule, ...]] = (
    _sends_what_is_there,
    _returns_any_status,
    _returns_whole_bodies,
    _notices_what_is_cut_short,
    _sends_once,
    _bounds_the_body,
    _refuses_what_is_not_http,
    _keeps_its_timeout,
    _says_when_nothing_was_sent,
    _keeps_answers_apart,
    _keeps_no_cookies,
    _asks_no_environment,
    _closes_and_opens_again,
    _serves_any_loop,
)
"""Each with the sentence that a transport must make true."""
