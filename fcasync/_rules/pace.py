"""Staying under Stripe's rate limits, known or not: no clock, no loop, no random numbers.

A :class:`Pace` says when the next request of an operation may be sent. It obeys two scopes, that of
the operation and that of the account as a whole; each has a rate (:mod:`~fcasync._rules.rate`,
which takes slots from :mod:`~fcasync._rules.slots` and learns by :mod:`~fcasync._rules.learner`)
and a bound on what is in flight (:mod:`~fcasync._rules.in_flight`).
All times are seconds of one monotonic clock that the caller reads; rates are requests a second.
"""

import math

from fcasync._rules.in_flight import InFlight
from fcasync._rules.limits import Limits
from fcasync._rules.rate import Rate


class Scope:
    """What a limit applies to: one operation of an account, or all of them."""

    __slots__ = ("__weakref__", "in_flight", "is_free", "rate")

    def __init__(self, limits: Limits | None = None) -> None:
        self.rate: Rate = Rate(limits or Limits())
        self.in_flight: InFlight = InFlight()
        self.is_free: bool = True
        """Whether a request may be sent at any time; kept by :meth:`update`."""
        self.update()

    def update(self) -> None:
        """Take note of what has changed."""
        self.is_free = self.rate.present == math.inf and self.in_flight.bound is None

    def is_idle(self, now: float) -> bool:
        """Return whether nothing is lost by forgetting this scope."""
        return self.in_flight.bound is None and self.rate.is_idle(now)


class Pace:
    """The rate of one operation on one connected account.

    The caller takes a slot, waits for it, sends, and reports the end::

        wait = pace.reserve(now)
        ...
        pace.answered(sent_at, now, limited=response.status == 429, reason=reason)

    A request that ends without an answer is reported by :meth:`lost`, a slot that is not used by
    :meth:`release`. Safe to share between threads.

    Args:
        limits: The ceilings of the operation.
        tenant: The account as a whole, for 429s that are about all its operations.
    """

    __slots__ = ("operation", "tenant")

    def __init__(self, limits: Limits | None = None, tenant: Scope | None = None) -> None:
        self.operation: Scope = Scope(limits)
        self.tenant: Scope = Scope() if tenant is None else tenant

    def __repr__(self) -> str:
        rate = "unlimited" if self.rate is None else f"{self.rate:.1f}/s"
        learnt = "" if self.limit is None else f", limit about {self.limit:.0f}/s"
        return f"<Pace {rate}{learnt}>"

    @property
    def rate(self) -> float | None:
        """Slots a second at present; None means without limit."""
        rate = self.operation.rate.present
        return None if rate == math.inf else rate

    @property
    def limit(self) -> float | None:
        """The rate limit as learnt; None as long as it is unknown."""
        return self.operation.rate.limit

    @property
    def has_room(self) -> bool:
        """Whether one more request may be in flight."""
        return self.operation.in_flight.has_room and self.tenant.in_flight.has_room

    @property
    def last_used(self) -> float:
        """When a slot was last taken, to a quarter of a second."""
        return self.operation.rate.last_used

    def reserve(self, now: float) -> float:
        """Take the next slot and return the seconds until it begins; 0.0 means now."""
        operation, tenant = self.operation, self.tenant
        # Written out here and below, because it is on the way of every call: see InFlight.
        operation.in_flight.present.append(None)
        tenant.in_flight.present.append(None)
        wait = operation.rate.take(now)
        return wait if tenant.is_free else max(wait, tenant.rate.take(now))

    def wait_for(self, now: float) -> float:
        """Return what :meth:`reserve` would, without taking the slot."""
        return max(self.operation.rate.peek(now), self.tenant.rate.peek(now))

    def most_until(self, now: float, end: float) -> float:
        """Return how many slots could begin until *end* at best, however fast the rate grows."""
        return self.operation.rate.most_until(now, end)

    def release(self, slot: float) -> None:
        """Give back a slot that will not be used: the time at which it was to begin."""
        self.lost()
        self.operation.rate.give_back(slot)

    def learn(self, start_rate: float | None = None) -> None:
        """Pace from the first request on, in slow start, if still open.

        Args:
            start_rate: Requests a second to begin with; None takes half of ``max_rate``, or 25.
        """
        self.operation.rate.start_learning(start_rate)
        self.operation.update()

    def unlearn(self) -> None:
        """Take one :meth:`learn` back: after the last, a pace that met no 429 is open again."""
        self.operation.rate.stop_learning()
        self.operation.update()

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
        operation, tenant = self.operation, self.tenant
        if operation.in_flight.present:
            operation.in_flight.present.pop()
        if tenant.in_flight.present:
            tenant.in_flight.present.pop()
        if not limited or reason == "resource-specific":
            operation.rate.accepted(sent_at, now)
            if not (operation.is_free and tenant.is_free):
                operation.in_flight.accepted()
                tenant.rate.accepted(sent_at, now)
                tenant.in_flight.accepted()
            return
        reason = reason or ""
        scope = self.tenant if reason.startswith("global-") else self.operation
        if reason.endswith("-concurrency"):
            scope.in_flight.refused()
        else:
            scope.rate.refused(sent_at, now)
        scope.update()

    def lost(self) -> None:
        """Take note of a request that ended without an answer."""
        self.operation.in_flight.end()
        self.tenant.in_flight.end()

    def idle(self, now: float) -> bool:
        """Return whether nothing is lost by forgetting this pace."""
        return self.tenant.is_free and self.operation.is_idle(now)
