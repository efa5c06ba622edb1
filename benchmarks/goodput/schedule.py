"""Schedules: how the limit changes over time."""

from collections.abc import Iterator
from itertools import accumulate
from typing import NamedTuple

BURST = 25.0
"""The tokens that the bucket holds."""
LATENCY = 0.12
"""Seconds by which each response is delayed."""


class Phase(NamedTuple):
    """A time during which the limit stays the same."""

    label: str
    seconds: float
    rate: float
    """Requests per second that the server accepts."""


class Schedule(NamedTuple):
    """A sequence of phases; the first one starts with the server's first request."""

    name: str
    phases: tuple[Phase, ...]
    goal: int
    """The number of accounts whose completion time is measured."""

    @property
    def seconds(self) -> float:
        """The duration in seconds."""
        return sum(phase.seconds for phase in self.phases)

    @property
    def capacity(self) -> float:
        """The number of requests that the limit allows, without the burst."""
        return sum(phase.seconds * phase.rate for phase in self.phases)

    def rate_at(self, elapsed: float) -> float:
        """Return the limit *elapsed* seconds after the first request."""
        for begin, phase in self.spans():
            if elapsed < begin + phase.seconds:
                return phase.rate
        return self.phases[-1].rate

    def spans(self) -> Iterator[tuple[float, Phase]]:
        """Yield each phase with the second at which it begins."""
        begins = accumulate((phase.seconds for phase in self.phases), initial=0.0)
        return zip(begins, self.phases, strict=False)


FULL = Schedule(
    "full",
    (
        Phase("start", 6.0, 100.0),
        Phase("100/s", 6.0, 100.0),
        Phase("40/s", 6.0, 40.0),
        Phase("100/s again", 9.0, 100.0),
    ),
    goal=1000,
)
QUICK = Schedule(
    "quick",
    (Phase("start", 0.25, 100.0), Phase("40/s", 0.25, 40.0)),
    goal=10,
)
SCHEDULES = {schedule.name: schedule for schedule in (FULL, QUICK)}
