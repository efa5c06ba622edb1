"""When to send: times that are a fixed interval apart."""

import heapq
import math

CATCH_UP = 0.05
"""Seconds of slots that a paced sender may make up for when its loop was late."""


class Slots:
    """Hands out times at which to send. The caller passes the interval, which may change.

    Args:
        burst: Requests that may go at once after a quiet spell; None spaces them evenly.
    """

    __slots__ = ("_burst", "_next", "_returned")

    def __init__(self, burst: float | None) -> None:
        self._burst = burst
        self._next = -math.inf  # when the next slot begins, if it is not in the past
        self._returned: list[float] = []  # a heap of slots that were given back

    def peek(self, now: float, interval: float, *, is_paced: bool) -> float:
        """Return when the next slot begins; it may lie in the past.

        Args:
            now: The present.
            interval: Seconds between two slots.
            is_paced: Whether a late sender may catch up, for which a plain ceiling leaves no room.
        """
        while self._returned and self._returned[0] < now:
            heapq.heappop(self._returned)
        slack = self._slack(interval, is_paced=is_paced)
        slot = max(self._next, now - slack)
        return min(slot, self._returned[0]) if self._returned else slot

    def take(self, now: float, interval: float, *, is_paced: bool) -> float:
        """Take the slot that :meth:`peek` shows, and return when it begins."""
        slot = self.peek(now, interval, is_paced=is_paced)
        if self._returned and slot == self._returned[0]:
            heapq.heappop(self._returned)
        else:
            self._next = slot + interval
        return slot

    def give_back(self, slot: float) -> None:
        """Let somebody else have *slot*."""
        heapq.heappush(self._returned, slot)

    def rearrange(self, now: float, interval: float, rest: float) -> None:
        """Follow a new interval from *now* on, after *rest* seconds without a slot."""
        self._returned.clear()
        self._next = max(min(self._next, now + interval), now + rest)

    def are_free(self, now: float) -> bool:
        """Return whether no slot is taken beyond *now*."""
        return self._next <= now

    def slack(self, interval: float, *, is_paced: bool) -> float:
        """Return the number of slots that a quiet spell leaves for later."""
        return self._slack(interval, is_paced=is_paced) / interval

    def _slack(self, interval: float, *, is_paced: bool) -> float:
        if self._burst is not None:
            return (self._burst - 1) * interval
        return CATCH_UP if is_paced else 0.0
