"""Finished accounts on their way to the caller."""

import asyncio
from typing import Protocol

from fcasync.bulk._journal.record import Record
from fcasync.bulk._outcome import Outcome


class Room(Protocol):
    """What an outcome occupies until it is taken; see :class:`fcasync.bulk._work.window.Place`."""

    def leave(self) -> None: ...


class Outbox:
    """Outcomes in the order in which they were finished; taking one makes room in the window.

    Each has a number, so that one number on disk says which of them the caller has certainly seen:
    asking for the next one acknowledges all before it.
    """

    def __init__(self, record: Record, last_seq: int) -> None:
        self._record = record
        self._queue: asyncio.Queue[tuple[Outcome, int, Room | None] | None] = asyncio.Queue()
        self._last_seq = last_seq  # the highest number given away
        self._shown = 0  # the number of the outcome that the caller has in its hands

    def number(self) -> int:
        """Return the number of the next outcome."""
        self._last_seq += 1
        return self._last_seq

    def put(self, outcome: Outcome, seq: int = 0, place: Room | None = None) -> None:
        """Hand *outcome* to the caller.

        Args:
            outcome: On disk under *seq*.
            seq: Its number; 0 if it is not on disk, because no journal can hold it.
            place: Where its account stands in the window.
        """
        self._queue.put_nowait((outcome, seq, place))

    def end(self) -> None:
        """Report to the caller, behind all outcomes, that there are no more."""
        self._queue.put_nowait(None)

    def acknowledge(self) -> None:
        """Take note that the caller has done with what it was handed."""
        self._record.acknowledged = max(self._record.acknowledged, self._shown)

    async def take(self) -> Outcome | None:
        """Return the next outcome, or None when there are no more."""
        self.acknowledge()
        found = await self._queue.get()
        if found is None:
            self.end()
            return None
        outcome, self._shown, place = found
        if place is not None:
            place.leave()
        return outcome
