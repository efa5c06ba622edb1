"""Ready-made endpoints: the same answers in every framework, whatever is sent."""

import asyncio
import io
import logging
import socket
import time
import traceback
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import pytest
from aiohttp import web

from fcasync.errors import InvalidArgumentError
from fcasync.models import Event
from fcasync.testing import make_event, make_thin_event, signed_webhook
from fcasync.webhooks import EventRouter, SeenEvents, WebhookApp, sign
from fcasync.webhooks._verify import MAX_BODY
from tests.apps import _serving

SECRET = "whsec_test_secret"
OLD = "whsec_old_secret"
KIND = "financial_connections.account.refreshed_balance"


def raw_asgi(events: EventRouter) -> Any:
    return events.asgi([SECRET, OLD])


def starlette(events: EventRouter) -> Any:
    routing = pytest.importorskip("starlette.routing", reason="needs starlette")
    applications = pytest.importorskip("starlette.applications", reason="needs starlette")
    route = routing.Route("/webhooks", events.asgi([SECRET, OLD]))
    return applications.Starlette(routes=[route])


def fastapi(events: EventRouter) -> Any:
    app = pytest.importorskip("fastapi", reason="needs fastapi").FastAPI()
    app.add_route("/webhooks", events.asgi([SECRET, OLD]), ["POST"])
    return app


def mounted(events: EventRouter) -> Any:
    app = pytest.importorskip("fastapi", reason="needs fastapi").FastAPI()
    app.mount("/", events.asgi([SECRET, OLD]))
    return app


def aiohttp_web(events: EventRouter) -> web.Application:
    app = web.Application()
    app.router.add_route("*", "/webhooks", events.aiohttp_handler([SECRET, OLD]))
    return app


def aiohttp_as_it_comes(events: EventRouter) -> web.Application:
    return aiohttp_web(events)


BUILDERS = (raw_asgi, starlette, fastapi, mounted, aiohttp_web, aiohttp_as_it_comes)
Start = Callable[[EventRouter], AbstractAsyncContextManager[str]]


@pytest.fixture(params=BUILDERS, ids=lambda build: build.__name__)
def start(request: pytest.FixtureRequest) -> Start:
    """Return what serves a router in one of the frameworks, and says at which URL."""
    build = request.param

    @asynccontextmanager
    async def serving(events: EventRouter) -> AsyncIterator[str]:
        listener = _serving.listening()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks"
        if build in (aiohttp_web, aiohttp_as_it_comes):
            cancels = build is aiohttp_web
            server = _serving.aiohttp_server(build(events), listener, cancels=cancels)
        else:
            server = _serving.uvicorn_server(build(events), listener)
        async with _serving.nothing_left(), server:
            yield url

    return serving


async def post(url: str, body: Any, headers: Any = None, method: str = "POST") -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as session,
        session.request(method, url, data=body, headers=headers, allow_redirects=False) as answer,
    ):
        return answer.status, (await answer.text())


def recording() -> tuple[EventRouter, list[str]]:
    """Return a router that keeps the ids of events, and fails for `evt_bad`."""
    events, got = EventRouter(SeenEvents()), list[str]()

    @events.on("*")
    async def keep(event: Any) -> None:
        if event.id == "evt_bad":
            raise LookupError("no such row")
        got.append(event.id)

    return events, got


