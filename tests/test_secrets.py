"""Every way in which fcasync fails, with a secret in every input: none of them comes out."""

import asyncio
import logging
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import orjson
import pytest

import fcasync
import tests._calls as calls
import tests._server as wire
from fcasync import webhooks
from fcasync._facts.signature import compute
from fcasync._wire.proxy import Proxy
from fcasync.testing import FakeClock, ScriptedTransport, answer, make_account, signed_webhook
from tests._leaks import rendered

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fcasync.otel import OpenTelemetryHook

# Module constants, because the local variables of these tests are searched as well.
MARK = "hatNobodyMaySee"
KEY = f"sk_test_keyT{MARK}0000"
PASSWORD = f"passwordT{MARK}"
TOKEN = f"tokenT{MARK}"
CLIENT_SECRET = f"fcsess_1_secret_t{MARK}"
WEBHOOK_SECRET = f"whsec_t{MARK}"
NUMBER = "000123456789"
NOW = 1_700_000_000
BODY, SIGNED = signed_webhook(
    fcasync.to_dict(make_account(extra={"secret": CLIENT_SECRET})), WEBHOOK_SECRET, NOW
)
FORGED = BODY + b" "
JUNK = f'{{"client_secret": "{CLIENT_SECRET}", {NUMBER}'.encode()
ABOUT = f"{CLIENT_SECRET} {KEY} {WEBHOOK_SECRET} {NUMBER} Bearer {TOKEN}"
# What would make a forged event pass, computed where no frame of a traceback is.
VALID = compute(FORGED, WEBHOOK_SECRET, NOW)
SECRETS = (MARK, NUMBER, VALID)

ONCE = fcasync.RetryPolicy(attempts=1)
TWICE = fcasync.RetryPolicy(attempts=2, base=0.001)
EXTRA = {"X-Own": TOKEN}
HEADERS = {
    "Request-Id": f"req_{CLIENT_SECRET}",
    "Set-Cookie": f"session={TOKEN}",
    "X-Echo": ABOUT,
    "Location": f"https://example.com/?{CLIENT_SECRET}",
    "Content-Type": f"text/{KEY}",
}

Call = Callable[[fcasync.Client], Awaitable[object]]


def retrieve(client: fcasync.Client) -> Awaitable[object]:
    return client.accounts.retrieve("fca_1")


def refresh(client: fcasync.Client) -> Awaitable[object]:
    return client.accounts.refresh("fca_1", features=["balance"])


