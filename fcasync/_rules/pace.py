"""Staying under Stripe's rate limits, known or not: no clock, no loop, no dice.

A :class:`Pace` hands out slots. It starts open, or (bulk) in slow start, and learns the limit from
the 429s that come back::

    open ──429──▶ cubic            slow start ──429──▶ cubic ◀──429 (x 0.85)──┐
                                                        └─────────────────────┘

All times are seconds of one monotonic clock that the caller reads; all rates are requests a second.
"""

import heapq
import math
from collections.abc import Iterator
from threading import Lock

import attrs

from fcasync.errors import InvalidArgumentError, describe

START_RATE = 5.0
"""Where slow start begins: a fifth of the lowest limit that Stripe documents."""
FIRST_CUT = 0.6
"""Slow start overshoots by up to a factor of two, so its end is cut deeper than later ones."""
CUT = 0.85
"""CUBIC's beta for TCP is 0.7 (RFC 9438); a bucket with a burst forgives more than a router."""
SCALE = 0.4
"""CUBIC's C (RFC 9438, section 5)."""
CUT_PAUSE = 0.5
"""Shortest time between two cuts, so that one full bucket is answered by one cut."""
HOLD = 0.1
"""Seconds of silence after a cut: they fill the bucket, also for others on the same key."""
WINDOW = 0.5
"""How long the use of the rate is measured before the rate may grow."""
USED = 0.7
"""A rate that nobody asks for proves nothing: it grows only while this part of it is used."""
SLOWEST = 0.5
"""The rate never falls below this, so that good news is noticed."""
CATCH_UP = 0.05
"""Seconds of slots that a paced sender may make up for when its loop was late."""
MAX_PACES = 4096
"""Paces kept by one limiter; a platform may act for any number of connected accounts."""

# Stripe-Rate-Limited-Reason: the other values (global-rate, endpoint-rate, global-concurrency,
# endpoint-concurrency) all mean "fewer requests"; this one means "not this object just now".
_NOT_THE_RATE = "resource-specific"


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


def cubic(good: float, low: float, seconds: float, scale: float = SCALE) -> float:
    """Return CUBIC's rate, *seconds* after a cut from *good* to *low*.

    It climbs back to *good* fast, lingers there, then probes beyond it ever faster
    (RFC 9438, section 4.2).
    """
    plateau = math.cbrt((good - low) / scale)
    offset = seconds - plateau
    return scale * offset * offset * offset + good


