"""OpenTelemetry, read back from the SDK's in-memory exporters."""

import asyncio
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import attrs
import pytest

import fcasync
from fcasync.hooks import AttemptFinished, Call
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, ScriptedTransport, answer

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from fcasync.otel import BOUNDARIES, OpenTelemetryHook

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
ROOT = "/v1/financial_connections/accounts"
ACCOUNT = {"id": "fca_1", "object": "financial_connections.account"}
DOWN = answer(status=503, headers={"Request-Id": "req_down"})
FINE = answer(ACCOUNT, headers={"Request-Id": "req_fine", "Idempotent-Replayed": "true"})


@attrs.frozen
class Recorder:
    """A hook with its own providers, and the data that they received."""

    spans: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    metrics: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    tracers: TracerProvider = attrs.field(factory=TracerProvider)

    def hook(self) -> OpenTelemetryHook:
        self.tracers.add_span_processor(SimpleSpanProcessor(self.spans))
        meters = MeterProvider([self.metrics])
        return OpenTelemetryHook(tracer_provider=self.tracers, meter_provider=meters)

    def span(self) -> ReadableSpan:
        """Return the only span."""
        (span,) = self.spans.get_finished_spans()
        return span

    def points(self, name: str) -> list[Any]:
        """Return the data points of a metric."""
        data = self.metrics.get_metrics_data()
        if data is None:
            return []
        scopes = [scope for each in data.resource_metrics for scope in each.scope_metrics]
        matching = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        return [point for metric in matching for point in metric.data.data_points]

    def everything(self) -> str:
        data = self.metrics.get_metrics_data()
        spans = [span.to_json() for span in self.spans.get_finished_spans()]
        return "\n".join([*spans, data.to_json() if data else ""])


@pytest.fixture
def recorder() -> Iterator[Recorder]:
    recorder = Recorder()
    yield recorder
    recorder.tracers.shutdown()


def client(recorder: Recorder, *script: Any, **options: Any) -> fcasync.Client:
    return fcasync.Client(
        KEY,
        transport=ScriptedTransport(script),
        clock=FakeClock(),
        hooks=[recorder.hook()],
        **options,
    )