async def failing(call: Callable[[], Awaitable[object]]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any that is raised is read
        await call()
    return caught.value


class Watch:
    """The log and the spans of one test."""

    def __init__(self, log: pytest.LogCaptureFixture) -> None:
        self.log = log
        self.spans = InMemorySpanExporter()
        provider = TracerProvider()
        provider.add_span_processor(SimpleSpanProcessor(self.spans))
        self.hook = OpenTelemetryHook(tracer_provider=provider)

    def assert_nothing_shows(self, error: BaseException) -> None:
        spans = [span.to_json() for span in self.spans.get_finished_spans()]
        text = "\n".join([rendered(error), self.log.text, *spans])
        for secret in SECRETS:
            where = text.find(secret)
            assert where < 0, text[max(0, where - 300) : where + 100]


@pytest.fixture
def watch(caplog: pytest.LogCaptureFixture) -> Watch:
    caplog.set_level(logging.DEBUG)
    return Watch(caplog)


CONSTRUCTORS: dict[str, dict[str, Any]] = {
    "api_key newline": {"api_key": f"{KEY}\n"},
    "api_key publishable": {"api_key": KEY.replace("sk_", "pk_")},
    "api_key placeholder": {"api_key": TOKEN},
    "api_key live": {
        "api_key": KEY.replace("test", "live"),
        "base_url": f"http://u:{PASSWORD}@127.0.0.1",
    },
    "base_url user info": {"base_url": f"https://user:{PASSWORD}@api.stripe.com"},
    "base_url odd user info": {"base_url": f"https://user:a/b@{PASSWORD}/c?d@api.stripe.com"},
    "base_url port": {"base_url": f"https://user:{PASSWORD}"},
    "base_url brackets": {"base_url": f"https://[{PASSWORD}"},
    "base_url query": {"base_url": f"https://api.stripe.com/?token={TOKEN}"},
    "base_url fragment": {"base_url": f"https://api.stripe.com/#{TOKEN}"},
    "base_url type": {"base_url": [TOKEN]},
    "stripe_account": {"stripe_account": f"{TOKEN}\n"},
    "stripe_context": {"stripe_context": f" {TOKEN}"},
    "stripe_version": {"stripe_version": [TOKEN]},
    "extra_headers value": {"extra_headers": {"X-Own": f"{TOKEN}\n"}},
    "extra_headers bytes": {"extra_headers": {"X-Own": TOKEN.encode()}},
    "extra_headers own": {"extra_headers": {"Authorization": TOKEN}},
    "extra_headers type": {"extra_headers": TOKEN},
    "proxy": {"proxy": f"ftp://user:{PASSWORD}@127.0.0.1"},
    "proxy port": {"proxy": f"http://user:{PASSWORD}"},
    "timeout": {"timeout": -1},
    "timeout huge": {"timeout": 10**400},
    "retry": {"retry": 5},
    "limits": {"limits": 5},
    "hooks": {"hooks": 5},
    "ssl": {"ssl": True},
    "session": {"session": 5},
    "no such argument": {"no_such_argument": TOKEN},
}


COMPLETE = {"api_key": KEY, "proxy": f"http://u:{PASSWORD}@h", "extra_headers": EXTRA}


@pytest.mark.parametrize("case", CONSTRUCTORS)
async def test_a_constructor_that_fails_shows_nothing(case: str, watch: Watch) -> None:
    """Neither its message nor the frames that it leaves hold a key, a password or a token."""

    async def construct() -> None:
        fcasync.Client(**(COMPLETE | CONSTRUCTORS[case]))

    watch.assert_nothing_shows(await failing(construct))


VIEWS: dict[str, dict[str, Any]] = {
    "header": {"extra_headers": {"X": f"{TOKEN}\n"}},
    "timeout": {"extra_headers": EXTRA, "timeout": 0},
}


@pytest.mark.parametrize("case", VIEWS)
async def test_options_that_are_refused_show_nothing(case: str, watch: Watch) -> None:
    """A view is as discreet as the client."""
    client = fcasync.Client(KEY, extra_headers=EXTRA)

    async def view() -> None:
        client.with_options(**VIEWS[case])

    watch.assert_nothing_shows(await failing(view))


def test_a_half_built_client_can_be_shown() -> None:
    """A traceback with local variables shows it, so its repr must not fail."""
    half = fcasync.Client.__new__(fcasync.Client)
    assert repr(half) == "<Client without valid arguments>"


WEBHOOKS: dict[str, dict[str, Any]] = {
    "forged": {"payload": FORGED},
    "forged in a rotation": {"payload": FORGED, "secret": [WEBHOOK_SECRET, f"{WEBHOOK_SECRET}2"]},
    "old": {"clock": FakeClock(NOW + 1000)},
    "early": {"clock": FakeClock(NOW - 1000)},
    "no header": {"sig_header": None},
    "bad header": {"sig_header": f"t=1,v1={TOKEN},t=2"},
    "bad secret": {"secret": f"{WEBHOOK_SECRET}\n"},
    "secret as bytes": {"secret": WEBHOOK_SECRET.encode()},
    "secret with an empty one": {"secret": [WEBHOOK_SECRET, ""]},
    "tolerance": {"tolerance": -1},
    "huge tolerance": {"tolerance": 10**400},
    "parsed": {"payload": orjson.loads(BODY)},
    "too long": {"payload": BODY * 10_000},
    "not an event": {},
    "not JSON": {"payload": JUNK},
}


@pytest.mark.parametrize("case", WEBHOOKS)
async def test_a_webhook_that_is_refused_shows_nothing(case: str, watch: Watch) -> None:
    """Neither the secret, nor what was sent, nor the signature that would have been right."""

    async def construct() -> None:
        webhooks.construct_event(**(_webhook() | WEBHOOKS[case]))

    def _webhook() -> dict[str, Any]:
        payload = WEBHOOKS[case].get("payload", BODY)
        signed = payload == JUNK
        header = webhooks.sign(JUNK, WEBHOOK_SECRET, NOW) if signed else SIGNED["Stripe-Signature"]
        return {
            "payload": BODY,
            "sig_header": header,
            "secret": WEBHOOK_SECRET,
            "clock": FakeClock(NOW),
        }

    error = await failing(construct)
    assert isinstance(error, fcasync.FCError)
    watch.assert_nothing_shows(error)


UNSIGNABLE: dict[str, dict[str, Any]] = {
    "timestamp": {"timestamp": -1},
    "secret": {"secret": f"{WEBHOOK_SECRET} ", "timestamp": NOW},
    "payload": {"payload": [CLIENT_SECRET], "timestamp": NOW},
}


@pytest.mark.parametrize("case", UNSIGNABLE)
async def test_a_webhook_that_cannot_be_signed_shows_nothing(case: str, watch: Watch) -> None:
    """The secret is in no frame of the error."""

    async def sign() -> None:
        webhooks.sign(**({"payload": BODY, "secret": WEBHOOK_SECRET} | UNSIGNABLE[case]))

    watch.assert_nothing_shows(await failing(sign))


ANSWERS: dict[str, Any] = {
    **{
        f"status {status}": answer(
            {"error": {"message": ABOUT, "code": NUMBER, "param": CLIENT_SECRET, "type": KEY}},
            status=status,
            headers=HEADERS,
        )
        for status in (400, 401, 402, 403, 404, 409, 418, 429, 500, 503, 302, 304, 101)
    },
    "no JSON": answer(JUNK, headers=HEADERS),
    "gateway": answer(ABOUT.encode(), status=502, headers=HEADERS),
    "another object": answer({"object": "customer", "id": NUMBER}, headers=HEADERS),
    "another id": answer(make_account(id="fca_2", extra={"x": CLIENT_SECRET}), headers=HEADERS),
    "wrong types": answer(
        {"object": "financial_connections.account", "id": "fca_1", "created": ABOUT},
        headers=HEADERS,
    ),
    "broken": RuntimeError("the transport itself"),
}


@pytest.mark.parametrize("call", [retrieve, refresh])
@pytest.mark.parametrize("case", ANSWERS)
async def test_an_answer_that_is_an_error_shows_nothing(
    case: str, call: Call, watch: Watch
) -> None:
    """Whatever comes back in a body or a header: nothing of it leaks, nor does the key."""
    client = fcasync.Client(
        KEY,
        transport=ScriptedTransport([ANSWERS[case]] * 2),
        clock=FakeClock(),
        retry=TWICE,
        deadline=5,
        hooks=[watch.hook],
        extra_headers=EXTRA,
    )
    error = await failing(lambda: call(client))
    watch.assert_nothing_shows(error)


@asynccontextmanager
async def tls_only() -> AsyncIterator[wire.Server]:
    """Serve what no TLS client understands."""
    async with wire.serving(b"no TLS\r\n") as server:
        server.url = server.url.replace("http:", "https:")
        yield server


TROUBLE: dict[str, Any] = {
    "reset": wire.reset,
    "stall": wire.stall,
    "no HTTP": f"{ABOUT}\r\n\r\n".encode(),
    "no JSON": wire.http(JUNK),
    "error": wire.http(JUNK, status="500 Internal Server Error", X_Echo=ABOUT),
    "truncated": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 500\r\n\r\n" + JUNK,
    "no gzip": wire.http(JUNK, Content_Encoding="gzip"),
    "redirect": wire.http(b"", status="302 Found", Location=f"https://x/{CLIENT_SECRET}"),
    "too large": wire.http(JUNK * 100),
}


@pytest.mark.parametrize("way", ["lean", "proxy", "tunnel"])
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_trouble_on_the_wire_shows_nothing(trouble: str, way: str, watch: Watch) -> None:
    """Neither on a connection of our own, nor through a proxy with a password."""
    async with wire.serving(TROUBLE[trouble]) as server:
        proxy = server.url.replace("//", f"//user:{PASSWORD}@")
        base_url = {"lean": server.url, "proxy": "http://127.0.0.1:1", "tunnel": "https://a.test"}
        async with fcasync.Client(
            KEY,
            base_url=base_url[way],
            proxy=None if way == "lean" else proxy,
            retry=TWICE,
            timeout=0.1,
            max_response_bytes=1000,
            extra_headers=EXTRA,
            hooks=[watch.hook],
        ) as client:
            error = await failing(lambda: refresh(client))
    assert isinstance(error, fcasync.FCError)
    watch.assert_nothing_shows(error)


UNREACHABLE: dict[str, dict[str, Any]] = {
    "refused": {"base_url": "http://127.0.0.1:1"},
    "no such host": {"base_url": "https://no-such-host.invalid"},
    "proxy refused": {
        "base_url": "https://a.test",
        "proxy": f"http://user:{PASSWORD}@127.0.0.1:1",
    },
    "proxy unknown": {
        "base_url": "https://a.test",
        "proxy": f"http://user:{PASSWORD}@no-such-host.invalid",
    },
}


@pytest.mark.parametrize("case", UNREACHABLE)
async def test_an_unreachable_server_shows_nothing(case: str, watch: Watch) -> None:
    """Its cause, an error of aiohttp that names the proxy, is kept and knows no password."""
    async with fcasync.Client(
        KEY, retry=ONCE, timeout=5, extra_headers=EXTRA, hooks=[watch.hook], **UNREACHABLE[case]
    ) as client:
        error = await failing(lambda: retrieve(client))
    assert isinstance(error, fcasync.APIConnectionError)
    watch.assert_nothing_shows(error)


async def test_a_failed_handshake_shows_nothing(watch: Watch) -> None:
    """TLS that checks nothing, with a context of the caller's own."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    async with (
        tls_only() as server,
        fcasync.Client(
            KEY, base_url=server.url, retry=ONCE, timeout=1, ssl=context, extra_headers=EXTRA
        ) as client,
    ):
        error = await failing(lambda: retrieve(client))
    watch.assert_nothing_shows(error)


@pytest.mark.parametrize("way", ["lean", "proxy", "tunnel"])
async def test_a_cancelled_call_shows_nothing(way: str, watch: Watch) -> None:
    """Its traceback goes through aiohttp, which has the headers and the proxy's address."""
    async with wire.serving(wire.stall) as server:
        proxy = server.url.replace("//", f"//user:{PASSWORD}@")
        base_url = {"lean": server.url, "proxy": "http://127.0.0.1:1", "tunnel": "https://a.test"}
        async with fcasync.Client(
            KEY,
            base_url=base_url[way],
            proxy=None if way == "lean" else proxy,
            extra_headers=EXTRA,
            hooks=[watch.hook],
        ) as client:
            task = asyncio.ensure_future(retrieve(client))
            while not server.requests:
                await asyncio.sleep(0.001)
            task.cancel()
            error = await failing(lambda: task)
    assert isinstance(error, asyncio.CancelledError)
    assert "aiohttp" in rendered(error)
    watch.assert_nothing_shows(error)


async def test_a_call_without_a_slot_shows_nothing(watch: Watch) -> None:
    """Errors that are raised before anything is sent are not an exception to that."""
    client = fcasync.Client(
        KEY,
        transport=ScriptedTransport([make_account(id="fca_1")]),
        clock=FakeClock(),
        limits=fcasync.Limits(max_rate=0.01, burst=1),
        deadline=5,
        extra_headers=EXTRA,
        hooks=[watch.hook],
    )
    await retrieve(client)
    error = await failing(lambda: retrieve(client))
    assert isinstance(error, fcasync.RateLimitError)
    watch.assert_nothing_shows(error)


@pytest.mark.parametrize("tunnelled", [False, True])
async def test_a_proxy_gets_its_password(*, tunnelled: bool) -> None:
    """Apart from the URL it is sent as RFC 7617 says, and never through the tunnel."""
    refusal = wire.http(b"", "407 Proxy Authentication Required")
    async with wire.serving(refusal) as proxy:
        url = proxy.url.replace("//", "//us%20er:p%3Ass@")
        base_url = "https://a.test" if tunnelled else "http://127.0.0.1:1"
        async with fcasync.Client(KEY, base_url=base_url, proxy=url, retry=ONCE) as client:
            await failing(lambda: retrieve(client))
        assert proxy.header("Proxy-Authorization") == "Basic dXMgZXI6cDpzcw=="
        assert proxy.header("Authorization") == (None if tunnelled else f"Bearer {KEY}")


async def test_a_clients_transport_hides_the_proxys_password() -> None:
    """Debuggers print every attribute."""
    client = fcasync.Client(KEY, proxy=f"http://user:{PASSWORD}@127.0.0.1:1")
    assert MARK not in repr(vars(client._engine.transport))


def test_a_proxys_password_does_not_go_through_the_tunnel() -> None:
    """In plain HTTP the proxy reads the request itself; with TLS only the CONNECT is for it."""
    proxy = Proxy.at(f"http://user:{PASSWORD}@127.0.0.1:8080")
    plain, tunnelled = (
        calls.request(calls.GET, calls.options(f"{scheme}://127.0.0.1"))
        for scheme in ("http", "https")
    )
    assert proxy.url == "http://127.0.0.1:8080"
    assert not proxy.headers_for_request(tunnelled)
    assert not proxy.headers_for_tunnel(plain)
    assert set(proxy.headers_for_request(plain)) == {"Proxy-Authorization"}
    assert proxy.headers_for_tunnel(tunnelled) == proxy.headers_for_request(plain)
