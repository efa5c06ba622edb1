"""The server's time, known to within a second and a round trip."""

import math
from collections.abc import Mapping
from email.utils import parsedate_to_datetime

from fcasync._facts.clock import Clock

NOISE = 60.0
"""A date that is this much too early, in seconds, may be that of a response that took long."""


class ServerTime:
    """The time at Stripe, from the ``Date`` of its latest response and our own clocks.

    A local clock alone would not do: it may be wrong by years, and may jump. But between two
    responses only local clocks run. The monotonic clock stops while a machine sleeps, and the wall
    clock can be set; so there are two estimates, and each use takes the one whose error is
    harmless.
    """

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._text: str | None = None  # the latest date, as it came
        self._ahead = -math.inf  # how far the server's clock is ahead of the monotonic one, at most
        # Until the first response there is nothing better than the wall clock.
        self._take(clock.time())

    @property
    def is_known(self) -> bool:
        """Whether the server has said what time it is."""
        return self._text is not None

    def observe(self, headers: Mapping[str, str]) -> float:
        """Take over the ``Date`` of a response that has just arrived, if it is Stripe's.

        Returns:
            The seconds by which the server's clock turns out to have been set back; 0.0 otherwise.
        """
        text = headers.get("Date")
        # Many responses a second have the same date; the first of them says all there is to know.
        if text is None or text == self._text or not is_stripes(headers):
            return 0.0
        try:
            date = parsedate_to_datetime(text).timestamp()
        except (ValueError, OverflowError):
            return 0.0
        self._text = text
        self._take(date)
        return self._set_back(date - self._monotonic)

    def adopt(self, server: float) -> None:
        """Take over the time that another process has from the server, not later than it is."""
        self._take(server)
        self._ahead = max(self._ahead, server - self._monotonic)

    def _set_back(self, ahead: float) -> float:
        back = self._ahead - ahead
        if back > NOISE:
            self._ahead = ahead
            return back
        self._ahead = max(self._ahead, ahead)
        return 0.0

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


def is_stripes(headers: Mapping[str, str]) -> bool:
    """Return whether a response is the API's own, and not the error page of something between."""
    kind = headers.get("Content-Type", "").partition(";")[0].strip().lower()
    return kind == "application/json" and "Request-Id" in headers
