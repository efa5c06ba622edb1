"""Sessions that somebody traces: the lean exchange does not bypass him."""

from typing import Any

import aiohttp
import pytest

import fcasync
from fcasync._wire.transport import AiohttpTransport
from fcasync.hooks import HookEvent, OutgoingRequest
from tests import _calls as calls
from tests._server import http, serving

FINE = http(b'{"id": "fca_1", "object": "financial_connections.account"}')


def tracing(module: str, seen: list[str]) -> aiohttp.TraceConfig:
    """Return what notes each request, from a function that lives in *module*."""

    async def started(session: Any, context: Any, params: aiohttp.TraceRequestStartParams) -> None:
        seen.append(params.method)

    started.__module__ = module
    traces = aiohttp.TraceConfig()
    traces.on_request_start.append(started)
    return traces


@pytest.fixture
def seen(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> list[str]:
    """Patch sessions as monitoring tools do, and return the methods of all requests."""
    seen: list[str] = []
    original = aiohttp.ClientSession.__init__

    def patched(self: Any, *args: Any, **kwargs: Any) -> None:
        kwargs["trace_configs"] = [tracing(request.param, seen)]
        original(self, *args, **kwargs)

    monkeypatch.setattr(aiohttp.ClientSession, "__init__", patched)
    return seen


class Asking:
    """A hook that asks who records spans."""

    def __init__(self) -> None:
        self.answers: list[bool] = []

    def __call__(self, event: HookEvent, /) -> None: ...

    def before_attempt(self, request: OutgoingRequest, /) -> None:
        self.answers.append(request.is_traced)


@pytest.mark.parametrize(
    ("seen", "is_traced"),
    [("sentry_sdk.integrations.aiohttp", False), ("opentelemetry.instrumentation.fake", True)],
    indirect=["seen"],
)
async def test_whoever_traces_sessions_sees_every_request(
    seen: list[str], *, is_traced: bool
) -> None:
    """Only spans of OpenTelemetry take the place of fcasync's own."""
    hook = Asking()
    async with (
        serving(FINE) as server,
        fcasync.Client(calls.KEY, base_url=server.url, hooks=[hook]) as client,
    ):
        await client.accounts.retrieve("fca_1")
        await client.accounts.refresh("fca_1", features=["balance"])
    assert seen == ["GET", "POST"]
    assert hook.answers == [is_traced, is_traced]


async def test_an_untraced_session_takes_the_lean_way() -> None:
    """Whether it is asked about before its first request or not."""
    async with serving(FINE) as server:
        transport = calls.real_transport()
        assert not await transport.is_traced()
        await calls.call(calls.engine(transport), calls.GET, calls.options(server.url))
        opened = transport._sessions.get()
        assert opened is not None
        assert opened.lean is not None
        assert opened.lean._is_tested
        await transport.aclose()


async def test_a_session_of_the_caller_is_looked_at() -> None:
    """With traces of its own, and without."""
    for module, is_traced in (("opentelemetry.x", True), ("other", False)):
        async with aiohttp.ClientSession(trace_configs=[tracing(module, [])]) as session:
            transport = AiohttpTransport(max_connections=1, max_response_bytes=100, session=session)
            assert await transport.is_traced() is is_traced
