"""``client.events``: https://docs.stripe.com/api/events."""

from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, TypeAlias, Unpack

import attrs

from fcasync._rules import checks
from fcasync._rules.raw import raw_request, with_extra
from fcasync._rules.request import Operation
from fcasync.errors import InvalidArgumentError, ProtocolError, describe
from fcasync.models import (
    Account,
    Authorization,
    Event,
    EventName,
    EventType,
    Page,
    Session,
    SnapshotEvent,
    ThinEvent,
    ThinEventName,
    ThinEventType,
    Transaction,
)
from fcasync.models._convert import decoder
from fcasync.models._rfc3339 import written
from fcasync.models.page import PageV2
from fcasync.resources import accounts
from fcasync.resources._arguments import ListOptions, PageOptions, spelled_out
from fcasync.resources._paginator import Paginator
from fcasync.resources._resource import Resource, as_raw, as_raw_page
from fcasync.resources.transactions import InstantRange

_Event: Any = Event  # which class of Event depends on its type

LIST_EVENTS: Operation[Page[SnapshotEvent]] = Operation(
    name="list_events", method="GET", route="/v1/events", decode=decoder(Page[_Event])
)
RETRIEVE_EVENT: Operation[SnapshotEvent] = Operation(
    name="retrieve_event", method="GET", route="/v1/events/{event}", decode=decoder(_Event)
)
_THIN_PAGE: Final = decoder(PageV2[ThinEvent])


def _thin_page(value: object) -> Page[ThinEvent]:
    """Return a page of the v2 API, which says neither ``object`` nor ``has_more``."""
    if isinstance(value, dict):
        has_more = value.get("next_page_url") is not None
        value = {**value, "object": "list", "has_more": has_more}
    return _THIN_PAGE(value)


LIST_THIN: Operation[Page[ThinEvent]] = Operation(
    name="list_thin_events", method="GET", route="/v2/core/events", decode=_thin_page
)
RETRIEVE_THIN: Operation[ThinEvent] = Operation(
    name="retrieve_thin_event",
    method="GET",
    route="/v2/core/events/{event}",
    decode=decoder(ThinEvent),
)

MOST_TYPES: Final = 20
"""What Stripe filters by at once, at most (https://docs.stripe.com/api/events/list)."""

Related: TypeAlias = Account | Authorization | Session | Transaction | dict[str, Any]
"""What a thin event is about: a dict if fcasync has no model of it."""

_MODELS: Final[Mapping[str | None, Any]] = {
    "financial_connections.account": Account,
    "financial_connections.authorization": Authorization,
    "financial_connections.session": Session,
    "financial_connections.transaction": Transaction,
}


