"""A session in which an account holder links accounts."""

from typing import Literal

import attrs

from fcasync.models._base import Identified, Model
from fcasync.models._show import PRIVATE
from fcasync.models.account import Account, AccountHolder
from fcasync.models.enums import (
    AccountSubcategory,
    ManualEntryMode,
    PaymentMethodSupport,
    Permission,
    PrefetchFeature,
)
from fcasync.models.page import Page
from fcasync.models.token import BankAccountToken


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class SessionFilters(Model):
    """Which accounts may be linked.

    API versions before 2026-09-30.endive send ``countries`` instead of ``country``; it is in
    :attr:`extra`.
    """

    account_subcategories: list[AccountSubcategory | str] | None = None
    country: str | None = None
    """Two-letter ISO code of the institutions' country."""

    require_payment_method_support: PaymentMethodSupport | str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class SessionLimits(Model):
    """How many accounts may be linked."""

    accounts: int | None = None
    """The most accounts that the session may link."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class ManualEntry(Model):
    """Whether users may enter account numbers instead of linking accounts."""

    mode: ManualEntryMode | str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Session(Identified):
    """A session in which an account holder links accounts."""

    account_holder: AccountHolder | None = None
    accounts: Page[Account] | None = None
    """The first page of the accounts linked so far."""

    bank_account_token: BankAccountToken | None = None
    client_secret: str | None = attrs.field(default=None, metadata={PRIVATE: True})
    """Lets a browser open the session. Do not store it, log it or put it in URLs."""

    filters: SessionFilters | None = None
    limits: SessionLimits | None = None
    livemode: bool | None = None
    manual_entry: ManualEntry | None = None
    object: Literal["financial_connections.session"] = "financial_connections.session"
    permissions: list[Permission | str] | None = None
    prefetch: list[PrefetchFeature | str] | None = None
    return_url: str | None = None
    """The URL that a mobile web view opens when the session is over."""
