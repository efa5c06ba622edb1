"""A sleep that somebody may end early."""

import asyncio

from fcasync._facts.clock import Clock


class Nap:
    """Sleeps, one sleep at a time."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._task: asyncio.Task[None] | None = None
        """None while nobody sleeps."""

    async def sleep(self, seconds: float) -> None:
        """Sleep for so long, or until :meth:`end` is called."""
        self._task = asyncio.create_task(self._clock.sleep(seconds), name="fcasync.bulk.nap")
        try:
            await asyncio.wait([self._task])
        finally:
            self._task.cancel()
            self._task = None

    def end(self) -> None:
        """Wake the sleeper, if there is one."""
        if self._task is not None:
            self._task.cancel()
