"""Time, sleep and dice for everyone: the only module that reads the real ones."""

import asyncio
import random as _random
import time as _time
from typing import Protocol


class Clock(Protocol):
    """What the rest of the package knows of time. All durations are in seconds."""

    def time(self) -> float:
        """Return the Unix time."""

    def monotonic(self) -> float:
        """Return a time that never goes backwards; only differences mean something."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""

    def draw(self) -> float:
        """Return a random number in [0, 1), the source of all jitter."""


class SystemClock:
    """The machine's own time, the running loop's sleep and Python's dice."""

    # Bound once: each is called on the hot path of every request.
    time = staticmethod(_time.time)
    monotonic = staticmethod(_time.monotonic)
    sleep = staticmethod(asyncio.sleep)
    draw = staticmethod(_random.random)


SYSTEM_CLOCK: Clock = SystemClock()
