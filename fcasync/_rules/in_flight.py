"""How many requests may be in flight at once, learnt from 429s about concurrency."""

from collections import deque
from typing import Final

SHARE: Final = 0.8
"""What is left of the number in flight when Stripe refused one more."""


class InFlight:
    """Counts requests in flight, and bounds them once Stripe has said that there are too many.

    The bound grows by one each time as many requests as it allows were answered: additive
    increase, multiplicative decrease. Safe to share between threads.
    """

    __slots__ = ("_answered", "bound", "present")

    def __init__(self) -> None:
        self.present: deque[None] = deque()
        """One entry for each request in flight. Its append and pop are whole between threads,
        which the += of a number is not: a count that is lost would take room away for ever."""
        self.bound: int | None = None
        """Most requests at once; None as long as Stripe has not complained."""
        self._answered = 0  # answers since the bound last changed

    @property
    def count(self) -> int:
        """How many there are."""
        return len(self.present)

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return self.bound is None or len(self.present) < self.bound

    def begin(self) -> None:
        """Count a request that is about to be sent."""
        self.present.append(None)

    def end(self) -> None:
        """Count a request that was answered, or that never will be."""
        if self.present:
            self.present.pop()

    def accepted(self) -> None:
        """Note an answer that is not a complaint."""
        if self.bound is not None:
            self._answered += 1
            if self._answered >= self.bound:
                self.bound, self._answered = self.bound + 1, 0

    def refused(self) -> None:
        """Note that there were too many at once."""
        there_were = len(self.present) + 1  # the one that was refused is no longer counted
        if self.bound is None or there_were <= self.bound + 1:
            self.bound, self._answered = max(int(there_were * SHARE), 1), 0
