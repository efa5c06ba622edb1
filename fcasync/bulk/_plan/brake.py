"""How a server that is down is probed rather than loaded: no clock, no loop, no random numbers."""

from fcasync.bulk._report import duration

FAILURES = 20
"""Failures in a row, after which the server is assumed to be down, and which halve the rate. Where
every fifth request fails, so many in a row come once in 10^14."""
FIRST_GAP = 0.08
"""Seconds between requests when braking begins: half the lowest rate limit that Stripe documents
(25 a second, https://docs.stripe.com/rate-limits)."""
LONGEST_GAP = 1.0
"""Seconds between probes: what the end of an outage may go unnoticed."""


class Brake:
    """Lets fewer and fewer requests pass while nothing but 5xx, or nothing at all, arrives.

    It only makes requests wait that would be sent otherwise, and lets go at the first good answer.
    All times are monotonic, in seconds.
    """

    __slots__ = ("_failures", "_gap", "_kinds", "_next", "_since", "is_well")

    def __init__(self) -> None:
        self.is_well = False
        """Whether the latest answer was a good one."""
        self._failures = 0  # in a row
        self._since = 0.0  # when the first of them came
        self._kinds: dict[str, None] = {}  # what they were, in the order of their first
        self._gap = 0.0  # between two requests; 0.0 while it does not brake
        self._next = 0.0  # when the next request may be sent, while it does

    def good(self) -> None:
        """Take note of an answer that is not a 5xx."""
        self.is_well = True
        if self._failures:
            self._failures, self._gap = 0, 0.0
            self._kinds.clear()

    def failed(self, now: float, kind: str) -> None:
        """Take note of a 5xx, or that no answer came.

        Args:
            now: When.
            kind: What to call it, in the plural: ``503``, ``timeouts``.
        """
        if not self._failures:
            self._since = now
        self.is_well = False
        self._failures += 1
        self._kinds[kind] = None
        if self._failures % FAILURES == 0:
            self._gap = min(2 * self._gap or FIRST_GAP, LONGEST_GAP)

    def wait(self, now: float) -> float:
        """Return the seconds until a request may be sent; 0.0 means now."""
        return max(self._next - now, 0.0) if self._gap else 0.0

    def take(self, now: float) -> None:
        """Take note that a request is sent."""
        self._next = now + self._gap

    def outage(self, now: float) -> str | None:
        """Return what alone has arrived, and for how long; None while the server is at work."""
        if self._failures < FAILURES:
            return None
        return f"only {' and '.join(self._kinds)} for {duration(now - self._since)}"
