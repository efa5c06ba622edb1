"""How far runs have come, whenever somebody collects metrics."""

import os
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from typing import Final, NamedTuple
from weakref import WeakKeyDictionary

from opentelemetry import metrics

from fcasync._version import __version__
from fcasync.hooks import Figures, Run
from fcasync.otel import _names


class Gauge(NamedTuple):
    """One figure of runs."""

    name: str
    unit: str
    description: str


GAUGES: Final = (
    Gauge("done", "{account}", "Accounts with an outcome."),
    Gauge("failed", "{account}", "Accounts that have failed."),
    Gauge("waiting", "{account}", "Accounts that were read and have no outcome yet."),
    Gauge("settling", "{account}", "Accounts that wait for their banks."),
    Gauge("in_flight", "{request}", "Requests in flight."),
    Gauge("requests", "{request}", "Requests sent that change accounts."),
    Gauge("reads", "{request}", "GETs sent."),
    Gauge("limit", "{request}/s", "The rate limit as learnt."),
)
"""In the order of the documentation; each shows the field of Figures with its name."""


class Runs:
    """The runs of this process that are reported to one meter provider.

    A child after a fork has none: those of its parent are its parent's to report.
    """

    def __init__(self, meter: metrics.Meter) -> None:
        self._process = os.getpid()
        self._live: dict[Run, Callable[[], Figures]] = {}
        self._last: dict[tuple[str, str], Figures] = {}  # of runs that ended, by what they did
        for gauge in GAUGES:
            meter.create_observable_gauge(
                f"fcasync.run.{gauge.name}",
                [partial(self._observe, gauge.name)],
                gauge.unit,
                gauge.description,
            )

    def begin(self, run: Run) -> None:
        """Show *run* from now on."""
        self._forget_inherited()
        self._live[run] = run.figures

    def end(self, run: Run, last: Figures) -> None:
        """Show the *last* figures of a run until another one does the same."""
        if self._live.pop(run, None) is not None:
            self._last[run.kind, run.operation] = last

    def _observe(
        self, name: str, options: metrics.CallbackOptions
    ) -> Iterable[metrics.Observation]:
        self._forget_inherited()
        sums: dict[tuple[str, str], float] = {}
        attributes: dict[tuple[str, str], _names.Attributes] = {}
        for run, figures in self._figures():
            value = getattr(figures, name)
            if value is not None:
                sums[run] = sums.get(run, 0) + value
                attributes[run] = {"fcasync.run.kind": run[0], "fcasync.operation": run[1]}
        return [metrics.Observation(value, attributes[run]) for run, value in sums.items()]

    def _figures(self) -> Iterator[tuple[tuple[str, str], Figures]]:
        # In one step each, because the collector has a thread of its own.
        live = list(self._live.items())
        kinds = {(run.kind, run.operation) for run, _ in live}
        for run, figures in live:
            yield (run.kind, run.operation), figures()
        for kind, last in list(self._last.items()):
            if kind not in kinds:
                yield kind, last

    def _forget_inherited(self) -> None:
        if self._process != os.getpid():
            self._process, self._live, self._last = os.getpid(), {}, {}


_of_global: list[Runs] = []
_by_provider: WeakKeyDictionary[metrics.MeterProvider, Runs] = WeakKeyDictionary()


def runs_of(provider: metrics.MeterProvider | None) -> Runs:
    """Return the runs that are reported to *provider*; None is the global one.

    There is one object for each: a provider drops the callbacks of a gauge that it has already.
    """
    if provider is None or provider is metrics.get_meter_provider():
        if not _of_global:
            _of_global.append(Runs(meter_of(None)))
        return _of_global[0]
    found = _by_provider.get(provider)
    if found is None:
        found = _by_provider[provider] = Runs(meter_of(provider))
    return found


def meter_of(provider: metrics.MeterProvider | None) -> metrics.Meter:
    """Return fcasync's meter of *provider*."""
    return metrics.get_meter("fcasync", __version__, provider, _names.SCHEMA)
