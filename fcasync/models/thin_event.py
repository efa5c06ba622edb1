"""Thin events: what happened to which object, without the object."""

from datetime import datetime
from typing import Annotated, Any, Literal, TypeAlias

import attrs

from fcasync.models._base import Identified, Model
from fcasync.models._rfc3339 import RFC3339, written
from fcasync.models.event import EventRequest, SnapshotEvent
from fcasync.models.event_type import ThinEventType


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class RelatedObject(Model):
    """The object that a thin event is about, by its place in the API."""

    id: str | None = None
    """None for what there is only one of, such as a balance."""

    type: str | None = None
    """Such as ``financial_connections.account``."""

    url: str | None = None
    """Its path, such as ``/v1/financial_connections/accounts/fca_...``."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class EventReason(Model):
    """Why an event happened."""

    request: EventRequest | None = None
    type: str | None = None
    """``request`` if a request caused it."""


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class ThinEvent(Identified):
    """Something that happened, without the object that it happened to.

    ``client.events.fetch_related(event)`` reads that object as it is now. Source:
    https://docs.stripe.com/api/v2/core/events/object.
    """

    changes: dict[str, Any] | None = None
    """The changed fields before and after; not in what a webhook delivers."""

    context: str | None = None
    """The tenant on which it happened (``acct_...``); None for the account of the key."""

    created: Annotated[datetime, RFC3339] | None = None
    livemode: bool | None = None
    object: Literal["v2.core.event"] = "v2.core.event"
    reason: EventReason | None = None
    related_object: RelatedObject | None = None
    snapshot_event: str | None = None
    """Id of the snapshot event that says the same, if there is one."""

    type: ThinEventType | str | None = None

    @staticmethod
    def _written(instant: datetime) -> str:
        return written(instant)


AnyEvent: TypeAlias = SnapshotEvent | ThinEvent
"""Any event that a webhook may deliver."""
