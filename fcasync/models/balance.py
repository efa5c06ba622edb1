"""An account's balance. Amounts are in the currency's minor unit (cents), keyed by ISO code."""

from datetime import datetime
from typing import Literal

import attrs

from fcasync.models._base import Model
from fcasync.models.enums import BalanceType
from fcasync.models.money import Money


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class CashBalance(Model):
    """The money that can be spent from a cash account."""

    available: dict[str, int] | None = None
    """Minor units per lower-case currency; pending withdrawals are subtracted."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class CreditBalance(Model):
    """The credit that is in use."""

    used: dict[str, int] | None = None
    """Minor units per lower-case currency; positive is money owed."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Balance(Model):
    """An account's balance at one instant, as its bank reported it."""

    as_of: datetime | None = None
    """The time for which the bank reported the balance."""

    cash: CashBalance | None = None
    """Set if the type is cash."""

    credit: CreditBalance | None = None
    """Set if the type is credit."""

    current: dict[str, int] | None = None
    """Minor units per lower-case currency, without pending transactions; negative is money owed."""

    type: BalanceType | str | None = None

    @property
    def basis(self) -> Literal["available", "current"] | None:
        """Which amounts :attr:`available_or_current` shows; None if the bank reported neither."""
        if self.cash is not None and self.cash.available:
            return "available"
        return "current" if self.current else None

    @property
    def available_or_current(self) -> dict[str, Money]:
        """What can be spent or, where the bank does not say that, what was booked, by currency.

        Money that the holder owes is negative. Of a credit account only ``current`` is shown,
        which is negative while the card is in use; ``credit.used`` is the same debt with the
        opposite sign. Empty if the bank reported neither.
        """
        cash = self.cash.available if self.cash is not None else None
        amounts = cash or self.current or {}
        return {currency: Money(amount, currency) for currency, amount in amounts.items()}
