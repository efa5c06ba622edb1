"""The hook that records spans and metrics."""

import logging
from collections.abc import MutableMapping
from typing import Final

import attrs
from opentelemetry import context, metrics, trace
from opentelemetry.propagators.textmap import Setter, TextMapPropagator

from fcasync._version import __version__
from fcasync.errors import InvalidArgumentError
from fcasync.hooks import (
    AttemptFinished,
    Call,
    CallFinished,
    CallStarted,
    HookEvent,
    LimiterWaiting,
    OutgoingRequest,
    RetryScheduled,
    Run,
)
from fcasync.otel import _names
from fcasync.otel._gauges import GAUGES, meter_of, runs_of
from fcasync.otel._spans import OpenSpan

logger = logging.getLogger("fcasync")

_IN_RUN: Final = context.create_key("fcasync-run")
"""Set in the context of everything that a run does."""
_SUPPRESSED: Final = getattr(context, "_SUPPRESS_INSTRUMENTATION_KEY", "suppress_instrumentation")
_SUPPRESSED_HTTP: Final = getattr(context, "_SUPPRESS_HTTP_INSTRUMENTATION_KEY", _SUPPRESSED)


class OpenTelemetryHook:
    """A hook that records spans and metrics; see :mod:`fcasync.otel`.

    One may be shared by any number of clients.

    Args:
        tracer_provider: Where spans go; None uses the global provider.
        meter_provider: Where metrics go; None uses the global provider.
        propagator: What adds the trace context to each request (``traceparent``, baggage), such as
            ``opentelemetry.propagate.get_global_textmap()``. None adds nothing: Stripe has no use
            for it, a gateway of yours may.
        attempts: Whether requests have spans; None: unless aiohttp is instrumented and has them.
        spans_in_runs: Whether calls and requests of bulk jobs and syncs have spans, too.
    """

    def __init__(
        self,
        *,
        tracer_provider: trace.TracerProvider | None = None,
        meter_provider: metrics.MeterProvider | None = None,
        propagator: TextMapPropagator | None = None,
        attempts: bool | None = None,
        spans_in_runs: bool = False,
    ) -> None:
        self._tracer = trace.get_tracer("fcasync", __version__, tracer_provider, _names.SCHEMA)
        meter = meter_of(meter_provider)
        self._requests = _seconds(
            meter, "http.client.request.duration", "Duration of HTTP client requests."
        )
        self._durations = _seconds(
            meter, "fcasync.call.duration", "Duration of calls, waits and retries included."
        )
        self._waits = _seconds(
            meter, "fcasync.limiter.wait", "Time that requests waited under the rate limit."
        )
        self._retries = meter.create_counter("fcasync.retries", "{request}", "Retried requests.")
        self._runs = runs_of(meter_provider)
        self._propagator = propagator
        self._wants_attempts = attempts
        self._spans_in_runs = spans_in_runs
        self._calls: dict[Call, OpenSpan] = {}
        self._attempts: dict[Call, _Attempt] = {}
        self._run_spans: dict[Run, OpenSpan] = {}

    def __call__(self, event: HookEvent, /) -> None:
        """Record *event*."""
        match event:
            case CallStarted():
                self._start(event.call)
            case LimiterWaiting():
                self._waits.record(event.wait, _names.of_call(event.call))
                self._note(event.call, "fcasync.limiter_wait", {"fcasync.wait": event.wait})
            case AttemptFinished():
                self._finish_attempt(event)
            case RetryScheduled():
                failure = _names.of_error(event.error)
                self._retries.add(1, {**_names.of_call(event.call), **failure})
                facts = {"fcasync.attempt": event.attempt, "fcasync.wait": event.wait, **failure}
                self._note(event.call, "fcasync.retry", facts)
            case CallFinished():
                self._finish(event)

    def _start(self, call: Call) -> None:
        if self._has_spans():
            name, attributes = f"fcasync {call.operation}", _names.of_call(call)
            self._calls[call] = OpenSpan(self._tracer.start_span(name, attributes=attributes))

    def _finish(self, event: CallFinished) -> None:
        outcome = _names.of_outcome(event.status, event.error)
        self._durations.record(event.elapsed, {**_names.of_call(event.call), **outcome})
        if (opened := self._calls.pop(event.call, None)) is not None:
            facts: dict[str, str | int] = {"fcasync.attempts": event.attempts}
            if event.idempotent_replayed:
                facts["fcasync.replayed"] = True
            opened.end(event.error, facts)

    def before_attempt(self, request: OutgoingRequest, /) -> None:
        """Begin the span of a request, and add the trace context to it if that is wanted."""
        call = request.call
        is_traced = request.is_traced and not self._wants_attempts
        opened = None
        if self._wants_attempts is not False and not is_traced and self._has_spans(of_http=True):
            attributes = dict(_names.of_request(call))
            if request.attempt > 1:
                attributes["http.request.resend_count"] = request.attempt - 1
            name = f"{call.method} {call.route}"
            kind = trace.SpanKind.CLIENT
            opened = OpenSpan(self._tracer.start_span(name, kind=kind, attributes=attributes))
        self._attempts[call] = _Attempt(opened, is_traced)
        if self._propagator is not None and not is_traced:
            self._propagator.inject(request.headers, setter=_SETTER)

    def _finish_attempt(self, event: AttemptFinished) -> None:
        outcome = _names.of_outcome(event.status, event.error)
        attempt = self._attempts.pop(event.call, _UNKNOWN)
        # What was refused before it was sent is not a request.
        if not attempt.is_traced and not isinstance(event.error, InvalidArgumentError):
            self._requests.record(event.elapsed, {**_names.of_request(event.call), **outcome})
        if attempt.opened is not None:
            if event.request_id:
                name = "http.response.header.request-id"
                attempt.opened.span.set_attribute(name, [event.request_id])
            attempt.opened.end(event.error, outcome)

    def _note(self, call: Call, name: str, facts: dict[str, str | int | float]) -> None:
        if opened := self._calls.get(call):
            opened.span.add_event(name, facts)

    def run_started(self, run: Run, /) -> None:
        """Begin the span of a run, and show its figures."""
        span = self._tracer.start_span(
            f"fcasync {run.kind} {run.operation}", attributes=_names.of_run(run)
        )
        self._run_spans[run] = OpenSpan(span, mark=_IN_RUN)
        self._runs.begin(run)

    def run_finished(self, run: Run, error: BaseException | None, /) -> None:
        """End the span of a run."""
        last = run.figures()
        self._runs.end(run, last)
        if (opened := self._run_spans.pop(run, None)) is not None:
            figures = {f"fcasync.run.{each.name}": getattr(last, each.name) for each in GAUGES}
            opened.end(error, {name: value for name, value in figures.items() if value is not None})

    def close(self) -> None:
        """End all spans that have begun; for a hook that is taken away from its clients."""
        for opened in self._calls, self._run_spans:
            while opened:
                opened.popitem()[1].close()
        while self._attempts:
            attempt = self._attempts.popitem()[1]
            if attempt.opened is not None:
                attempt.opened.close()

    def _has_spans(self, *, of_http: bool = False) -> bool:
        if context.get_value(_IN_RUN) and not self._spans_in_runs:
            return False
        if of_http and context.get_value(_SUPPRESSED_HTTP):
            return False
        return not context.get_value(_SUPPRESSED)


@attrs.frozen
class _Attempt:
    opened: OpenSpan | None
    """Its span, if it has one."""
    is_traced: bool
    """Whether somebody else records it."""


_UNKNOWN: Final = _Attempt(None, is_traced=False)


class _CarefulSetter(Setter[MutableMapping[str, str]]):
    """Leaves out what is not legal in a header: tracing never ends a call."""

    def set(self, carrier: MutableMapping[str, str], key: str, value: str) -> None:
        try:
            carrier[key] = value
        except InvalidArgumentError as error:
            logger.warning("trace context is not propagated: %s", error)


_SETTER: Final = _CarefulSetter()


def _seconds(meter: metrics.Meter, name: str, description: str) -> metrics.Histogram:
    return meter.create_histogram(
        name, "s", description, explicit_bucket_boundaries_advisory=_names.BOUNDARIES
    )
