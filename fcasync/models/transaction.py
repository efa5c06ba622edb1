"""A transaction on a linked account."""

from datetime import datetime
from typing import Literal

import attrs

from fcasync.models import _show
from fcasync.models._base import Identified, Model
from fcasync.models.enums import TransactionStatus
from fcasync.models.money import Money


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class StatusTransitions(Model):
    """When a transaction reached each status; None if it has not."""

    posted_at: datetime | None = None
    void_at: datetime | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Transaction(Identified):
    """A transaction, as the bank reported it."""

    account: str | None = None
    """Id of the linked account."""

    amount: int | None = None
    """Minor units; negative is money out."""

    currency: str | None = None
    """Three-letter ISO code, lower case."""

    description: str | None = None
    livemode: bool | None = None
    object: Literal["financial_connections.transaction"] = "financial_connections.transaction"
    status: TransactionStatus | str | None = None
    status_transitions: StatusTransitions | None = None
    transacted_at: datetime | None = None
    transaction_refresh: str | None = None
    """Id of the refresh that last touched this transaction."""

    updated: datetime | None = None

    @property
    def money(self) -> Money | None:
        """Amount and currency in one; negative is money out. None if one of them is missing."""
        if self.amount is None or self.currency is None:
            return None
        return Money(self.amount, self.currency)

    def _row(self) -> dict[str, str]:
        known = self.amount is not None and self.currency is not None
        return _show.row(
            id=self.id,
            transacted_at=self.transacted_at,
            description=self.description,
            amount={self.currency: self.amount} if known else None,
            status=self.status,
        )
