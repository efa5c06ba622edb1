"""Where aiohttp is instrumented, each request has one span: aiohttp's."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import aiohttp
import pytest

import fcasync
from fcasync.hooks import HookEvent, OutgoingRequest
from fcasync.sandbox import Sandbox
from tests.otel._recorder import Recorder

pytest.importorskip(
    "opentelemetry.instrumentation.aiohttp_client",
    reason="needs opentelemetry-instrumentation-aiohttp-client",
)

from opentelemetry.instrumentation.aiohttp_client import (
    AioHttpClientInstrumentor,
    create_trace_config,
)

OURS = "GET /v1/financial_connections/accounts"
THEIRS = "GET"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(3) as sandbox:
        yield sandbox


@pytest.fixture
def instrumented(recorder: Recorder) -> Iterator[None]:
    """Every session that is opened from now on has spans."""
    instrumentor = AioHttpClientInstrumentor()
    instrumentor.instrument(
        tracer_provider=recorder.tracers, meter_provider=recorder.meters, skip_dep_check=True
    )
    yield
    instrumentor.uninstrument()


def client(sandbox: Sandbox, *hooks: Any, **options: Any) -> fcasync.Client:
    return fcasync.Client(sandbox.api_key, base_url=sandbox.url, hooks=hooks, **options)


@pytest.mark.usefixtures("instrumented")
async def test_requests_have_the_spans_of_aiohttp(recorder: Recorder, sandbox: Sandbox) -> None:
    """They are below that of the call; fcasync's own are off, and its measure of requests."""
    async with client(sandbox, recorder.hook()) as stripe:
        for _ in range(2):
            await stripe.accounts.list()
    assert recorder.tree() == [(THEIRS, "fcasync list"), ("fcasync list", None)] * 2
    assert recorder.points("http.client.request.duration") == []
    assert len(recorder.points("fcasync.call.duration")) == 1


@pytest.mark.usefixtures("instrumented")
async def test_without_a_hook_aiohttp_still_hears_of_every_request(
    recorder: Recorder, sandbox: Sandbox
) -> None:
    """The lean exchange does not bypass whoever traces sessions."""
    async with client(sandbox) as stripe:
        await stripe.accounts.list()
    assert recorder.tree() == [(THEIRS, None)]


@pytest.mark.usefixtures("instrumented")
async def test_spans_of_fcasync_may_be_wanted_all_the_same(
    recorder: Recorder, sandbox: Sandbox
) -> None:
    """``attempts=True`` has both, one in the other."""
    async with client(sandbox, recorder.hook(attempts=True)) as stripe:
        await stripe.accounts.list()
    assert recorder.tree() == [(THEIRS, OURS), (OURS, "fcasync list"), ("fcasync list", None)]


async def test_a_session_of_the_caller_may_be_instrumented(
    recorder: Recorder, sandbox: Sandbox
) -> None:
    """By a trace config of its own; another session is not affected."""
    traces = create_trace_config(tracer_provider=recorder.tracers, meter_provider=recorder.meters)
    hook = recorder.hook()
    async with (
        aiohttp.ClientSession(trace_configs=[traces]) as traced,
        aiohttp.ClientSession() as plain,
    ):
        await client(sandbox, hook, session=traced).accounts.list()
        assert recorder.tree() == [(THEIRS, "fcasync list"), ("fcasync list", None)]
        recorder.exporter.clear()
        await client(sandbox, hook, session=plain).accounts.list()
    assert recorder.tree() == [(OURS, "fcasync list"), ("fcasync list", None)]


async def test_what_counts_is_the_session_that_is_open(
    recorder: Recorder, sandbox: Sandbox
) -> None:
    """Instrumenting later, or no more, does not change the sessions that are there."""
    instrumentor = AioHttpClientInstrumentor()
    async with client(sandbox, recorder.hook()) as early:
        await early.accounts.list()
        instrumentor.instrument(tracer_provider=recorder.tracers, skip_dep_check=True)
        try:
            await early.accounts.list()
            assert recorder.named(THEIRS) == recorder.named(OURS)
            recorder.exporter.clear()
            late = client(sandbox, recorder.hook())
            await late.accounts.list()
        finally:
            instrumentor.uninstrument()
        async with late:
            await late.accounts.list()
        assert recorder.tree() == [(THEIRS, "fcasync list"), ("fcasync list", None)] * 2


@pytest.mark.usefixtures("instrumented")
async def test_hooks_know_who_records_spans(sandbox: Sandbox) -> None:
    """Any hook may ask whether the request is traced below."""
    seen = []

    class Asking:
        def __call__(self, event: HookEvent, /) -> None: ...

        def before_attempt(self, request: OutgoingRequest, /) -> None:
            seen.append(request.is_traced)

    async with client(sandbox, Asking()) as stripe:
        await stripe.accounts.list()
    assert seen == [True]