def events(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


async def test_a_call_is_one_client_span(recorder: Recorder) -> None:
    """Its name and attributes follow the conventions, with a route instead of ids."""
    await client(recorder, FINE).accounts.refresh("fca_1", features=["balance"])
    span = recorder.span()
    assert (span.name, span.kind) == (f"POST {ROOT}/{{account}}/refresh", SpanKind.CLIENT)
    assert dict(span.attributes or {}) == {
        "http.request.method": "POST",
        "url.template": f"{ROOT}/{{account}}/refresh",
        "server.address": "api.stripe.com",
        "server.port": 443,
        "http.response.status_code": 200,
        "http.response.header.request-id": ("req_fine",),
        "fcasync.operation": "refresh",
        "fcasync.replayed": True,
    }
    assert span.status.status_code is StatusCode.UNSET


async def test_attempts_and_retries_are_events_of_the_span(recorder: Recorder) -> None:
    """The span records the result of each request and the wait before the next one."""
    await client(recorder, DOWN, FINE).accounts.retrieve("fca_1")
    span = recorder.span()
    failed = {"fcasync.attempt": 1, "error.type": "503"}
    assert events(span) == [
        (
            "fcasync.attempt",
            failed
            | {
                "http.response.status_code": 503,
                "fcasync.elapsed": 0.0,
                "fcasync.request_id": "req_down",
            },
        ),
        ("fcasync.retry", failed | {"fcasync.wait": 0.25}),
        (
            "fcasync.attempt",
            {
                "fcasync.attempt": 2,
                "http.response.status_code": 200,
                "fcasync.elapsed": 0.0,
                "fcasync.request_id": "req_fine",
            },
        ),
    ]
    assert (span.attributes or {})["http.request.resend_count"] == 1


async def test_a_call_belongs_to_the_span_around_it(recorder: Recorder) -> None:
    """The task's current span is the parent, and is current again after the call."""
    stripe = client(recorder, *[FINE] * 4)
    tracer = recorder.tracers.get_tracer("test")

    async def request(name: str) -> None:
        with tracer.start_as_current_span(name) as outer:
            await stripe.accounts.retrieve("fca_1")
            await stripe.accounts.retrieve("fca_1")
            assert get_current_span() is outer

    await asyncio.gather(request("one"), request("two"))
    spans = recorder.spans.get_finished_spans()
    names = {span.context.span_id: span.name for span in spans if span.context}
    parents = [names[span.parent.span_id] for span in spans if span.parent]
    assert sorted(parents) == ["one", "one", "two", "two"]


async def test_the_span_is_current_while_the_call_runs(recorder: Recorder) -> None:
    """Spans of an instrumented aiohttp become its children."""
    seen = []

    class Spying(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            seen.append(get_current_span())
            return await super().send(request, timeout)

    stripe = fcasync.Client(KEY, transport=Spying([FINE]), hooks=[recorder.hook()])
    await stripe.accounts.retrieve("fca_1")
    assert [span.get_span_context() for span in seen] == [recorder.span().context]
    assert not get_current_span().get_span_context().is_valid


async def test_an_error_status_is_the_error_type(recorder: Recorder) -> None:
    """The status is not repeated in words."""
    with pytest.raises(fcasync.NotFoundError):
        await client(recorder, answer(status=404)).accounts.retrieve("fca_1")
    span = recorder.span()
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert (span.attributes or {})["error.type"] == "404"


async def test_a_call_without_an_answer_names_its_error(recorder: Recorder) -> None:
    """Without a status, the exception's full name and message are recorded."""
    lost = fcasync.APIConnectionError("cannot connect to http://127.0.0.1:1: refused")
    with pytest.raises(fcasync.APIConnectionError):
        retry = fcasync.RetryPolicy(attempts=1)
        await client(recorder, lost, retry=retry).accounts.retrieve("fca_1")
    span = recorder.span()
    assert (span.attributes or {})["error.type"] == "fcasync.errors.APIConnectionError"
    assert span.status.description == str(lost)
    assert "http.response.status_code" not in (span.attributes or {})


async def test_a_cancelled_call_ends_its_span(recorder: Recorder) -> None:
    """Span, attempt and metrics record the cancellation, and no state is left."""
    hook = recorder.hook()
    sent = asyncio.Event()

    class Stalled(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            sent.set()
            await asyncio.Event().wait()

    stripe = fcasync.Client(KEY, transport=Stalled(), hooks=[hook])
    task = asyncio.create_task(stripe.accounts.retrieve("fca_1"))
    await sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    span = recorder.span()
    assert (span.attributes or {})["error.type"] == "asyncio.exceptions.CancelledError"
    assert [name for name, _ in events(span)] == ["fcasync.attempt"]
    assert len(recorder.points("http.client.request.duration")) == 1
    assert hook._running == {}


async def test_durations_count_requests_and_calls(recorder: Recorder) -> None:
    """The standard histogram has one value per request, fcasync's has one per call."""
    await client(recorder, DOWN, FINE).accounts.retrieve("fca_1")
    requests = recorder.points("http.client.request.duration")
    route = {
        "http.request.method": "GET",
        "url.template": f"{ROOT}/{{account}}",
        "server.address": "api.stripe.com",
        "server.port": 443,
    }
    assert [dict(point.attributes) for point in requests] == [
        route | {"http.response.status_code": 503, "error.type": "503"},
        route | {"http.response.status_code": 200},
    ]
    assert [point.count for point in requests] == [1, 1]
    assert tuple(requests[0].explicit_bounds) == BOUNDARIES
    (call,) = recorder.points("fcasync.call.duration")
    assert (call.count, call.sum) == (1, 0.25)
    assert dict(call.attributes) == {
        "fcasync.operation": "retrieve",
        "http.response.status_code": 200,
    }


async def test_retries_are_counted_by_error(recorder: Recorder) -> None:
    """The counter distinguishes an overloaded server from a broken network."""
    reset = fcasync.APIConnectionError("reset")
    await client(recorder, DOWN, reset, DOWN, FINE).accounts.retrieve("fca_1")
    counted = {p.attributes["error.type"]: p.value for p in recorder.points("fcasync.retries")}
    assert counted == {"503": 2, "fcasync.errors.APIConnectionError": 1}


async def test_waits_under_the_rate_limit_are_measured(recorder: Recorder) -> None:
    """The wait for a slot has a metric of its own and is an event of the span."""
    stripe = client(recorder, FINE, FINE, limits=fcasync.Limits(max_rate=2.0, burst=1))
    await stripe.accounts.retrieve("fca_1")
    await stripe.accounts.retrieve("fca_1")
    (waited,) = recorder.points("fcasync.limiter.wait")
    assert (waited.count, dict(waited.attributes)) == (1, {"fcasync.operation": "retrieve"})
    second = recorder.spans.get_finished_spans()[1]
    assert events(second)[0] == ("fcasync.limiter_wait", {"fcasync.wait": waited.sum})


def test_an_attempt_without_a_call_is_measured_only(recorder: Recorder) -> None:
    """The single attempts of bulk jobs count as requests, and have no span."""
    call = Call(operation="refresh", method="POST", route=f"{ROOT}/{{account}}/refresh")
    recorder.hook()(AttemptFinished(call=call, attempt=1, elapsed=0.5, status=200))
    (point,) = recorder.points("http.client.request.duration")
    assert (point.sum, recorder.spans.get_finished_spans()) == (0.5, ())


async def test_ids_and_secrets_are_never_recorded(recorder: Recorder) -> None:
    """Account ids, parameters, idempotency keys and API keys stay out of spans and metrics."""
    async with (
        Sandbox(3, faults=[{"kind": "status", "status": 502, "probability": 0.3}]) as sandbox,
        fcasync.Client(
            sandbox.api_key, base_url=sandbox.url, clock=FakeClock(), hooks=[recorder.hook()]
        ) as stripe,
    ):
        page = await stripe.accounts.list(limit=3)
        session = await stripe.sessions.create(
            account_holder={"type": "customer", "customer": "cus_secret"},
            permissions=["balances"],
            idempotency_key="key_of_mine",
        )
        with pytest.raises(fcasync.NotFoundError):
            await stripe.accounts.retrieve("fca_missing")
    recorded = recorder.everything()
    ids = [account.id for account in page.data]
    secrets = [sandbox.api_key, session.client_secret or "", "key_of_mine", "cus_secret"]
    assert [word for word in [*ids, *secrets, "fca_missing"] if word in recorded] == []
    assert "127.0.0.1" in recorded


def test_without_the_extra_a_sentence_names_it() -> None:
    """The error names the command that installs the missing package."""
    code = "import sys; sys.modules['opentelemetry'] = None; import fcasync.otel"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == (
        "ImportError: fcasync.otel needs OpenTelemetry: pip install 'fcasync[otel]'"
    )
