"""Snapshot events, which hold the object that they are about."""

from datetime import datetime
from typing import Any, Final, Generic, Literal, TypeAlias, TypeVar

import attrs

from fcasync.models._base import Identified, Model
from fcasync.models.account import Account
from fcasync.models.authorization import Authorization
from fcasync.models.event_type import EventType

T = TypeVar("T")


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


SnapshotEvent: TypeAlias = Event[Account] | Event[Authorization] | Event[dict[str, Any]]
"""An event with its object; only events of an unknown type hold a dict."""

_CLASSES: Final[dict[object, Any]] = {
    kind: Event[Authorization] if ".authorization." in kind else Event[Account]
    for kind in EventType
}
UNKNOWN_EVENT: Final[Any] = Event[dict[str, Any]]


def event_class(kind: object) -> Any:
    """Return the class of an event of type *kind*; it holds a dict if the type is unknown."""
    return _CLASSES.get(kind, UNKNOWN_EVENT) if isinstance(kind, str) else UNKNOWN_EVENT


def with_object(value: Any, cls: Any) -> Any:
    """Return *value*, parsed JSON of an event of *cls*, with the object that it may lack.

    A type that is unknown promises no object, so its event may have no data.
    """
    if cls is UNKNOWN_EVENT and isinstance(value, dict) and value.get("data") is None:
        return {**value, "data": {"object": {}}} if value else value
    return value