class Pace:
    """The rate of one operation on one connected account.

    The caller takes a slot, waits as long as it is told, sends, and says how it went::

        wait = pace.reserve(now)
        ...
        pace.answered(sent_at, now, limited=response.status == 429, reason=reason)

    Safe to share between threads.
    """

    __slots__ = (
        "_accepted",
        "_ceiling",
        "_cut_at",
        "_free",
        "_good",
        "_grown",
        "_interval",
        "_learners",
        "_limits",
        "_lock",
        "_low",
        "_next",
        "_passed",
        "_rate",
        "_sent",
        "_window",
        "_window_ends",
    )

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._ceiling = self._limits.max_rate or math.inf
        self._good: float | None = None
        self._low = 0.0
        self._learners = 0
        self._grown = 0.0  # seconds of growth since slow start began or since the last cut
        self._cut_at = -math.inf
        self._next = -math.inf
        self._free: list[float] = []
        self._lock = Lock()
        self._sent = self._accepted = 0
        self._passed = 0.0
        self._window = self._window_ends = -math.inf
        self._set_rate(math.inf)

    def __repr__(self) -> str:
        rate = "unlimited" if self.rate is None else f"{self.rate:.1f}/s"
        learnt = "" if self._good is None else f", limit about {self._good:.0f}/s"
        return f"<Pace {rate}{learnt}>"

    @property
    def rate(self) -> float | None:
        """Slots handed out a second at present; None means without limit."""
        return None if math.isinf(self._rate) else self._rate

    @property
    def limit(self) -> float | None:
        """The last rate that was known to be good when a 429 came; None before the first 429."""
        return self._good

    def reserve(self, now: float) -> float:
        """Take the next slot and return the seconds until it begins; 0.0 means now."""
        if now >= self._window_ends:
            self._measure(now)
        self._sent += 1
        if not self._interval:
            return 0.0
        with self._lock:
            slot = self._slot(now)
            if self._free and slot == self._free[0]:
                heapq.heappop(self._free)
            else:
                self._next = slot + self._interval
        return max(slot - now, 0.0)

    def wait_for(self, now: float) -> float:
        """Return what :meth:`reserve` would, without taking the slot."""
        if not self._interval:
            return 0.0
        with self._lock:
            return max(self._slot(now) - now, 0.0)

    def release(self, slot: float) -> None:
        """Give back a slot that will not be used: the time at which it was to begin."""
        self._sent = max(self._sent - 1, 0)  # the window of measuring may be a new one
        if self._interval:
            with self._lock:
                heapq.heappush(self._free, slot)

    def learn(self, start_rate: float = START_RATE) -> None:
        """Pace from the first request on, in slow start from *start_rate*, if still open."""
        self._learners += 1
        if self._low == 0.0:
            self._low, self._grown = start_rate, 0.0
            self._set_rate(start_rate)

    def unlearn(self) -> None:
        """Take one :meth:`learn` back: after the last, a pace that met no 429 is open again."""
        self._learners -= 1
        if not self._learners and self._good is None:
            self._low = 0.0
            self._set_rate(math.inf)

    def answered(
        self, sent_at: float, now: float, *, limited: bool, reason: str | None = None
    ) -> None:
        """Take note of an answer.

        Args:
            sent_at: When its request was sent.
            now: When the answer came.
            limited: Whether it was a 429.
            reason: ``Stripe-Rate-Limited-Reason``; ``resource-specific`` is about one object, so
                it does not slow the others.
        """
        if not limited:
            self._accepted += 1
        elif reason != _NOT_THE_RATE and sent_at > self._cut_at and now >= self._cut_at + CUT_PAUSE:
            self._cut(now)

    def idle(self, now: float) -> bool:
        """Tell whether nothing is lost by forgetting this pace."""
        return self._low == 0.0 and (not self._interval or self._next <= now)

    @property
    def last_used(self) -> float:
        """When the present window of measuring began."""
        return self._window

    def _slot(self, now: float) -> float:
        while self._free and self._free[0] < now:
            heapq.heappop(self._free)
        behind = max(self._next, now - self._slack())
        return min(behind, self._free[0]) if self._free else behind

    def _slack(self) -> float:
        """Return how far in the past an unused slot may still be taken."""
        burst = self._limits.burst
        if burst is not None:
            return (burst - 1) * self._interval
        return CATCH_UP if self._low else 0.0

    def _set_rate(self, rate: float) -> None:
        self._rate = min(max(rate, SLOWEST), self._ceiling)
        self._interval = 1 / self._rate

    def _measure(self, now: float) -> None:
        """Close the window of measuring: the rate grows if it was used."""
        elapsed = now - self._window
        self._passed = self._accepted / elapsed
        if self._low and self._sent >= USED * self._rate * elapsed:
            self._grown += elapsed
            self._set_rate(self._target())
        self._sent = self._accepted = 0
        self._window, self._window_ends = now, now + WINDOW

    def _target(self) -> float:
        if self._good is None:
            # As in TCP, only what came back makes it grow: slow answers make for a slow start.
            return min(self._low * math.exp2(self._grown), max(2 * self._passed, self._rate))
        return cubic(self._good, self._low, self._grown)

    def _cut(self, now: float) -> None:
        if self._low and self._good is not None:
            self._good = self._rate
            self._set_rate(self._rate * CUT)
        else:
            rate = self._rate if self._low else self._seen(now)
            self._set_rate(rate * FIRST_CUT)
            self._good = self._rate
        self._low = self._rate
        self._grown = 0.0
        self._cut_at = now
        self._next = max(self._next, now + HOLD)

    def _seen(self, now: float) -> float:
        """Return the rate at which an open pace was served, at least START_RATE."""
        present = self._accepted / max(now - self._window, WINDOW)
        return max(present, self._passed, START_RATE)


class Limiter:
    """One :class:`Pace` for each connected account and operation; at most MAX_PACES of them.

    Safe to share between threads.
    """

    __slots__ = ("_limits", "_lock", "_paces")

    def __init__(self, limits: Limits | None = None) -> None:
        self._limits = limits or Limits()
        self._lock = Lock()
        self._paces: dict[tuple[str | None, str], Pace] = {}

    def __len__(self) -> int:
        return len(self._paces)

    def pace(self, stripe_account: str | None, operation: str) -> Pace:
        """Return the pace of *operation* on behalf of *stripe_account* (None: the key's own)."""
        key = (stripe_account, operation)
        return self._paces.get(key) or self._add(key)

    def _add(self, key: tuple[str | None, str]) -> Pace:
        with self._lock:
            if len(self._paces) >= MAX_PACES:
                self._forget()
            return self._paces.setdefault(key, Pace(self._limits))

    def _forget(self) -> None:
        """Drop what learnt nothing; if that is not half of all, the longest unused as well."""
        now = max(pace.last_used for pace in self._paces.values())
        for key in list(self._idle(now)):
            del self._paces[key]
        by_use = sorted(self._paces, key=lambda key: self._paces[key].last_used)
        for key in by_use[: max(0, len(by_use) - MAX_PACES // 2)]:
            del self._paces[key]

    def _idle(self, now: float) -> Iterator[tuple[str | None, str]]:
        return (key for key, pace in self._paces.items() if pace.idle(now))