async def test_the_answers_are_those_that_stripe_needs(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """200, 400, 405, 500: each with a few words, and no secret in any log."""
    events, got = recording()
    body, headers = signed_webhook(make_event(id="evt_1"), SECRET)
    old, signed_by_old = signed_webhook(make_thin_event(id="evt_2"), OLD)
    bad, signed_bad = signed_webhook(make_event(id="evt_bad"), SECRET)
    forged, by_another = signed_webhook(make_event(id="evt_3"), "whsec_another")
    stale = {"Stripe-Signature": sign(body, SECRET, int(time.time()) - 3600)}
    junk = b"\xff\xfe not json"
    async with start(events) as url:
        assert await post(url, body, headers) == (200, "handled")
        assert await post(url, body, headers) == (200, "nothing to do")
        assert await post(url, old, signed_by_old) == (200, "handled")
        assert await post(url, bad, signed_bad) == (500, "handling this event failed")
        assert await post(url, forged, by_another) == (400, "bad signature")
        assert await post(url, body, stale) == (400, "bad signature")
        assert await post(url, body) == (400, "bad signature")
        assert await post(url, body + b" ", headers) == (400, "bad signature")
        assert await post(url, b"", headers) == (400, "bad signature")
        signature = {"Stripe-Signature": sign(junk, SECRET, int(time.time()))}
        assert await post(url, junk, signature) == (400, "not an event")
        for method in ("GET", "PUT", "HEAD", "DELETE"):
            assert (await post(url, None, None, method))[0] == 405
    assert got == ["evt_1", "evt_2"]
    (failure,) = [row for row in caplog.records if row.levelno == logging.ERROR]
    assert failure.getMessage().startswith(f"webhook event evt_bad ({KIND}) was not handled")
    assert failure.exc_info is not None
    assert isinstance(failure.exc_info[1], LookupError)
    report = traceback.TracebackException(*failure.exc_info, capture_locals=True)
    with_locals = "".join(report.format())
    assert "no such row" in with_locals
    assert signed_bad["Stripe-Signature"][-64:] not in with_locals
    reprs = map(repr, (url, events, events.asgi(SECRET)))
    shown = "".join([with_locals, caplog.text, *reprs])
    assert SECRET not in shown
    assert OLD not in shown


async def test_two_signatures_are_refused(start: Start) -> None:
    """Which of two headers an intermediary has added cannot be known."""
    events, got = recording()
    body, headers = signed_webhook(make_event(), SECRET)
    twice = [("Stripe-Signature", headers["Stripe-Signature"])] * 2
    async with start(events) as url:
        assert (await post(url, body, twice))[0] == 400
    assert got == []


async def first_line(url: str, *parts: bytes) -> bytes:
    """Send raw bytes, and return the first line of what comes back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(url.split(":")[2][:-9]))
    try:
        for part in parts:
            writer.write(part)
        await writer.drain()
        return await asyncio.wait_for(reader.readline(), 10)
    finally:
        writer.transport.abort()


async def test_a_body_over_the_bound_is_a_413(start: Start) -> None:
    """It is refused by its announced length, or as soon as it is too long; the bound fits."""
    events, got = recording()
    head = b"POST /webhooks HTTP/1.1\r\nHost: localhost\r\n"
    announced = b"Content-Length: %d\r\n\r\n" % (MAX_BODY + 1)
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    chunks = [chunk] * (MAX_BODY // 65536) + [b"1\r\nx\r\n"]
    async with start(events) as url:
        assert b" 413 " in await first_line(url, head + announced)
        chunked = head + b"Transfer-Encoding: chunked\r\n\r\n"
        assert b" 413 " in await first_line(url, chunked, *chunks)
        assert (await post(url, io.BytesIO(b"x" * MAX_BODY)))[0] == 400
    assert got == []


async def test_a_repeat_of_an_event_in_progress_is_a_409(start: Start) -> None:
    """Stripe tries again, should the first delivery fail."""
    events = EventRouter(SeenEvents())
    entered, go_on = asyncio.Event(), asyncio.Event()

    @events.on("*")
    async def slow(event: Any) -> None:
        entered.set()
        await go_on.wait()

    body, headers = signed_webhook(make_event(), SECRET)
    async with start(events) as url:
        first = asyncio.create_task(post(url, body, headers))
        await entered.wait()
        assert (await post(url, body, headers))[0] == 409
        go_on.set()
        assert await first == (200, "handled")
        assert await post(url, body, headers) == (200, "nothing to do")


async def test_a_caller_who_leaves_early_disturbs_nobody(
    start: Start, caplog: pytest.LogCaptureFixture
) -> None:
    """Half a body, and a connection that is cut: nothing is handled, logged or left."""
    events, got = recording()
    body, headers = signed_webhook(make_event(), SECRET)
    head = (
        f"POST /webhooks HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n"
        f"Stripe-Signature: {headers['Stripe-Signature']}\r\n\r\n"
    ).encode()
    async with start(events) as url:
        port = int(url.split(":")[2].partition("/")[0])
        for part in (b"", body[: len(body) // 2]):
            with socket.create_connection(("127.0.0.1", port)) as caller:
                caller.sendall(head + part)
                await asyncio.sleep(0.02)  # the handler waits for the rest
            await asyncio.sleep(0.02)
        assert await post(url, body, headers) == (200, "handled")
    assert len(got) == 1
    assert [record for record in caplog.records if record.levelno > logging.INFO] == []


@pytest.mark.parametrize("seen", ["seen.sqlite", 5, object()])
def test_a_store_that_is_none_is_refused_when_the_router_is_made(seen: Any) -> None:
    """Not with the first webhook."""
    with pytest.raises(InvalidArgumentError, match=r"seen must be a store such as .*, not"):
        EventRouter(seen=seen)


@pytest.mark.parametrize(
    "secret",
    ["", [], "whsec with blanks", ["whsec_1", ""], None, "sk_test_4eC39HqLyjWDarjtT1zdp7dc"],
)
def test_a_bad_secret_is_refused_when_the_endpoint_is_made(secret: Any) -> None:
    """Not with the first webhook; and the message does not hold it."""
    for make in (EventRouter().asgi, EventRouter().aiohttp_handler):
        with pytest.raises(InvalidArgumentError, match="webhook secret is missing"):
            make(secret)
        with pytest.raises(InvalidArgumentError, match="tolerance"):
            make(SECRET, tolerance=-1)


@pytest.fixture
def wire() -> Callable[..., Any]:
    """Return what calls an ASGI application with scripted messages."""

    async def call(app: WebhookApp, scope: Any, *messages: Any) -> list[Any]:
        left, sent = list(messages), list[Any]()

        async def receive() -> Any:
            return left.pop(0)

        async def send(message: Any) -> None:
            sent.append(message)

        await app(scope, receive, send)
        return sent

    return call


async def test_the_application_speaks_asgi(wire: Any) -> None:
    """Lifespan is answered, a websocket is refused, and what is unknown is an error."""
    app = EventRouter().asgi(SECRET)
    messages = [{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}]
    sent = await wire(app, {"type": "lifespan"}, *messages)
    assert [each["type"] for each in sent] == [
        "lifespan.startup.complete",
        "lifespan.shutdown.complete",
    ]
    sent = await wire(app, {"type": "websocket"}, {"type": "websocket.connect"})
    assert sent == [{"type": "websocket.close"}]
    with pytest.raises(ValueError, match="unknown"):
        await wire(app, {"type": "smtp"})


async def test_a_body_may_come_in_pieces(wire: Any) -> None:
    """Each piece is a message; a disconnect in between ends it without an answer."""
    events, got = recording()
    body, headers = signed_webhook(make_event(id="evt_1"), SECRET)
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "headers": pairs}
    parts = [
        {"type": "http.request", "body": body[start : start + 100], "more_body": True}
        for start in range(0, len(body), 100)
    ]
    app = events.asgi(SECRET)
    sent = await wire(app, scope, *parts, {"type": "http.request"})
    assert [sent[0]["status"], sent[1]["body"]] == [200, b"handled"]
    assert await wire(app, scope, parts[0], {"type": "http.disconnect"}) == []
    liar = {**scope, "headers": [*pairs, (b"content-length", b"9" * 5000)]}
    assert (await wire(app, liar))[0]["status"] == 413
    assert got == ["evt_1"]


async def test_a_cancelled_delivery_is_handled_by_the_next(wire: Any) -> None:
    """A server that is stopped in the middle leaves no claim behind."""
    seen = SeenEvents()
    events, entered = EventRouter(seen), asyncio.Event()

    @events.on("*")
    async def forever(event: Event[Any]) -> None:
        entered.set()
        await asyncio.Event().wait()

    body, headers = signed_webhook(make_event(id="evt_1"), SECRET)
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    scope = {"type": "http", "method": "POST", "headers": pairs}
    call = wire(events.asgi(SECRET), scope, {"type": "http.request", "body": body})
    task = asyncio.create_task(call)
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await seen.claim("evt_1")


async def test_a_caller_who_leaves_while_it_is_handled_leaves_no_claim() -> None:
    """Where the server cancels the handler, the next delivery of the event is handled."""
    events, entered, got = EventRouter(SeenEvents()), asyncio.Event(), list[str]()

    @events.on("*")
    async def slow(event: Any) -> None:
        if not entered.is_set():
            entered.set()
            await asyncio.Event().wait()
        got.append(event.id)

    body, headers = signed_webhook(make_event(id="evt_1"), SECRET)
    listener = _serving.listening()
    url = f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks"
    async with _serving.nothing_left(), _serving.aiohttp_server(aiohttp_web(events), listener):
        first = asyncio.create_task(post(url, body, headers))
        await entered.wait()
        first.cancel()
        await asyncio.wait([first])
        async with asyncio.timeout(10):
            while (await post(url, body, headers))[0] != 200:
                await asyncio.sleep(0.005)
    assert got == ["evt_1"]
