"""How often, after how long and out of which quota to retry; `_wire/retries.py` decides by it.

The shape is that of the AWS SDKs' retry specification 2.1: full jitter over a capped exponential
backoff, and a quota shared by all calls of a client, so that an outage is not answered with a
storm of retries.
"""

from collections.abc import Callable
from typing import Any

import attrs

from fcasync._facts.locks import SHARED
from fcasync.errors import InvalidArgumentError, describe


def _at_least(bound: float) -> Callable[[Any, "attrs.Attribute[Any]", Any], None]:
    def check(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
        if not isinstance(value, int | float) or isinstance(value, bool) or not value >= bound:
            raise InvalidArgumentError(
                f"{attribute.name} must be a number of at least {bound}, not {describe(value)}"
            )

    return check


def _whole(_: object, attribute: "attrs.Attribute[Any]", value: object) -> None:
    if not isinstance(value, int):
        raise InvalidArgumentError(
            f"{attribute.name} must be a whole number, not {describe(value)}"
        )


@attrs.frozen(kw_only=True)
class RetryPolicy:
    """How often a failure is retried, and after how long. Durations are in seconds."""

    attempts: int = attrs.field(default=4, validator=[_at_least(1), _whole])
    """Requests sent at the most, the first one included; 1 switches retries off."""
    base: float = attrs.field(default=0.5, validator=_at_least(0))
    """The longest wait before the second attempt; it doubles from then on."""
    rate_limit_base: float = attrs.field(default=1.0, validator=_at_least(0))
    """The same after a 429."""
    cap: float = attrs.field(default=8.0, validator=_at_least(0))
    """No backoff is longer than this."""
    retry_after_slack: float = attrs.field(default=5.0, validator=_at_least(0))
    """A ``Retry-After`` header may lengthen the computed wait by at most this."""

    def wait(
        self, attempt: int, draw: float, *, rate_limited: bool, retry_after: float | None = None
    ) -> float:
        """Return the seconds to wait after the failure of attempt number *attempt*.

        Args:
            attempt: 1 after the first failure.
            draw: A number in [0, 1] that picks the jitter.
            rate_limited: Whether the failure was a 429.
            retry_after: What the server asked for; it never shortens the wait.
        """
        base = self.rate_limit_base if rate_limited else self.base
        # Beyond 2**64 the cap has long won; the bound keeps the power from overflowing.
        computed = draw * min(self.cap, base * 2.0 ** min(attempt - 1, 64))
        if retry_after is None:
            return computed
        return min(max(computed, retry_after), computed + self.retry_after_slack)


class RetryQuota:
    """The retries that all calls of one client may still make.

    Each retry takes tokens, each success gives some back; when there are none left, failures are
    final at once, until successes have refilled it. Safe to share between threads.
    """

    def __init__(self, capacity: int = 500, *, cost: int = 14, rate_limit_cost: int = 5) -> None:
        self.capacity = capacity
        self.available: int = capacity
        """Tokens left; never negative, never above the capacity."""
        self._cost = cost
        self._rate_limit_cost = rate_limit_cost

    def __repr__(self) -> str:
        return f"<RetryQuota {self.available} of {self.capacity} tokens left>"

    def acquire(self, *, rate_limited: bool) -> int | None:
        """Take the tokens of one retry; None, and nothing taken, when there are too few."""
        cost = self._rate_limit_cost if rate_limited else self._cost
        with SHARED:
            if self.available < cost:
                return None
            self.available -= cost
        return cost

    def release(self, tokens: int = 1) -> None:
        """Give back what the last retry of a successful call took, or 1 if it needed none."""
        if self.available >= self.capacity:
            return
        with SHARED:
            self.available = min(self.capacity, self.available + tokens)
