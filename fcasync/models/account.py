"""A linked account and its parts."""

from datetime import datetime
from typing import Literal

import attrs

from fcasync.models import _show
from fcasync.models._base import Identified, Model
from fcasync.models.balance import Balance
from fcasync.models.enums import (
    AccountAction,
    AccountCategory,
    AccountHolderType,
    AccountNumberStatus,
    AccountStatus,
    AccountSubcategory,
    IdentifierType,
    Network,
    PaymentMethodType,
    Permission,
    RefreshFeature,
    StatusAction,
    StatusCause,
    Subscription,
)
from fcasync.models.expanded import ExpandedObject
from fcasync.models.ownership import AccountOwnership
from fcasync.models.refresh import BalanceRefresh, OwnershipRefresh, TransactionRefresh


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class AccountHolder(Model):
    """The customer or the Stripe account that an account is linked to."""

    account: str | ExpandedObject | None = None
    """Id of the Stripe account, or the account itself when expanded."""

    customer: str | ExpandedObject | None = None
    """Id of the customer, or the customer itself when expanded."""

    customer_account: str | None = None
    type: AccountHolderType | str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class AccountNumberDetails(Model):
    """What Stripe knows about an account number; the number itself is never sent."""

    expected_expiry_date: datetime | None = None
    """When a tokenized number is expected to stop working."""

    identifier_type: IdentifierType | str | None = None
    status: AccountNumberStatus | str | None = None
    supported_networks: list[Network | str] | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class ActiveStatusDetails(Model):
    """Why an active account is about to be deactivated."""

    action: StatusAction | str | None = None
    cause: StatusCause | str | None = None
    expected_deactivation_date: datetime | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class StatusDetails(Model):
    """Details of an account's status."""

    active: ActiveStatusDetails | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Account(Identified):
    """A bank account that its holder linked."""

    account_holder: AccountHolder | None = None
    account_numbers: list[AccountNumberDetails] | None = None
    balance: Balance | None = None
    """None until a balance refresh has succeeded."""

    balance_refresh: BalanceRefresh | None = None
    category: AccountCategory | str | None = None
    created: datetime | None = None
    display_name: str | None = None
    institution_name: str | None = None
    last4: str | None = None
    livemode: bool | None = None
    object: Literal["financial_connections.account"] = "financial_connections.account"
    ownership: str | AccountOwnership | None = None
    """Id of the latest ownership object, or the object itself when expanded."""

    ownership_refresh: OwnershipRefresh | None = None
    permissions: list[Permission | str] | None = None
    status: AccountStatus | str | None = None
    status_details: StatusDetails | None = None
    subcategory: AccountSubcategory | str | None = None
    subscriptions: list[Subscription | str] | None = None
    supported_payment_method_types: list[PaymentMethodType | str] | None = None
    transaction_refresh: TransactionRefresh | None = None

    def refresh_of(
        self, feature: RefreshFeature | str
    ) -> BalanceRefresh | OwnershipRefresh | TransactionRefresh | None:
        """Return the latest refresh of *feature*; None if there was none, or for other features."""
        match feature:
            case RefreshFeature.BALANCE:
                return self.balance_refresh
            case RefreshFeature.OWNERSHIP:
                return self.ownership_refresh
            case RefreshFeature.TRANSACTIONS:
                return self.transaction_refresh
            case _:
                return None

    @property
    def action(self) -> AccountAction:
        """What has to be done about this account, from its status and the details of it.

        * ``relink``: it is disconnected; it is inactive, unless Stripe says that relinking does
          not help; or it is active and Stripe asks for a relink before
          ``status_details.active.expected_deactivation_date``.
        * ``wait``: it is inactive, and its holder cannot repair it by relinking.
        * ``none``: anything else.

        ``status_details.inactive`` is sent by preview versions only
        (https://docs.stripe.com/financial-connections/relink).
        """
        details = self.status_details
        if self.status == AccountStatus.DISCONNECTED:
            return AccountAction.RELINK
        if self.status == AccountStatus.INACTIVE:
            inactive = details.extra.get("inactive") if details is not None else None
            known = inactive.get("action") if isinstance(inactive, dict) else None
            return AccountAction.WAIT if known == StatusAction.NONE else AccountAction.RELINK
        active = details.active if details is not None else None
        is_due = active is not None and active.action == StatusAction.RELINK_REQUIRED
        return AccountAction.RELINK if is_due else AccountAction.NONE

    def _row(self) -> dict[str, str]:
        return _show.row(
            id=self.id,
            institution_name=self.institution_name,
            display_name=self.display_name,
            last4=self.last4,
            status=self.status,
            balance=self.balance and self.balance.current,
            balance_as_of=self.balance and self.balance.as_of,
            balance_refresh=self.balance_refresh and self.balance_refresh.status,
        )
