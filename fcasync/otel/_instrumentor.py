"""Tracing without code: what ``opentelemetry-instrument`` finds and switches on."""

import logging
from collections.abc import Collection
from typing import Any, Self

from fcasync._wire.everywhere import EVERYWHERE
from fcasync.otel._hook import OpenTelemetryHook

logger = logging.getLogger("fcasync")


class FcasyncInstrumentor:
    """Gives an :class:`OpenTelemetryHook` to every client of the process.

    It has the interface of OpenTelemetry's ``BaseInstrumentor``, is its only instance, and is the
    entry point ``fcasync`` of the group ``opentelemetry_instrumentor``. Clients that exist already
    and those that are made later have the hook from :meth:`instrument` to :meth:`uninstrument`,
    except those with an OpenTelemetryHook of their own.
    """

    _instance: "FcasyncInstrumentor | None" = None
    _hook: OpenTelemetryHook | None = None

    def __new__(cls) -> Self:
        """Return the only instance."""
        if not isinstance(cls._instance, cls):
            cls._instance = super().__new__(cls)
        return cls._instance

    @property
    def is_instrumented_by_opentelemetry(self) -> bool:
        """Whether clients have the hook."""
        return self._hook is not None

    def instrumentation_dependencies(self) -> Collection[str]:
        """Return what is instrumented, as a requirement."""
        return ("fcasync",)

    def instrument(self, **options: Any) -> None:
        """Give every client the hook; a second time, this changes nothing.

        Args:
            **options: Those of :class:`OpenTelemetryHook`; others, which OpenTelemetry passes to
                all instrumentors, are ignored.
        """
        if self._hook is not None:
            logger.warning("fcasync is instrumented already")
            return
        known = {"tracer_provider", "meter_provider", "propagator", "attempts", "spans_in_runs"}
        self._hook = OpenTelemetryHook(**{name: options[name] for name in known & options.keys()})
        EVERYWHERE.add(self._hook)

    def uninstrument(self, **options: Any) -> None:
        """Take the hook away again; spans that have begun end now."""
        if self._hook is None:
            logger.warning("fcasync is not instrumented")
            return
        EVERYWHERE.remove(self._hook)
        self._hook.close()
        self._hook = None