class Events(Resource):
    """What happened at Stripe, for 30 days; after that Stripe forgets its events."""

    @spelled_out(ListOptions)
    def list(
        self,
        *,
        types: Sequence[EventName | EventType | str] | None = None,
        created: InstantRange | datetime | int | None = None,
        delivery_success: bool | None = None,
        **options: Unpack[ListOptions],
    ) -> Paginator[SnapshotEvent]:
        """List snapshot events of the last 30 days, newest first; :meth:`list_thin` has others.

        Args:
            types: Only events of these types, at most 20.
            created: Only events of this instant or range of time.
            delivery_success: True for events that all webhook endpoints have taken, False for those
                whose delivery has failed or is still pending.
            options: See :class:`ListOptions`.

        Raises:
            InvalidArgumentError: *types* is empty or has more than 20 types, or
                *delivery_success* is not a bool.
        """
        params = {
            "types": None if types is None else _types(types),
            "created": created,
            "delivery_success": _flag(delivery_success, "delivery_success"),
        }
        return self._list(LIST_EVENTS, None, params, options)

    @spelled_out(PageOptions)
    def list_thin(
        self,
        *,
        types: Sequence[ThinEventName | ThinEventType | str] | None = None,
        created: InstantRange | None = None,
        object_id: str | Account | None = None,
        **options: Unpack[PageOptions],
    ) -> Paginator[ThinEvent]:
        """List thin events of the last 30 days (``GET /v2/core/events``).

        Stripe does not document in which order. A view for a connected account asks with the
        header ``Stripe-Context``, which supersedes ``Stripe-Account`` in the v2 API. Source:
        https://docs.stripe.com/api/v2/core/events/list.

        Args:
            types: Only events of these types, at most 20.
            created: Only events of this range of time.
            object_id: Only events about this object: an account, or its id.
            options: See :class:`PageOptions`.

        Raises:
            InvalidArgumentError: *types* is empty or has more than 20 types, *created* is not a
                range of aware datetimes or Unix seconds, or *object_id* is not an id.
        """
        params = {
            "types": None if types is None else _types(types),
            "created": None if created is None else _range(created),
            "object_id": None if object_id is None else checks.object_id(object_id, "object_id"),
        }
        tenant = self._on(self._options.acting_for)
        return tenant._list(LIST_THIN, None, params, options, has_tokens=True)

    async def retrieve_thin(
        self, event: str | ThinEvent, *, extra_params: Mapping[str, Any] | None = None
    ) -> ThinEvent:
        """Return one thin event of the last 30 days (``GET /v2/core/events/{id}``).

        A view for a connected account asks as :meth:`list_thin` does. Source:
        https://docs.stripe.com/api/v2/core/events/retrieve.

        Raises:
            NotFoundError: There is no such event, or it is older than 30 days.
        """
        tenant = self._on(self._options.acting_for)
        return await tenant._call(RETRIEVE_THIN, event, with_extra({}, extra_params))

    async def retrieve(
        self,
        event: str | SnapshotEvent,
        *,
        expand: Sequence[str] | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> SnapshotEvent:
        """Return one snapshot event of the last 30 days, with the object as it was then.

        Raises:
            NotFoundError: There is no such event, or it is older than 30 days.
        """
        return await self._retrieve(RETRIEVE_EVENT, event, expand, extra_params)

    async def fetch_related(
        self,
        event: ThinEvent,
        *,
        expand: Sequence[str] | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> Related:
        """Return the object that a thin event is about, as it is now.

        It is read for the tenant on which the event happened (``event.context``), or for that of
        this client if the event names none.

        Args:
            event: A thin event; the object of a snapshot event is in ``event.data.object``.
            expand: Fields to include as objects, such as ``["ownership"]``.
            extra_params: Parameters that fcasync does not know.

        Returns:
            An `Account`, `Authorization`, `Session` or `Transaction`; a dict for other objects.

        Raises:
            InvalidArgumentError: It is not a thin event, or does not say which object it is about.
            NotFoundError: The object is gone, or the API key has no access to it.
        """
        if not isinstance(event, ThinEvent):
            raise InvalidArgumentError(
                f"event must be a ThinEvent, not {type(event).__name__}; the object of a snapshot "
                "event is in event.data.object"
            )
        return await self._on(event.context)._related(event, expand, extra_params)

    def _on(self, context: str | None) -> "Events":
        """Return these methods for the tenant *context*; None for this client's own."""
        if context is None:
            return self
        tenant = checks.header_value(context, "event.context")
        options = attrs.evolve(self._options, stripe_account=None, stripe_context=tenant)
        return Events(self._engine, options, is_raw=self._is_raw)

    def _related(
        self, event: ThinEvent, expand: object, extra: object
    ) -> Coroutine[Any, Any, Related]:
        related = event.related_object
        if related is None or related.url is None:
            raise InvalidArgumentError(
                f"event {event.id} of type {describe(event.type)} does not say which object it is "
                "about: it has no related_object with a url"
            )
        if related.type == "financial_connections.account" and related.id is not None:
            return self._retrieve(accounts.RETRIEVE, related.id, expand, extra)
        model = _MODELS.get(related.type)
        request = raw_request(
            "GET",
            related.url,
            self._options,
            _parsed(related.id) if model is None else decoder(model),
            params=with_extra({"expand": expand}, extra),
        )
        request.object_id = related.id
        return self._send(request)

    @property
    def with_raw_response(self) -> "EventsWithRawResponse":
        """The same methods, which here return a :class:`fcasync.Response` that holds the value."""
        return EventsWithRawResponse(self._raw())


class EventsWithRawResponse:
    """The methods of :class:`Events`, with the response's headers, ids and attempts."""

    def __init__(self, raw: Events) -> None:
        self.list: Final = as_raw_page(raw.list)
        self.list_thin: Final = as_raw_page(raw.list_thin)
        self.retrieve_thin: Final = as_raw(raw.retrieve_thin)
        self.retrieve: Final = as_raw(raw.retrieve)
        self.fetch_related: Final = as_raw(raw.fetch_related)


def _types(types: object) -> Sequence[str]:
    names = checks.features(types, "types")
    if len(names) > MOST_TYPES:
        raise InvalidArgumentError(
            f"types must name at most {MOST_TYPES} types of events, not {len(names)}; list them in "
            "several calls"
        )
    return names


def _flag(value: object, name: str) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise InvalidArgumentError(f"{name} must be True or False, not {describe(value)}")


def _range(created: object) -> dict[str, str]:
    """Return a range of time as the v2 API takes it, in RFC 3339."""
    if not isinstance(created, Mapping):
        raise InvalidArgumentError(
            f"created must be a range such as {{'gte': datetime.now(UTC)}}, not {describe(created)}"
        )
    return {str(bound): written(_instant(at, str(bound))) for bound, at in created.items()}


def _instant(at: object, bound: str) -> datetime:
    if isinstance(at, datetime) and at.utcoffset() is not None:
        return at
    if type(at) is int:
        try:
            return datetime.fromtimestamp(at, UTC)
        except (OverflowError, ValueError, OSError):
            pass
    raise InvalidArgumentError(
        f"created[{bound}] must be an aware datetime or Unix seconds, not {describe(at)}"
    )


def _parsed(object_id: str | None) -> Callable[[object], dict[str, Any]]:
    """Return the decoder of an object without a model; None as its id fits any."""

    def decode(value: object) -> dict[str, Any]:
        if not isinstance(value, dict):
            raise ProtocolError(f"$: expected an object, not a {type(value).__name__}")
        if object_id is not None and value.get("id") != object_id:
            raise ProtocolError(f"$.id: expected {object_id!r}, not {describe(value.get('id'))}")
        return value

    return decode
