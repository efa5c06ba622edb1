"""Rate limits: token buckets per account and per endpoint, and a limit on requests in flight.

Stripe documents 100 requests a second in live mode, 25 in a sandbox and 25 per endpoint, and
names the exhausted limit in ``Stripe-Rate-Limited-Reason``
(https://docs.stripe.com/rate-limits).
"""

import heapq

import attrs

from fcasync.sandbox._api.error_bodies import rate_limited


@attrs.frozen(kw_only=True)
class RateLimit:
    """What an account may do. Rates are in requests per second; None means no limit."""

    rate: float | None = None
    """All operations together."""
    endpoint: float | None = None
    """Each operation on its own."""
    concurrency: int | None = None
    """Requests in flight at the same time; only those that a fault or `latency` holds overlap."""


PRESETS = {
    "sandbox": RateLimit(rate=25, endpoint=25),
    "live": RateLimit(rate=100, endpoint=25),
}


def rate_limit(limit: "RateLimit | str | float | None") -> RateLimit:
    """Return the limits that *limit* names: a preset, a total rate, or None for no limit.

    Raises:
        ValueError: The preset is unknown, or the rate is not above 0.
    """
    if limit is None:
        return RateLimit()
    if isinstance(limit, RateLimit):
        return limit
    if isinstance(limit, str):
        if limit not in PRESETS:
            raise ValueError(f"rate_limit={limit!r} is not a preset; use {' or '.join(PRESETS)}")
        return PRESETS[limit]
    if not limit > 0:
        raise ValueError(f"rate_limit={limit!r} must be above 0")
    return RateLimit(rate=float(limit))


@attrs.frozen
class _Bucket:
    """Holds up to one second of tokens, at least one."""

    tokens: float
    at: float

    def refilled(self, rate: float, now: float) -> "_Bucket":
        grown = self.tokens + max(0.0, now - self.at) * rate
        return _Bucket(min(max(rate, 1.0), grown), now)


class Limiter:
    """The buckets of one account."""

    def __init__(self, limit: RateLimit) -> None:
        self.limit = limit
        self._buckets: dict[str, _Bucket] = {}
        """By operation; the one for all of them together has an empty name."""
        self._ends: list[float] = []
        """A heap of the times at which the requests in flight end."""

    def copy(self) -> "Limiter":
        """Return a limiter that changes on its own from here on."""
        twin = Limiter(self.limit)
        twin._buckets = self._buckets.copy()
        twin._ends = self._ends.copy()
        return twin

    def admit(self, operation: str, now: float) -> None:
        """Take a token from each bucket for one request.

        Raises:
            ApiError: A limit is exhausted; nothing was taken.
        """
        while self._ends and self._ends[0] <= now:
            heapq.heappop(self._ends)
        most = self.limit.concurrency
        if most is not None and len(self._ends) >= most:
            raise rate_limited("global-concurrency")
        taken = {}
        for name, rate in (("", self.limit.rate), (operation, self.limit.endpoint)):
            if rate is None:
                continue
            bucket = self._buckets.get(name, _Bucket(max(rate, 1.0), now)).refilled(rate, now)
            if bucket.tokens < 1.0:
                raise rate_limited("endpoint-rate" if name else "global-rate")
            taken[name] = _Bucket(bucket.tokens - 1.0, now)
        self._buckets.update(taken)

    def occupy(self, until: float) -> None:
        """Count a request as in flight until then."""
        if self.limit.concurrency is not None:
            heapq.heappush(self._ends, until)
