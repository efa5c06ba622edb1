"""Staying under Stripe's rate limits, known or not: no clock, no loop, no random numbers.

A :class:`Pace` says when the next request may be sent (:mod:`~fcasync._rules.slots`), how fast
(:mod:`~fcasync._rules.learner`) and how many at once (:mod:`~fcasync._rules.in_flight`).
All times are seconds of one monotonic clock that the caller reads; rates are requests a second.
"""

import math
from threading import Lock
from typing import Optional

import attrs

from fcasync._rules.in_flight import InFlight
from fcasync._rules.learner import HOLD, START_RATE, Learner
from fcasync._rules.slots import Slots
from fcasync.errors import InvalidArgumentError, describe

WINDOW = 0.25
"""Seconds over which the use of the rate is measured before the rate may grow."""
USED = 0.7
"""A rate without demand proves nothing: it grows only while this share of it is used."""


def _positive(limits: "Limits", field: "attrs.Attribute[float | None]", value: object) -> None:
    least = 1 if field.name == "burst" else 0
    if value is None:
        return
    number = isinstance(value, int | float) and not isinstance(value, bool)
    if not number or not math.isfinite(value) or value < least or value == 0:  # type: ignore[operator, arg-type]
        wanted = "a number of at least 1" if least else "a positive number"
        raise InvalidArgumentError(f"{field.name} must be {wanted}, not {describe(value)}")


@attrs.frozen(kw_only=True)
class Limits:
    """Ceilings for the rate of requests, per connected account and operation.

    Without them a client goes as fast as it is asked to, and learns the limit from the 429s.
    Stripe documents 100 requests a second in live mode, 25 a second in a sandbox, and 25 a second
    for each endpoint unless its page says otherwise (https://docs.stripe.com/rate-limits).
    """

    max_rate: float | None = attrs.field(default=None, validator=_positive)
    """Most requests a second; None means no ceiling."""
    burst: float | None = attrs.field(default=None, validator=_positive)
    """Most requests at once after a quiet spell, at least 1; None spaces them evenly."""


