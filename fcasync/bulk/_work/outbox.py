"""Finished accounts on their way to the caller."""

import asyncio

from fcasync.bulk._outcome import Outcome
from fcasync.bulk._work.window import Place


class Outbox:
    """Outcomes in the order in which they were finished; taking one makes room in the window."""

    def __init__(self) -> None:
        self._queue: asyncio.Queue[tuple[Outcome, Place] | None] = asyncio.Queue()

    def put(self, outcome: Outcome, place: Place) -> None:
        """Hand *outcome* to the caller."""
        self._queue.put_nowait((outcome, place))

    def end(self) -> None:
        """Tell the caller, behind all outcomes, that there are no more."""
        self._queue.put_nowait(None)

    async def take(self) -> Outcome | None:
        """Return the next outcome, or None when there are no more."""
        found = await self._queue.get()
        if found is None:
            self.end()
            return None
        outcome, place = found
        place.leave()
        return outcome
