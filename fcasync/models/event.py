"""Events, as webhooks deliver them."""

from datetime import datetime
from enum import StrEnum
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from fcasync.models._base import Identified, Model
from fcasync.models.account import Account
from fcasync.models.authorization import Authorization

T = TypeVar("T")


class EventType(StrEnum):
    """The events of Financial Connections (version 2026-09-30.endive)."""

    ACCOUNT_NUMBERS_UPDATED = "financial_connections.account.account_numbers_updated"
    ACCOUNT_CREATED = "financial_connections.account.created"
    ACCOUNT_DEACTIVATED = "financial_connections.account.deactivated"
    ACCOUNT_DISCONNECTED = "financial_connections.account.disconnected"
    ACCOUNT_EXPECTED_DEACTIVATION_DATE_UPDATED = (
        "financial_connections.account.expected_deactivation_date_updated"
    )
    ACCOUNT_REACTIVATED = "financial_connections.account.reactivated"
    ACCOUNT_REFRESHED_BALANCE = "financial_connections.account.refreshed_balance"
    ACCOUNT_REFRESHED_OWNERSHIP = "financial_connections.account.refreshed_ownership"
    ACCOUNT_REFRESHED_TRANSACTIONS = "financial_connections.account.refreshed_transactions"
    ACCOUNT_SUPPORTED_PAYMENT_METHOD_TYPES_UPDATED = (
        "financial_connections.account.supported_payment_method_types_updated"
    )
    ACCOUNT_UPCOMING_ACCOUNT_NUMBER_EXPIRY = (
        "financial_connections.account.upcoming_account_number_expiry"
    )
    ACCOUNT_UPCOMING_DEACTIVATION = "financial_connections.account.upcoming_deactivation"
    AUTHORIZATION_EXPECTED_DEACTIVATION_DATE_UPDATED = (
        "financial_connections.authorization.expected_deactivation_date_updated"
    )
    AUTHORIZATION_UPCOMING_DEACTIVATION = (
        "financial_connections.authorization.upcoming_deactivation"
    )


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class EventRequest(Model):
    """The API request that caused an event."""

    id: str | None = None
    """Stripe's ``req_...`` id; None if no request caused the event."""

    idempotency_key: str | None = None


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class EventData(Model, Generic[T]):
    """The object that an event is about."""

    object: T
    """The object at the time of the event; a dict if the event type is unknown."""

    previous_attributes: dict[str, Any] | None = None
    """The old values of the fields that changed; only in events named ``..._updated``."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Event(Identified, Generic[T]):
    """Something that happened, as a webhook reports it."""

    account: str | None = None
    """Id of the connected Stripe account on which it happened; None for your own account."""

    api_version: str | None = None
    context: str | None = None
    created: datetime | None = None
    data: EventData[T]
    livemode: bool | None = None
    object: Literal["event"] = "event"
    pending_webhooks: int | None = None
    request: EventRequest | None = None
    type: EventType | str | None = None


AnyEvent: TypeAlias = Event[Account] | Event[Authorization] | Event[dict[str, Any]]
"""Any event that a webhook may deliver; only events of an unknown type hold a dict."""

_CLASSES: Final[dict[object, Any]] = {
    kind: Event[Authorization] if ".authorization." in kind else Event[Account]
    for kind in EventType
}
UNKNOWN_EVENT: Final[Any] = Event[dict[str, Any]]


def event_class(kind: object) -> Any:
    """Return the class of an event of type *kind*; it holds a dict if the type is unknown."""
    return _CLASSES.get(kind, UNKNOWN_EVENT) if isinstance(kind, str) else UNKNOWN_EVENT
