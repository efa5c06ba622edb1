"""Spans of calls and requests."""

import asyncio
import gc
import subprocess
import sys
from contextvars import copy_context
from pathlib import Path
from typing import Any

import pytest

import fcasync
from fcasync.hooks import AttemptFinished, Call, OutgoingRequest
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, InstantTransport, ScriptedTransport, answer
from tests.otel._recorder import (
    ACCOUNT,
    DOWN,
    FINE,
    KEY,
    ROOT,
    Recorder,
    attributes,
    client,
    events,
)

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry import context, metrics, propagate, trace
from opentelemetry.baggage import set_baggage
from opentelemetry.context import attach, detach
from opentelemetry.trace import SpanKind, StatusCode, get_current_span

from fcasync.otel import OpenTelemetryHook
from fcasync.otel._names import SCHEMA

REFRESH = f"POST {ROOT}/{{account}}/refresh"
RETRIEVE = f"GET {ROOT}/{{account}}"
ROUTE = {
    "http.request.method": "POST",
    "url.template": f"{ROOT}/{{account}}/refresh",
    "server.address": "api.stripe.com",
    "server.port": 443,
}


async def refresh(stripe: fcasync.Client) -> None:
    await stripe.accounts.refresh("fca_1", features=["balance"])


async def test_a_call_is_an_internal_span_above_its_request(recorder: Recorder) -> None:
    """Names and attributes follow the conventions, with a route instead of ids."""
    await refresh(client(recorder.hook(), FINE))
    request, call = recorder.spans
    assert recorder.tree() == [(REFRESH, "fcasync refresh"), ("fcasync refresh", None)]
    assert (request.kind, call.kind) == (SpanKind.CLIENT, SpanKind.INTERNAL)
    assert attributes(request) == {
        **ROUTE,
        "http.response.status_code": 200,
        "http.response.header.request-id": ("req_fine",),
    }
    assert attributes(call) == {
        "fcasync.operation": "refresh",
        "fcasync.attempts": 1,
        "fcasync.replayed": True,
    }
    assert {span.status.status_code for span in recorder.spans} == {StatusCode.UNSET}
    assert {span.instrumentation_scope.schema_url for span in recorder.spans} == {SCHEMA}  # type: ignore[union-attr]


async def test_each_attempt_is_a_span_with_its_number(recorder: Recorder) -> None:
    """The resend count begins with the first retry; a failed attempt does not fail the call."""
    await refresh(client(recorder.hook(), DOWN, fcasync.APIConnectionError("reset"), FINE))
    *attempts, call = recorder.spans
    assert [attributes(span).get("http.request.resend_count") for span in attempts] == [None, 1, 2]
    assert [attributes(span).get("error.type") for span in attempts] == [
        "503",
        "fcasync.errors.APIConnectionError",
        None,
    ]
    assert [span.status.status_code.name for span in recorder.spans] == [
        *("ERROR", "ERROR", "UNSET"),
        "UNSET",
    ]
    assert [span.parent for span in attempts] == [call.context] * 3
    assert attributes(call)["fcasync.attempts"] == 3


async def test_a_request_over_a_new_connection_is_a_span_of_its_own(recorder: Recorder) -> None:
    """It was sent twice, though neither the caller nor the quota saw it."""
    stale = fcasync.APIConnectionError("closed", may_have_executed=True)
    stale.is_stale = True
    await refresh(client(recorder.hook(), stale, FINE))
    first, second, call = recorder.spans
    assert "error.type" in attributes(first)
    assert attributes(second)["http.request.resend_count"] == 1
    assert [first.parent, second.parent] == [call.context] * 2


async def test_waits_and_retries_are_events_of_the_call(recorder: Recorder) -> None:
    """The span says why a call took long, beyond its requests."""
    stripe = client(recorder.hook(), FINE, DOWN, FINE, limits=fcasync.Limits(max_rate=2.0, burst=1))
    await stripe.accounts.retrieve("fca_1")
    await stripe.accounts.retrieve("fca_1")
    second = recorder.named("fcasync retrieve")[1]
    assert events(second)[:2] == [
        ("fcasync.limiter_wait", {"fcasync.wait": 0.5}),
        ("fcasync.retry", {"fcasync.attempt": 1, "error.type": "503", "fcasync.wait": 0.25}),
    ]


