"""Time, sleep and randomness: the only module that reads the real ones."""

import asyncio
import random as _random
import time as _time
from typing import Protocol


class Clock(Protocol):
    """The source of time and jitter for the whole package. All durations are in seconds."""

    def time(self) -> float:
        """Return the Unix time."""

    def monotonic(self) -> float:
        """Return seconds that never go backwards; only differences have a meaning."""

    async def sleep(self, seconds: float) -> None:
        """Return after *seconds*."""

    def draw(self) -> float:
        """Return a random number in [0, 1), the source of all jitter."""


class SystemClock:
    """The machine's time, the running loop's sleep and Python's random numbers."""

    # Bound once: each is called on the hot path of every request.
    time = staticmethod(_time.time)
    monotonic = staticmethod(_time.monotonic)
    sleep = staticmethod(asyncio.sleep)
    draw = staticmethod(_random.random)


SYSTEM_CLOCK: Clock = SystemClock()
