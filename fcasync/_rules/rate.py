"""One rate: when the next request may be sent, and what the answers say about the limit."""

import math

from fcasync._facts.locks import SHARED
from fcasync._rules.learner import HOLD, START_RATE, Learner
from fcasync._rules.limits import Limits
from fcasync._rules.slots import Slots

WINDOW = 0.25
"""Seconds over which the use of the rate is measured before the rate may grow."""
USED = 0.7
"""A rate without demand proves nothing: it grows only while this share of it is used."""


class Rate:
    """Slots at a rate that is learnt from the answers. Safe to share between threads."""

    __slots__ = (
        "_accepted",
        "_learner",
        "_sent",
        "_served",
        "_slots",
        "_window",
        "_window_ends",
    )

    def __init__(self, limits: Limits) -> None:
        self._learner = Learner(limits.max_rate or math.inf)
        self._slots = Slots(limits.burst)
        self._sent = self._accepted = 0  # in the present window
        self._served = 0.0  # requests a second that were accepted in the window before
        self._window = self._window_ends = -math.inf

    @property
    def present(self) -> float:
        """Slots a second; infinite means without limit."""
        return self._learner.rate

    @property
    def limit(self) -> float | None:
        """The rate limit as learnt; None as long as it is unknown."""
        return self._learner.limit

    @property
    def last_used(self) -> float:
        """When the present window of measuring began."""
        return self._window

    def take(self, now: float) -> float:
        """Take the next slot and return the seconds until it begins; 0.0 means now."""
        if now >= self._window_ends:
            self._turn_window(now)
        self._sent += 1
        learner = self._learner
        if learner.rate == math.inf:
            return 0.0
        with SHARED:
            if learner.slow_down(now):
                self._conclude(now)
            slot = self._slots.take(now, 1 / learner.rate, is_paced=not learner.is_open)
            if learner.probe is not None and learner.probe.covers(max(slot, now)):
                learner.probe.sent += 1
        return max(slot - now, 0.0)

    def peek(self, now: float) -> float:
        """Return what :meth:`take` would, without taking the slot."""
        learner = self._learner
        if learner.rate == math.inf:
            return 0.0
        with SHARED:
            slot = self._slots.peek(now, 1 / learner.rate, is_paced=not learner.is_open)
        return max(slot - now, 0.0)

    def most_until(self, now: float, end: float) -> float:
        """Return how many slots could begin until *end* at best, however fast the rate grows."""
        learner = self._learner
        if learner.rate == math.inf:
            return math.inf
        slack = self._slots.slack(1 / learner.rate, is_paced=not learner.is_open)
        return learner.most_within(max(end - now, 0.0)) + slack + 1

    def give_back(self, slot: float) -> None:
        """Return the slot that begins at *slot*, which will not be used."""
        self._sent = max(self._sent - 1, 0)  # the window of measuring may be a new one
        if self._learner.rate != math.inf:
            with SHARED:
                self._slots.give_back(slot)

    def start_learning(self, rate: float | None) -> None:
        """Begin slow start at *rate*, if still open; None takes half of the ceiling, or 25."""
        self._learner.start(rate)

    def stop_learning(self) -> None:
        """Take one :meth:`start_learning` back."""
        self._learner.stop()

    def accepted(self, sent_at: float, now: float) -> None:
        """Note an answer that is not a 429."""
        self._accepted += 1
        if self._learner.probe is not None:
            with SHARED:
                self._probe(sent_at, now, limited=False)

    def refused(self, sent_at: float, now: float) -> None:
        """Note a 429."""
        learner = self._learner
        with SHARED:
            if learner.probe is not None:
                self._probe(sent_at, now, limited=True)
            elif learner.is_open:
                learner.close(now, self._served_so_far(now))
                self._slots.rearrange(now, 1 / learner.rate, HOLD)
            else:
                learner.refused(sent_at, now)

    def is_idle(self, now: float) -> bool:
        """Return whether nothing is lost by forgetting this rate."""
        is_quiet = self._learner.rate == math.inf or self._slots.are_free(now)
        return self._learner.is_open and is_quiet

    def _probe(self, sent_at: float, now: float, *, limited: bool) -> None:
        # Another thread may have ended the probe meanwhile.
        learner = self._learner
        if learner.probe is not None and learner.answered(sent_at, now, limited=limited):
            self._conclude(now)

    def _conclude(self, now: float) -> None:
        was_cut = self._learner.conclude(now)
        self._slots.rearrange(now, 1 / self._learner.rate, HOLD if was_cut else 0.0)
        self._begin_window(now)

    def _turn_window(self, now: float) -> None:
        """Close the window of measuring: the rate grows if it was used."""
        elapsed = now - self._window
        self._served = self._accepted / elapsed
        if self._sent >= USED * self._learner.rate * elapsed:
            self._learner.grow(elapsed, self._served)
        self._begin_window(now)

    def _begin_window(self, now: float) -> None:
        self._sent = self._accepted = 0
        self._window, self._window_ends = now, now + WINDOW

    def _served_so_far(self, now: float) -> float:
        """Return the rate at which an open operation was served."""
        present = self._accepted / max(now - self._window, WINDOW)
        return max(present, self._served, START_RATE)
