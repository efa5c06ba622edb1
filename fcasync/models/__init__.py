"""Stripe's objects as attrs classes.

Field names are Stripe's. Instants are aware UTC datetimes, enums are open, and amounts are whole
minor units. Only ``id`` and ``object`` are required; every other field may be None. Fields that
this version does not know are kept in ``.extra``.
"""

from fcasync.models.account import (
    Account,
    AccountHolder,
    AccountNumberDetails,
    ActiveStatusDetails,
    StatusDetails,
)
from fcasync.models.authorization import (
    ActiveAuthorizationDetails,
    Authorization,
    AuthorizationStatusDetails,
    InactiveAuthorizationDetails,
)
from fcasync.models.balance import Balance, CashBalance, CreditBalance
from fcasync.models.enums import (
    AccountAction,
    AccountCategory,
    AccountHolderType,
    AccountNumberStatus,
    AccountStatus,
    AccountSubcategory,
    AuthorizationStatus,
    BalanceType,
    IdentifierType,
    ManualEntryMode,
    Network,
    PaymentMethodSupport,
    PaymentMethodType,
    Permission,
    PrefetchFeature,
    RefreshFeature,
    RefreshStatus,
    StatusAction,
    StatusCause,
    Subscription,
    TransactionStatus,
)
from fcasync.models.event import Event, EventData, EventRequest, SnapshotEvent
from fcasync.models.event_type import EventName, EventType, ThinEventName, ThinEventType
from fcasync.models.expanded import ExpandedObject
from fcasync.models.money import Money
from fcasync.models.ownership import AccountOwner, AccountOwnership
from fcasync.models.page import ItemList, Page
from fcasync.models.refresh import BalanceRefresh, OwnershipRefresh, TransactionRefresh
from fcasync.models.session import ManualEntry, Session, SessionFilters, SessionLimits
from fcasync.models.thin_event import AnyEvent, EventReason, RelatedObject, ThinEvent
from fcasync.models.token import BankAccountToken
from fcasync.models.transaction import StatusTransitions, Transaction

__all__ = [
    "Account",
    "AccountAction",
    "AccountCategory",
    "AccountHolder",
    "AccountHolderType",
    "AccountNumberDetails",
    "AccountNumberStatus",
    "AccountOwner",
    "AccountOwnership",
    "AccountStatus",
    "AccountSubcategory",
    "ActiveAuthorizationDetails",
    "ActiveStatusDetails",
    "AnyEvent",
    "Authorization",
    "AuthorizationStatus",
    "AuthorizationStatusDetails",
    "Balance",
    "BalanceRefresh",
    "BalanceType",
    "BankAccountToken",
    "CashBalance",
    "CreditBalance",
    "Event",
    "EventData",
    "EventName",
    "EventReason",
    "EventRequest",
    "EventType",
    "ExpandedObject",
    "IdentifierType",
    "InactiveAuthorizationDetails",
    "ItemList",
    "ManualEntry",
    "ManualEntryMode",
    "Money",
    "Network",
    "OwnershipRefresh",
    "Page",
    "PaymentMethodSupport",
    "PaymentMethodType",
    "Permission",
    "PrefetchFeature",
    "RefreshFeature",
    "RefreshStatus",
    "RelatedObject",
    "Session",
    "SessionFilters",
    "SessionLimits",
    "SnapshotEvent",
    "StatusAction",
    "StatusCause",
    "StatusDetails",
    "StatusTransitions",
    "Subscription",
    "ThinEvent",
    "ThinEventName",
    "ThinEventType",
    "Transaction",
    "TransactionRefresh",
    "TransactionStatus",
]
