"""Who owns an account, as its bank reported it."""

from datetime import datetime
from typing import Literal

import attrs

from fcasync.models._base import Identified
from fcasync.models._show import PRIVATE
from fcasync.models.page import Page


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class AccountOwner(Identified):
    """One owner of an account. Reprs hide the contact details."""

    email: str | None = attrs.field(default=None, metadata={PRIVATE: True})
    name: str | None = None
    object: Literal["financial_connections.account_owner"] = "financial_connections.account_owner"
    ownership: str | None = None
    """Id of the ownership object that this owner belongs to."""

    phone: str | None = attrs.field(default=None, metadata={PRIVATE: True})
    raw_address: str | None = attrs.field(default=None, metadata={PRIVATE: True})
    """The address in one line, as the bank wrote it."""

    refreshed_at: datetime | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class AccountOwnership(Identified):
    """All owners of an account as of one ownership refresh."""

    created: datetime | None = None
    object: Literal["financial_connections.account_ownership"] = (
        "financial_connections.account_ownership"
    )
    owners: Page[AccountOwner] | None = None
    """The first page of owners; ``client.accounts.list_owners`` lists all of them."""
