"""An amount and its currency: exact, and aware of how many decimal places the currency has."""

from decimal import Decimal, InvalidOperation
from functools import total_ordering
from typing import Self

import attrs

from fcasync._facts.money import money, places
from fcasync.errors import InvalidArgumentError, describe

_MOST_DIGITS = 30
"""Far above all money there is; it keeps ``1e999999999`` from filling the memory."""


def _whole(_instance: object, _attribute: object, value: int) -> None:
    if not isinstance(value, int) or isinstance(value, bool):
        raise InvalidArgumentError(
            f"amount must be whole minor units, such as 1250 for 12.50 USD, not {describe(value)}"
        )


def _code(value: object) -> str:
    # Three letters in ISO 4217; Stripe also knows "usdc".
    if isinstance(value, str) and 3 <= len(value) <= 5 and value.isascii() and value.isalpha():
        return value.lower()
    raise InvalidArgumentError(
        f"currency must be a code of letters, such as 'usd', not {describe(value)}"
    )


@total_ordering
@attrs.frozen
class Money:
    """An amount of money, as Stripe counts it (https://docs.stripe.com/currencies#minor-units).

    Amounts of one currency can be added, subtracted, negated and compared. ``str()`` is for
    people: ``Money(123456, "usd")`` is ``1,234.56 USD``, ``Money(500, "jpy")`` is ``500 JPY``.

    Raises:
        InvalidArgumentError: The amount is not whole, or the currency not a code of 3 to 5 letters.
    """

    amount: int = attrs.field(validator=_whole)
    """Minor units: cents for USD, yen for JPY, fils (thousandths) for BHD."""

    currency: str = attrs.field(converter=_code)
    """ISO code, lower case."""

    @classmethod
    def of(cls, decimal: Decimal | str | int, currency: str) -> Self:
        """Return an amount that is given in major units: ``Money.of("12.50", "usd")``.

        Raises:
            InvalidArgumentError: It is not a number, a float (which is not exact), or finer than
                the currency's minor unit.
        """
        digits = places(_code(currency))
        minor = _minor(decimal, digits)
        if minor is None:
            raise InvalidArgumentError(
                f"an amount in {currency.upper()} must be a Decimal, a string or an int with at "
                f"most {digits} decimal places, not {describe(decimal)}"
            )
        return cls(minor, currency)

    @property
    def decimal(self) -> Decimal:
        """The amount in major units, exactly: ``Decimal("1234.56")``, ``Decimal("500")``."""
        sign, digits, _ = Decimal(self.amount).as_tuple()
        return Decimal((sign, digits, -places(self.currency)))

    def __str__(self) -> str:
        return money({self.currency: self.amount})

    def __format__(self, spec: str) -> str:
        return format(str(self), spec)

    def __abs__(self) -> "Money":
        return Money(abs(self.amount), self.currency)

    def __radd__(self, other: object) -> "Money":
        # sum() begins with 0.
        return self if other == 0 else NotImplemented

    def __neg__(self) -> "Money":
        return Money(-self.amount, self.currency)

    def __add__(self, other: object) -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.amount + self._alike(other, "added"), self.currency)

    def __sub__(self, other: object) -> "Money":
        if not isinstance(other, Money):
            return NotImplemented
        return Money(self.amount - self._alike(other, "subtracted"), self.currency)

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, Money):
            return NotImplemented
        return self.amount < self._alike(other, "compared")

    def _alike(self, other: "Money", verb: str) -> int:
        """Return the amount of *other*, which must be of the same currency."""
        if other.currency != self.currency:
            raise TypeError(
                f"{self.currency.upper()} and {other.currency.upper()} cannot be {verb}: "
                "convert one of them first"
            )
        return other.amount


def _minor(value: object, digits: int) -> int | None:
    """Return *value* in minor units; None if it is not exact, not finite or not a number."""
    if not isinstance(value, Decimal | str | int) or isinstance(value, bool):
        return None
    try:
        number = Decimal(value)
    except (InvalidOperation, ValueError):
        return None
    if not number.is_finite() or abs(number.adjusted()) > _MOST_DIGITS:
        return None
    numerator, denominator = number.as_integer_ratio()
    minor, rest = divmod(numerator * 10**digits, denominator)
    return None if rest else minor
