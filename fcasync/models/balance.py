"""An account's balance. Amounts are in the currency's minor unit (cents), keyed by ISO code."""

from datetime import datetime

import attrs

from fcasync.models._base import Model
from fcasync.models.enums import BalanceType


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class CashBalance(Model):
    """What is left to spend on a cash account."""

    available: dict[str, int] | None = None
    """Minor units per lower-case currency; pending withdrawals are taken off."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class CreditBalance(Model):
    """What is used of a credit account."""

    used: dict[str, int] | None = None
    """Minor units per lower-case currency; positive is money owed."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Balance(Model):
    """An account's balance at one instant, as its bank reported it."""

    as_of: datetime | None = None
    """When the bank says that the balance held; aware, UTC."""

    cash: CashBalance | None = None
    """Filled in when the type is cash."""

    credit: CreditBalance | None = None
    """Filled in when the type is credit."""

    current: dict[str, int] | None = None
    """Minor units per lower-case currency, before pending transactions; owed money is negative."""

    type: BalanceType | str | None = None
