"""The latest attempt to read something from an account's bank."""

from datetime import datetime

import attrs

from fcasync.models._base import Identified, Model
from fcasync.models.enums import RefreshStatus


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class BalanceRefresh(Model):
    """The latest attempt to read an account's balance."""

    last_attempted_at: datetime | None = None
    next_refresh_available_at: datetime | None = None
    """The earliest time at which Stripe accepts a new refresh; None if unknown."""

    status: RefreshStatus | str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class OwnershipRefresh(Model):
    """The latest attempt to read who owns an account."""

    last_attempted_at: datetime | None = None
    next_refresh_available_at: datetime | None = None
    """The earliest time at which Stripe accepts a new refresh; None if unknown."""

    status: RefreshStatus | str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class TransactionRefresh(Identified):
    """The latest attempt to read an account's transactions.

    Its id is a cursor of ``client.transactions.sync``, which knows when it is safe to use one.
    """

    last_attempted_at: datetime | None = None
    next_refresh_available_at: datetime | None = None
    """The earliest time at which Stripe accepts a new refresh; None if unknown."""

    status: RefreshStatus | str | None = None