class Pace:
    """The rate of one operation on one connected account.

    The caller takes a slot, waits for it, sends, and reports the end::

        wait = pace.reserve(now)
        ...
        pace.answered(sent_at, now, limited=response.status == 429, reason=reason)

    A request that ends without an answer is reported by :meth:`lost`, a slot that is not used by
    :meth:`release`. Safe to share between threads.

    Args:
        limits: The ceilings.
        tenant: The pace of all operations of the account, for 429s that are about all of them.
    """

    __slots__ = (
        "__weakref__",
        "_accepted",
        "_learner",
        "_lock",
        "_sent",
        "_served",
        "_slots",
        "_window",
        "_window_ends",
        "in_flight",
        "is_free",
        "tenant",
    )

    def __init__(self, limits: Limits | None = None, tenant: Optional["Pace"] = None) -> None:
        limits = limits or Limits()
        self.tenant = tenant
        self.in_flight = InFlight()
        self.is_free = limits.max_rate is None
        """Whether a request may be sent at any time, as far as this pace is concerned."""
        self._learner = Learner(limits.max_rate or math.inf)
        self._slots = Slots(limits.burst)
        self._lock = Lock()
        self._sent = self._accepted = 0  # in the present window
        self._served = 0.0  # requests a second that were accepted in the window before
        self._window = self._window_ends = -math.inf

    def __repr__(self) -> str:
        rate = "unlimited" if self.rate is None else f"{self.rate:.1f}/s"
        learnt = "" if self.limit is None else f", limit about {self.limit:.0f}/s"
        return f"<Pace {rate}{learnt}>"

    @property
    def rate(self) -> float | None:
        """Slots a second at present; None means without limit."""
        return None if math.isinf(self._learner.rate) else self._learner.rate

    @property
    def limit(self) -> float | None:
        """The rate limit as learnt; None as long as it is unknown."""
        return self._learner.limit

    @property
    def has_room(self) -> bool:
        """Whether one more request may be in flight."""
        tenant = self.tenant
        return self.in_flight.has_room and (tenant is None or tenant.in_flight.has_room)

    @property
    def last_used(self) -> float:
        """When the present window of measuring began."""
        return self._window

    def reserve(self, now: float) -> float:
        """Take the next slot and return the seconds until it begins; 0.0 means now."""
        if now >= self._window_ends:
            self._turn_window(now)
        self._sent += 1
        self.in_flight.count += 1
        tenant = self.tenant
        if tenant is None:
            return 0.0 if self.is_free else self._take(now)
        tenant.in_flight.count += 1
        if self.is_free and tenant.is_free:
            return 0.0
        return max(self._take(now), tenant._take_as_tenant(now))

    def wait_for(self, now: float) -> float:
        """Return what :meth:`reserve` would, without taking the slot."""
        tenant, learner = self.tenant, self._learner
        wait = 0.0 if tenant is None or tenant.is_free else tenant.wait_for(now)
        if math.isinf(learner.rate):
            return wait
        with self._lock:
            slot = self._slots.peek(now, 1 / learner.rate, is_paced=not learner.is_open)
        return max(slot - now, wait)

    def most_until(self, now: float, end: float) -> float:
        """Return how many slots could begin until *end* at best, however fast the rate grows."""
        learner = self._learner
        if math.isinf(learner.rate):
            return math.inf
        slack = self._slots.slack(1 / learner.rate, is_paced=not learner.is_open)
        return learner.most_within(max(end - now, 0.0)) + slack + 1

    def release(self, slot: float) -> None:
        """Give back a slot that will not be used: the time at which it was to begin."""
        self._sent = max(self._sent - 1, 0)  # the window of measuring may be a new one
        self.lost()
        if not math.isinf(self._learner.rate):
            with self._lock:
                self._slots.give_back(slot)

    def learn(self, start_rate: float | None = None) -> None:
        """Pace from the first request on, in slow start, if still open.

        Args:
            start_rate: Requests a second to begin with; None takes half of ``max_rate``, or 25.
        """
        self._learner.start(start_rate)
        self._update()

    def unlearn(self) -> None:
        """Take one :meth:`learn` back: after the last, a pace that met no 429 is open again."""
        self._learner.stop()
        self._update()

    def answered(
        self, sent_at: float, now: float, *, limited: bool, reason: str | None = None
    ) -> None:
        """Take note of an answer.

        Args:
            sent_at: When its request was sent.
            now: When the answer came.
            limited: Whether it was a 429.
            reason: ``Stripe-Rate-Limited-Reason``: ``resource-specific`` is about one object and
                slows nobody, ``global-*`` is about all operations of the account, and
                ``*-concurrency`` about the requests in flight.
        """
        self.lost()
        tenant = self.tenant
        if not limited:
            self._count(sent_at, now, limited=False)
            if tenant is not None and not tenant.is_free:
                tenant._count(sent_at, now, limited=False)
            return
        reason = reason or ""
        scope = tenant if tenant is not None and reason.startswith("global-") else self
        if reason.endswith("-concurrency"):
            scope.in_flight.refused()
            scope._update()
        else:
            scope._count(sent_at, now, limited=reason != "resource-specific")

    def lost(self) -> None:
        """Take note of a request that ended without an answer."""
        self.in_flight.end()
        if self.tenant is not None:
            self.tenant.in_flight.end()

    def idle(self, now: float) -> bool:
        """Tell whether nothing is lost by forgetting this pace."""
        learner = self._learner
        is_quiet = math.isinf(learner.rate) or self._slots.are_free(now)
        is_alone = self.tenant is None or self.tenant.is_free
        return learner.is_open and is_quiet and is_alone and self.in_flight.bound is None

    def _take(self, now: float) -> float:
        learner = self._learner
        if math.isinf(learner.rate):
            return 0.0
        with self._lock:
            if learner.slow_down(now):
                self._conclude(now)
            slot = self._slots.take(now, 1 / learner.rate, is_paced=not learner.is_open)
            if learner.probe is not None and learner.probe.covers(max(slot, now)):
                learner.probe.sent += 1
        return max(slot - now, 0.0)

    def _take_as_tenant(self, now: float) -> float:
        """Take a slot for one of the account's operations, which has counted the request."""
        if self.is_free:
            return 0.0
        if now >= self._window_ends:
            self._turn_window(now)
        self._sent += 1
        return self._take(now)

    def _count(self, sent_at: float, now: float, *, limited: bool) -> None:
        learner = self._learner
        if not limited:
            self._accepted += 1
            self.in_flight.accepted()
            if learner.probe is None:
                return
        with self._lock:
            if learner.probe is not None:
                if learner.answered(sent_at, now, limited=limited):
                    self._conclude(now)
            elif limited and learner.is_open:
                learner.close(now, self._served_so_far(now))
                self._slots.rearrange(now, 1 / learner.rate, HOLD)
                self._update()
            elif limited:
                learner.refused(sent_at, now)

    def _conclude(self, now: float) -> None:
        was_cut = self._learner.conclude(now)
        self._slots.rearrange(now, 1 / self._learner.rate, HOLD if was_cut else 0.0)
        self._begin_window(now)

    def _update(self) -> None:
        self.is_free = math.isinf(self._learner.rate) and self.in_flight.bound is None

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
        """Return the rate at which an open pace was served."""
        present = self._accepted / max(now - self._window, WINDOW)
        return max(present, self._served, START_RATE)