async def test_calls_belong_to_the_spans_around_them(recorder: Recorder) -> None:
    """The task's current span is the parent, and is current again after the call."""
    hook = recorder.hook()
    stripe = client(hook, transport=InstantTransport(lambda _: FINE))
    tracer = recorder.tracers.get_tracer("test")

    async def request(name: str) -> None:
        with tracer.start_as_current_span(name) as outer:
            for _ in range(2):
                await stripe.accounts.retrieve("fca_1")
                await asyncio.sleep(0)
                assert get_current_span() is outer

    await asyncio.gather(*(asyncio.create_task(request(f"task {n}")) for n in range(20)))
    spans = {span.context.span_id: span for span in recorder.spans if span.context}

    def root(span: Any) -> str:
        return str(root(spans[span.parent.span_id]) if span.parent else span.name)

    of = [root(span) for span in recorder.named("GET")]
    assert sorted(of) == sorted(f"task {n}" for n in range(20) for _ in range(2))
    assert set(map(root, recorder.named("fcasync"))) == {f"task {n}" for n in range(20)}


async def test_a_call_within_a_hook_of_another_nests(recorder: Recorder) -> None:
    """Spans of a transport that itself makes a call are below that of the request."""
    hook = recorder.hook()
    inner = client(hook, FINE)

    class Asking(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            await inner.accounts.retrieve("fca_1")
            return await super().send(request, timeout)

    await refresh(client(hook, transport=Asking([FINE])))
    assert recorder.tree() == [
        (RETRIEVE, "fcasync retrieve"),
        ("fcasync retrieve", REFRESH),
        (REFRESH, "fcasync refresh"),
        ("fcasync refresh", None),
    ]


async def test_the_span_of_a_request_is_current_while_it_is_sent(recorder: Recorder) -> None:
    """Spans of the transport become its children, and none is current after the call."""
    seen = []

    class Spying(ScriptedTransport):
        async def send(self, request: Any, timeout: float) -> Any:
            seen.append(get_current_span())
            return await super().send(request, timeout)

    await client(recorder.hook(), transport=Spying([FINE])).accounts.retrieve("fca_1")
    assert [span.get_span_context() for span in seen] == [recorder.one("GET").context]
    assert not get_current_span().get_span_context().is_valid


async def test_two_hooks_leave_nothing_current(recorder: Recorder) -> None:
    """What each of them made current ends inside out."""
    second = Recorder()
    stripe = fcasync.Client(
        KEY,
        transport=ScriptedTransport([DOWN, FINE]),
        clock=FakeClock(),
        hooks=[recorder.hook(), second.hook()],
    )
    await stripe.accounts.retrieve("fca_1")
    assert not get_current_span().get_span_context().is_valid
    assert [len(recorder.spans), len(second.spans)] == [3, 3]
    second.close()


async def test_an_error_status_is_the_error_type(recorder: Recorder) -> None:
    """The status is not repeated in words."""
    with pytest.raises(fcasync.NotFoundError):
        await client(recorder.hook(), answer(status=404)).accounts.retrieve("fca_1")
    for span in recorder.spans:
        assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
        assert attributes(span)["error.type"] == "404"


async def test_a_call_without_an_answer_names_its_error(recorder: Recorder) -> None:
    """Without a status, the exception's full name and message are recorded."""
    lost = fcasync.APIConnectionError("cannot connect to http://127.0.0.1:1: refused")
    with pytest.raises(fcasync.APIConnectionError):
        retry = fcasync.RetryPolicy(attempts=1)
        await client(recorder.hook(), lost, retry=retry).accounts.retrieve("fca_1")
    for span in recorder.spans:
        assert attributes(span)["error.type"] == "fcasync.errors.APIConnectionError"
        assert span.status.description == str(lost)
        assert "http.response.status_code" not in attributes(span)


class Stalled(ScriptedTransport):
    """Says when it was asked, and never answers."""

    def __init__(self) -> None:
        super().__init__()
        self.sent = asyncio.Event()

    async def send(self, request: Any, timeout: float) -> Any:
        self.sent.set()
        await asyncio.Event().wait()


async def test_a_cancelled_call_ends_its_spans(recorder: Recorder) -> None:
    """Both record the cancellation, and no state is left."""
    hook, transport = recorder.hook(), Stalled()
    task = asyncio.create_task(client(hook, transport=transport).accounts.retrieve("fca_1"))
    await transport.sent.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [span.name for span in recorder.spans] == [RETRIEVE, "fcasync retrieve"]
    for span in recorder.spans:
        assert span.status.status_code is StatusCode.ERROR
        assert attributes(span)["error.type"] == "asyncio.exceptions.CancelledError"
    assert (hook._calls, hook._attempts) == ({}, {})


async def test_a_call_cancelled_in_a_wait_ends_its_span(recorder: Recorder) -> None:
    """Also between two attempts, when no request is under way."""
    asleep = asyncio.Event()

    class Stuck(FakeClock):
        async def sleep(self, seconds: float) -> None:
            asleep.set()
            await asyncio.Event().wait()

    hook = recorder.hook()
    stripe = client(hook, DOWN, clock=Stuck())
    task = asyncio.create_task(stripe.accounts.retrieve("fca_1"))
    await asleep.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [span.name for span in recorder.spans] == [RETRIEVE, "fcasync retrieve"]
    assert hook._calls == {}


async def test_a_call_that_is_closed_unfinished_ends_its_spans(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """As when a loop is torn down: quietly, though it ends in another context."""
    hook, transport = recorder.hook(), Stalled()
    stripe = client(hook, transport=transport)
    coroutine = stripe.accounts.retrieve("fca_1")

    copy_context().run(coroutine.send, None)
    coroutine.close()
    gc.collect()
    assert [span.name for span in recorder.spans] == [RETRIEVE, "fcasync retrieve"]
    assert {attributes(span)["error.type"] for span in recorder.spans} == {"builtins.GeneratorExit"}
    assert caplog.text == ""


async def test_what_is_refused_before_it_is_sent_is_not_a_request(recorder: Recorder) -> None:
    """Its span ends with the refusal, and it is not measured."""

    class Refused:
        def __call__(self, event: object, /) -> None: ...

        def before_attempt(self, request: OutgoingRequest, /) -> None:
            request.headers["Host"] = "example.com"

    stripe = fcasync.Client(
        KEY, transport=ScriptedTransport([FINE]), hooks=[recorder.hook(), Refused()]
    )
    with pytest.raises(fcasync.InvalidArgumentError):
        await stripe.accounts.retrieve("fca_1")
    assert attributes(recorder.one("GET"))["error.type"] == "fcasync.errors.InvalidArgumentError"
    assert attributes(recorder.one("fcasync"))["fcasync.attempts"] == 0
    assert recorder.points("http.client.request.duration") == []


async def test_any_other_path_is_named_by_its_route(recorder: Recorder) -> None:
    """An id in it is neither part of a name nor of an attribute."""
    stripe = client(recorder.hook(), answer({"id": "fca_1Secret"}))
    await stripe.request("GET", "/v1/financial_connections/accounts/fca_1Secret/inferred_balances")
    route = "/v1/financial_connections/accounts/:id/inferred_balances"
    assert recorder.tree() == [
        (f"GET {route}", f"fcasync GET {route}"),
        (f"fcasync GET {route}", None),
    ]
    assert "Secret" not in recorder.everything()


async def test_without_attempts_there_is_the_span_of_the_call(recorder: Recorder) -> None:
    """Requests are still measured."""
    await refresh(client(recorder.hook(attempts=False), DOWN, FINE))
    assert recorder.tree() == [("fcasync refresh", None)]
    assert sum(p.count for p in recorder.points("http.client.request.duration")) == 2


async def test_suppressed_instrumentation_records_no_span(recorder: Recorder) -> None:
    """OpenTelemetry's switch for a block of code holds here, too."""
    stripe = client(recorder.hook(), FINE, FINE)
    token = attach(context.set_value(context._SUPPRESS_HTTP_INSTRUMENTATION_KEY, True))
    await stripe.accounts.retrieve("fca_1")
    detach(token)
    assert recorder.tree() == [("fcasync retrieve", None)]
    token = attach(context.set_value(context._SUPPRESS_INSTRUMENTATION_KEY, True))
    await stripe.accounts.retrieve("fca_1")
    detach(token)
    assert len(recorder.spans) == 1


async def sent_headers(hook: OpenTelemetryHook) -> list[dict[str, str]]:
    transport = ScriptedTransport([DOWN, FINE])
    await refresh(client(hook, transport=transport))
    return [dict(request.headers) for request in transport.requests]


async def test_nothing_is_propagated_unless_it_is_asked_for(recorder: Recorder) -> None:
    """Stripe has no use for trace contexts, and baggage is nobody else's business."""
    token = attach(set_baggage("user", "jo"))
    headers = await sent_headers(recorder.hook())
    detach(token)
    assert [name for each in headers for name in each if name in ("Traceparent", "Baggage")] == []


async def test_a_propagator_adds_the_context_of_each_request(recorder: Recorder) -> None:
    """The parent is the span of the request, not of the call."""
    token = attach(set_baggage("user", "jo"))
    headers = await sent_headers(recorder.hook(propagator=propagate.get_global_textmap()))
    detach(token)
    spans = [span.context for span in recorder.named("POST") if span.context]
    assert [each["Traceparent"] for each in headers] == [
        f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}" for span in spans
    ]
    assert [each["Baggage"] for each in headers] == ["user=jo"] * 2


async def test_a_context_that_is_not_legal_is_left_out(
    recorder: Recorder, caplog: pytest.LogCaptureFixture
) -> None:
    """A propagator may write what it likes: tracing never ends a call."""

    class Wild(type(propagate.get_global_textmap())):  # type: ignore[misc]
        def inject(self, carrier: Any, context: Any = None, setter: Any = None) -> None:
            setter.set(carrier, "X-Fine", "1")
            setter.set(carrier, "Authorization", "secretOfNobody")
            setter.set(carrier, "X-Trace", "secretOfNobody\n")

    headers = await sent_headers(recorder.hook(propagator=Wild([])))
    assert [each["X-Fine"] for each in headers] == ["1", "1"]
    assert {each["Authorization"] for each in headers} == {f"Bearer {KEY}"}
    assert "trace context is not propagated" in caplog.text
    assert "secretOfNobody" not in caplog.text


async def test_without_an_sdk_nothing_is_recorded_or_propagated() -> None:
    """The API alone, as where nobody has set OpenTelemetry up, changes nothing."""
    hook = OpenTelemetryHook(
        tracer_provider=trace.NoOpTracerProvider(),
        meter_provider=metrics.NoOpMeterProvider(),
        propagator=propagate.get_global_textmap(),
    )
    assert all("Traceparent" not in each for each in await sent_headers(hook))
    assert not get_current_span().get_span_context().is_valid


def test_an_attempt_without_a_call_is_measured_only(recorder: Recorder) -> None:
    """An event whose begin nobody saw, because the hook was added meanwhile, does no harm."""
    call = Call(operation="refresh", method="POST", route=f"{ROOT}/{{account}}/refresh")
    recorder.hook()(AttemptFinished(call=call, attempt=1, elapsed=0.5, status=200))
    (point,) = recorder.points("http.client.request.duration")
    assert (point.sum, recorder.spans) == (0.5, [])


async def test_ids_and_secrets_are_never_recorded(recorder: Recorder) -> None:
    """Ids, parameters, idempotency keys and API keys stay out of spans and metrics."""
    hook = recorder.hook(spans_in_runs=True)
    async with (
        Sandbox(3, faults=[{"kind": "status", "status": 502, "probability": 0.3}]) as sandbox,
        fcasync.Client(
            sandbox.api_key, base_url=sandbox.url, clock=FakeClock(), hooks=[hook]
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
        connected = stripe.with_options(stripe_account="acct_1Tenant")
        with pytest.raises(fcasync.FCError):
            await connected.accounts.retrieve("fca_missing")
        async with stripe.bulk.refresh(page.data, features=["balance"]) as run:
            await run.finish()
        wrong = ScriptedTransport([answer({**ACCOUNT, "id": "fca_other"})])
        with pytest.raises(fcasync.ProtocolError):
            await client(hook, transport=wrong).accounts.retrieve("fca_asked")
    recorded = recorder.everything()
    ids = [account.id for account in page.data]
    secrets = [sandbox.api_key, session.client_secret or "", "key_of_mine", "cus_secret"]
    names = ["fca_missing", "fca_other", "fca_asked", "acct_1Tenant"]
    assert [word for word in [*ids, *secrets, *names] if word in recorded] == []
    assert "127.0.0.1" in recorded
    assert "fcasync bulk refresh" in recorded


def test_names_are_those_of_the_conventions() -> None:
    """As the installed conventions spell them; fcasync knows the newest version, too."""
    pytest.importorskip("opentelemetry.semconv.schemas", reason="needs semantic conventions")
    from opentelemetry.semconv._incubating.attributes import url_attributes as url
    from opentelemetry.semconv.attributes import error_attributes as error
    from opentelemetry.semconv.attributes import http_attributes as http
    from opentelemetry.semconv.attributes import server_attributes as server
    from opentelemetry.semconv.metrics import http_metrics

    names = {
        *(http.HTTP_REQUEST_METHOD, http.HTTP_REQUEST_RESEND_COUNT),
        *(http.HTTP_RESPONSE_STATUS_CODE, error.ERROR_TYPE, url.URL_TEMPLATE),
        *(server.SERVER_ADDRESS, server.SERVER_PORT, http_metrics.HTTP_CLIENT_REQUEST_DURATION),
    }
    folder = Path(fcasync.__file__).parent / "otel"
    text = "".join(path.read_text() for path in folder.glob("_*.py"))
    assert {name for name in names if f'"{name}"' not in text} == set()


def test_the_version_of_the_conventions_is_known() -> None:
    """The schema URL is one that the installed conventions list, unless those are older."""
    conventions = pytest.importorskip("opentelemetry.semconv.schemas", reason="needs them")
    known = [schema.value for schema in conventions.Schemas]

    def version(url: str) -> list[int]:
        return [int(number) for number in url.rpartition("/")[2].split(".")]

    assert SCHEMA in known or version(SCHEMA) > max(map(version, known))


def test_without_the_extra_a_sentence_names_it() -> None:
    """The error names the command that installs the missing package."""
    code = "import sys; sys.modules['opentelemetry'] = None; import fcasync.otel"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.stderr.splitlines()[-1] == (
        "ImportError: fcasync.otel needs OpenTelemetry: pip install 'fcasync[otel]'"
    )
