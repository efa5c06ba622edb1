"""OpenTelemetry: a span per call, and metrics; needs the extra ``otel``.

::

    client = fcasync.Client(hooks=[OpenTelemetryHook()])

Span (kind CLIENT), named ``POST /v1/financial_connections/accounts/{account}/refresh``: one per
call, waits and retries included. It is the current span while the call runs, so that logs and the
spans of an instrumented aiohttp become its children.

==================  ===============================================================================
attributes          ``http.request.method``, ``url.template``, ``server.address``, ``server.port``,
                    ``http.response.status_code``, ``http.request.resend_count`` (requests after
                    the first), ``http.response.header.request-id``, ``error.type``,
                    ``fcasync.operation``, ``fcasync.stripe_account``, ``fcasync.replayed``
events              ``fcasync.attempt``, ``fcasync.retry``, ``fcasync.limiter_wait``
==================  ===============================================================================

Metrics, which carry those of the attributes above that have a low cardinality:

* ``http.client.request.duration``: histogram, seconds, one value per request sent.
* ``fcasync.call.duration``: histogram, seconds, one value per call.
* ``fcasync.retries``: counter of retried requests, by the error of the attempt before.
* ``fcasync.limiter.wait``: histogram, seconds that requests waited under the rate limit.

Names follow OpenTelemetry's semantic conventions for HTTP where these define one
(https://opentelemetry.io/docs/specs/semconv/http/). Object ids, parameters and keys are never
recorded.
"""

from contextvars import Token
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from fcasync._version import __version__
from fcasync.errors import APIStatusError, FCError
from fcasync.hooks import (
    AttemptFinished,
    Call,
    CallFinished,
    CallStarted,
    HookEvent,
    LimiterWaiting,
    RetryScheduled,
)

try:
    from opentelemetry import context, metrics, trace
except ModuleNotFoundError as _error:
    raise ImportError("fcasync.otel needs OpenTelemetry: pip install 'fcasync[otel]'") from _error

__all__ = ["OpenTelemetryHook"]

SCHEMA: Final = "https://opentelemetry.io/schemas/1.27.0"
"""The version of the semantic conventions that defines the names."""

