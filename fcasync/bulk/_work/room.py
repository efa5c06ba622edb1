"""How many requests may be in flight, and how lanes share that.

By a rule for switches that share a buffer: a lane may have no more in flight than is still free
(dynamic thresholds, Choudhury and Hahne 1998, with a factor of 1). A lane whose server hangs takes
half of the room at most, two of them a third each, and there is always some left for the others.
A lane that is alone may take everything.
"""

import asyncio

from fcasync.bulk._work.lane import Lane


class Room:
    """Room for so many requests."""

    def __init__(self, size: int) -> None:
        self.free = size
        """Requests that may still be sent."""
        self._news = asyncio.Event()  # set when some may have become free

    def admits(self, lane: Lane, *, is_alone: bool) -> bool:
        """Return whether *lane* may have one more request in flight."""
        return lane.in_flight < self.free or not lane.in_flight or is_alone

    def take(self, lane: Lane) -> None:
        """Let *lane* have one more request in flight."""
        lane.in_flight += 1
        self.free -= 1

    def give_back(self, lane: Lane) -> None:
        """Take note that a request of *lane* is not in flight any more."""
        lane.in_flight -= 1
        self.free += 1

    def tell(self) -> None:
        """Wake whoever waits in :meth:`any`."""
        self._news.set()

    async def any(self) -> None:
        """Wait until there is some."""
        while not self.free:
            self._news.clear()
            await self._news.wait()
