"""An account's balance. Amounts are in the currency's minor unit (cents), keyed by ISO code."""

from datetime import datetime

import attrs

from fcasync.models._base import Model
from fcasync.models.enums import BalanceType


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