BOUNDARIES: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075),
    *(0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
"""Bucket boundaries in seconds, as the conventions define them for request durations."""

Attributes: TypeAlias = dict[str, str | int]


class OpenTelemetryHook:
    """A hook that records spans and metrics.

    Args:
        tracer_provider: Where spans go; None uses the global provider.
        meter_provider: Where metrics go; None uses the global provider.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
    ) -> None:
        self._tracer = trace.get_tracer("fcasync", __version__, tracer_provider, SCHEMA)
        meter = metrics.get_meter("fcasync", __version__, meter_provider, SCHEMA)
        self._requests = _seconds(
            meter, "http.client.request.duration", "Duration of HTTP client requests."
        )
        self._calls = _seconds(
            meter, "fcasync.call.duration", "Duration of calls, waits and retries included."
        )
        self._waits = _seconds(
            meter, "fcasync.limiter.wait", "Time that requests waited under the rate limit."
        )
        self._retries = meter.create_counter("fcasync.retries", "{request}", "Retried requests.")
        self._running: dict[Call, _Running] = {}

    def __call__(self, event: HookEvent, /) -> None:
        """Record *event*."""
        match event:
            case CallStarted():
                self._running[event.call] = _Running.start(self._tracer, event.call)
            case LimiterWaiting():
                self._waits.record(event.wait, _call_attributes(event.call))
                self._note(event.call, "fcasync.limiter_wait", {"fcasync.wait": event.wait})
            case AttemptFinished():
                self._attempt(event)
            case RetryScheduled():
                self._retry(event)
            case CallFinished():
                self._finish(event)

    def _attempt(self, event: AttemptFinished) -> None:
        outcome = _outcome(event.status, event.error)
        self._requests.record(event.elapsed, {**_http_attributes(event.call), **outcome})
        attributes: dict[str, str | int | float] = {"fcasync.attempt": event.attempt, **outcome}
        attributes["fcasync.elapsed"] = event.elapsed
        if event.request_id:
            attributes["fcasync.request_id"] = event.request_id
        self._note(event.call, "fcasync.attempt", attributes)

    def _retry(self, event: RetryScheduled) -> None:
        failure = _outcome(None, event.error)
        self._retries.add(1, {**_call_attributes(event.call), **failure})
        attributes = {"fcasync.attempt": event.attempt, "fcasync.wait": event.wait, **failure}
        self._note(event.call, "fcasync.retry", attributes)

    def _finish(self, event: CallFinished) -> None:
        outcome = _outcome(event.status, event.error)
        self._calls.record(event.elapsed, {**_call_attributes(event.call), **outcome})
        running = self._running.pop(event.call, None)
        if running is not None:
            running.finish(event, outcome)

    def _note(self, call: Call, name: str, attributes: dict[str, str | int | float]) -> None:
        # A bulk job sends single attempts that have no call, and therefore no span, of their own.
        if running := self._running.get(call):
            running.span.add_event(name, attributes)


class _Running:
    """The span of a call that has not ended, and the token that restores the span before it."""

    __slots__ = ("_token", "span")

    def __init__(self, span: trace.Span, token: Token[context.Context]) -> None:
        self.span = span
        self._token = token

    @classmethod
    def start(cls, tracer: trace.Tracer, call: Call) -> "_Running":
        attributes = {**_http_attributes(call), **_call_attributes(call)}
        if call.stripe_account:
            attributes["fcasync.stripe_account"] = call.stripe_account
        name = f"{call.method} {call.route}"
        span = tracer.start_span(name, kind=trace.SpanKind.CLIENT, attributes=attributes)
        return cls(span, context.attach(trace.set_span_in_context(span)))

    def finish(self, event: CallFinished, outcome: Attributes) -> None:
        # The same task starts and finishes a call, as detach() requires.
        context.detach(self._token)
        span = self.span
        span.set_attributes(outcome)
        if event.attempts > 1:
            span.set_attribute("http.request.resend_count", event.attempts - 1)
        if event.request_id:
            span.set_attribute("http.response.header.request-id", [event.request_id])
        if event.idempotent_replayed:
            span.set_attribute("fcasync.replayed", True)
        if event.error is not None:
            span.set_status(trace.StatusCode.ERROR, _description(event.error))
        span.end()


def _seconds(meter: metrics.Meter, name: str, description: str) -> metrics.Histogram:
    return meter.create_histogram(
        name, "s", description, explicit_bucket_boundaries_advisory=BOUNDARIES
    )


def _call_attributes(call: Call) -> Attributes:
    return {"fcasync.operation": call.operation}


def _http_attributes(call: Call) -> Attributes:
    server = _server(call.base_url) if call.base_url else {}
    return {"http.request.method": call.method, "url.template": call.route, **server}


@lru_cache(maxsize=64)
def _server(base_url: str) -> Attributes:
    parts = urlsplit(base_url)
    default = 443 if parts.scheme == "https" else 80
    return {"server.address": parts.hostname or "", "server.port": parts.port or default}


def _outcome(status: int | None, error: BaseException | None) -> Attributes:
    """Return attributes that say how a request or a call ended; their values are few."""
    attributes: Attributes = {}
    if status is not None:
        attributes["http.response.status_code"] = status
    if error is not None:
        attributes["error.type"] = _error_type(error)
    return attributes


def _error_type(error: BaseException) -> str:
    # The conventions ask for the status if there is one, else for the exception's full name.
    if isinstance(error, APIStatusError):
        return str(error.status)
    return f"{type(error).__module__}.{type(error).__qualname__}"


def _description(error: BaseException) -> str | None:
    """Return what a status code does not say; only fcasync's own messages are safe to record."""
    if isinstance(error, APIStatusError) or not isinstance(error, FCError):
        return None
    return str(error)
