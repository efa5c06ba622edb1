"""When nobody gets an answer: an outage is not the fault of single accounts."""

import attrs

from fcasync.bulk._plan.events import Broken, Event, Lost, Unseen
from fcasync.errors import APIStatusError, APITimeoutError, FCError, ProtocolError

OUTAGE_ATTEMPTS = 100
OUTAGE_SECONDS = 60.0
"""After this many requests in a row, over this many seconds, without a response or with a 5xx,
assume an outage and end the run. Requests that change accounts and those that only look are
counted apart: one kind may fail while the other does not. A job that brakes meanwhile still sends
more than that in a minute, if it is allowed two requests a second (see
:mod:`fcasync.bulk._plan.brake`)."""
BAD_ATTEMPTS = 20
BAD_SECONDS = 10.0
"""From here on failures are not held against single accounts."""


class Silence:
    """How long the server has done nothing for anybody.

    Args:
        now: A monotonic time in seconds.
        remedy: What to do when an outage ends the run, for the message of the error.
    """

    def __init__(self, now: float, remedy: str) -> None:
        self._since = now
        self._remedy = remedy
        self._unanswered = 0

    def ends(self, now: float) -> None:
        """Take note of a response that is not a 5xx."""
        self._since, self._unanswered = now, 0

    def judge(self, event: Event, error: FCError, now: float) -> Event:
        """Return *event*, which *error* has led to, with what it has to do with an outage.

        Raises:
            FCError: *error*, if the outage has taken too long.
        """
        if failure(event, error) is None:
            self.ends(now)
            return event
        self._unanswered += 1
        seconds = now - self._since
        if self._unanswered >= OUTAGE_ATTEMPTS and seconds >= OUTAGE_SECONDS:
            how_long = f"nothing was answered for {seconds:.0f} s"
            error.not_retried = f"{how_long}, so the run ends{self._remedy}"
            raise error
        is_bad = self._unanswered >= BAD_ATTEMPTS and seconds >= BAD_SECONDS
        if is_bad and isinstance(event, Lost | Broken | Unseen):
            return attrs.evolve(event, is_outage=True)
        return event


def failure(event: Event, error: FCError) -> str | None:
    """Return what to call *error* if it may mean that the server is down, else None.

    Args:
        event: What it has led to.
        error: What a request ended in.
    """
    if isinstance(event, Broken) and event.replayed:
        # A stored 5xx says nothing about how the server is now.
        return None
    match error:
        case APIStatusError():
            return None if error.status < 500 else str(error.status)
        case APITimeoutError():
            return "timeouts"
        case ProtocolError():
            return "unreadable answers"
    return "connection errors"
