"""How fast requests are sent at present."""

from collections import deque

WINDOW = 2.0
"""Seconds over which the present rate is taken."""
SHORTEST = 0.5
"""A younger run is measured as if it were this old: its first requests would look like a rush."""


class Pulse:
    """Remembers when the requests of the last two seconds were sent. All times are monotonic."""

    def __init__(self, started: float) -> None:
        self._started = started
        self._sent: deque[float] = deque()

    def beat(self, now: float) -> None:
        """Take note of a request."""
        self._sent.append(now)
        self._forget_before(now - WINDOW)

    def rate(self, now: float) -> float:
        """Return the requests a second."""
        self._forget_before(now - WINDOW)
        return len(self._sent) / min(max(now - self._started, SHORTEST), WINDOW)

    def _forget_before(self, then: float) -> None:
        while self._sent and self._sent[0] <= then:
            self._sent.popleft()
