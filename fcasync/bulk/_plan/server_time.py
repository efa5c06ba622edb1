"""The server's time, known to within a second and a round trip."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from fcasync._facts.clock import Clock


class ServerTime:
    """The time at Stripe, from the ``Date`` of its latest response and our own clocks.

    A local clock alone would not do: it may be wrong by years, and may jump. But between two
    responses only local clocks run. The monotonic clock stops while a machine sleeps, and the wall
    clock can be set; so there are two estimates, and each use takes the one whose error is
    harmless.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._text: str | None = None
        # Until the first response there is nothing better than the wall clock.
        self._take(clock.time())

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take over the ``Date`` of a response that has just arrived, if it has one."""
        text = headers.get("Date")
        # Many responses a second have the same date; the first of them says all there is to know.
        if text is None or text == self._text:
            return
        try:
            date = parsedate_to_datetime(text).timestamp()
        except (ValueError, OverflowError):
            return
        self._text = text
        self._take(date)

    def _take(self, server: float) -> None:
        self._server = server
        self._monotonic = self._clock.monotonic()
        self._wall = self._clock.time()

    def earliest(self) -> int:
        """Return a Unix time that has surely been reached: for noting when something began."""
        return int(self._server + self._clock.monotonic() - self._monotonic)

    def latest(self) -> float:
        """Return the latest time that it can be: for judging how old something is."""
        waited = self._clock.monotonic() - self._monotonic
        return self._server + max(waited, self._clock.time() - self._wall)
