"""What OpenTelemetry's SDK was handed, read back from its in-memory exporters."""

from typing import Any

import attrs
import pytest

import fcasync
from fcasync.testing import FakeClock, ScriptedTransport, answer

pytest.importorskip("opentelemetry.sdk", reason="needs opentelemetry-sdk")

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from fcasync.otel import OpenTelemetryHook

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
ROOT = "/v1/financial_connections/accounts"
ACCOUNT = {"id": "fca_1", "object": "financial_connections.account"}
DOWN = answer(status=503, headers={"Request-Id": "req_down"})
FINE = answer(ACCOUNT, headers={"Request-Id": "req_fine", "Idempotent-Replayed": "true"})


@attrs.frozen
class Recorder:
    """A hook's providers, and the data that they received."""

    exporter: InMemorySpanExporter = attrs.field(factory=InMemorySpanExporter)
    reader: InMemoryMetricReader = attrs.field(factory=InMemoryMetricReader)
    tracers: TracerProvider = attrs.field(factory=TracerProvider)
    meters: MeterProvider = attrs.field(init=False)

    @meters.default
    def _meters(self) -> MeterProvider:
        self.tracers.add_span_processor(SimpleSpanProcessor(self.exporter))
        return MeterProvider([self.reader])

    def hook(self, **options: Any) -> OpenTelemetryHook:
        return OpenTelemetryHook(
            tracer_provider=self.tracers, meter_provider=self.meters, **options
        )

    @property
    def spans(self) -> list[ReadableSpan]:
        """All spans that have ended, in the order of their ends."""
        return list(self.exporter.get_finished_spans())

    def named(self, start: str) -> list[ReadableSpan]:
        """Return the spans whose names begin with *start*."""
        return [span for span in self.spans if span.name.startswith(start)]

    def one(self, start: str) -> ReadableSpan:
        """Return the only one of these."""
        (span,) = self.named(start)
        return span

    def tree(self) -> list[tuple[str, str | None]]:
        """Return each span's name and its parent's, in the order of their ends."""
        names = {span.context.span_id: span.name for span in self.spans if span.context}
        return [
            (span.name, names.get(span.parent.span_id, "elsewhere") if span.parent else None)
            for span in self.spans
        ]

    def points(self, name: str) -> list[Any]:
        """Return the data points of a metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        scopes = [scope for each in data.resource_metrics for scope in each.scope_metrics]
        matching = [metric for scope in scopes for metric in scope.metrics if metric.name == name]
        return [point for metric in matching for point in metric.data.data_points]

    def everything(self) -> str:
        """Return all of it as text."""
        data = self.reader.get_metrics_data()
        spans = [span.to_json() for span in self.spans]
        return "\n".join([*spans, data.to_json() if data else ""])

    def close(self) -> None:
        self.tracers.shutdown()
        self.meters.shutdown()


def attributes(span: ReadableSpan) -> dict[str, Any]:
    return dict(span.attributes or {})


def events(span: ReadableSpan) -> list[tuple[str, dict[str, Any]]]:
    return [(event.name, dict(event.attributes or {})) for event in span.events]


def client(hook: Any, *script: Any, **options: Any) -> fcasync.Client:
    options = {"transport": ScriptedTransport(script), "clock": FakeClock(), **options}
    return fcasync.Client(KEY, hooks=[hook], **options)
