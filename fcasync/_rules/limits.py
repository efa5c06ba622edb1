"""Ceilings that users set for the rate of requests."""

import math

import attrs

from fcasync.errors import InvalidArgumentError, describe


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
