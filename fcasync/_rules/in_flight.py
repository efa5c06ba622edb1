"""How many requests may be in flight at once, learnt from 429s about concurrency."""

from typing import Final

SHARE: Final = 0.8
"""What is left of the number in flight when Stripe refused one more."""


class InFlight:
    """Counts requests in flight, and bounds them once Stripe has said that there are too many.

    The bound grows by one each time as many requests as it allows were answered: additive
    increase, multiplicative decrease.
    """

    __slots__ = ("_answered", "bound", "count")

    def __init__(self) -> None:
        self.count = 0
        self.bound: int | None = None
        """Most requests at once; None as long as Stripe has not complained."""
        self._answered = 0  # answers since the bound last changed

    @property
    def has_room(self) -> bool:
        """Whether one more may be sent."""
        return self.bound is None or self.count < self.bound

    def begin(self) -> None:
        """Count a request that is about to be sent."""
        self.count += 1

    def end(self) -> None:
        """Count a request that was answered, or that never will be."""
        self.count = max(self.count - 1, 0)

    def accepted(self) -> None:
        """Note an answer that is no complaint."""
        if self.bound is not None:
            self._answered += 1
            if self._answered >= self.bound:
                self.bound, self._answered = self.bound + 1, 0

    def refused(self) -> None:
        """Note that there were too many at once."""
        present = self.count + 1  # the one that was refused is no longer counted
        if self.bound is None or present <= self.bound + 1:
            self.bound, self._answered = max(int(present * SHARE), 1), 0
