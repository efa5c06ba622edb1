"""How long the server has done nothing for anybody, and what follows from that."""

from typing import TypeVar

import attrs

from fcasync.bulk._plan.events import Broken, Event, Lost, Unseen
from fcasync.errors import FCError

E = TypeVar("E", bound=Event)

OUTAGE_ATTEMPTS = 100
OUTAGE_SECONDS = 60.0
"""After this many requests in a row, over this many seconds, without a response or with a 5xx,
assume an outage and end the run."""
BAD_ATTEMPTS = 20
BAD_SECONDS = 10.0
"""From here on failures are not held against single accounts."""


class Silence:
    """Counts the requests of one kind that got no response of use, one after the other."""

    def __init__(self, now: float, remedy: str) -> None:
        """Begin to count.

        Args:
            now: A monotonic time in seconds.
            remedy: What to do about a run that an outage has ended.
        """
        self._since = now
        self._unanswered = 0
        self._remedy = remedy

    def ends(self, now: float) -> None:
        """Take note of a response that is not a 5xx."""
        self._since, self._unanswered = now, 0

    def goes_on(self, now: float, event: Event, error: FCError) -> Event:
        """Take note of a request without such a response.

        Returns:
            *event*, which it was, with what it has to do with an outage.

        Raises:
            FCError: *error*, if the outage has taken too long.
        """
        self._unanswered += 1
        seconds = now - self._since
        if self._unanswered >= OUTAGE_ATTEMPTS and seconds >= OUTAGE_SECONDS:
            error.not_retried = (
                f"nothing was answered for {seconds:.0f} s, so the run ends{self._remedy}"
            )
            raise error
        is_bad = self._unanswered >= BAD_ATTEMPTS and seconds >= BAD_SECONDS
        if is_bad and isinstance(event, Lost | Broken | Unseen):
            return attrs.evolve(event, is_outage=True)
        return event
