"""The server's time, known to within a second and a round trip."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from fcasync._facts.clock import Clock


class ServerTime:
    """What time it is at Stripe, by the ``Date`` of its latest answer and our own clocks.

    A local clock alone would not do: it may be wrong by years, and jump. But between two answers
    only local clocks run. The monotonic one stops while a machine sleeps, the wall clock may be
    set; so there are two estimates, and each use takes the one whose error does no harm.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._text: str | None = None
        # Until the first answer there is nothing better than the wall clock.
        self._take(clock.time())

    def observe(self, headers: Mapping[str, str]) -> None:
        """Take over the ``Date`` of an answer that has just come, if it has one."""
        text = headers.get("Date")
        # Many answers a second have the same date; the first of them says all there is to know.
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
