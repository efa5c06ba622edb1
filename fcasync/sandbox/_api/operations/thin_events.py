"""The operations on thin events, which are those of the v2 API."""

from datetime import UTC, datetime
from typing import Any

from fcasync._rules.form import encode
from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.operations.operation import Done, Input, operation
from fcasync.sandbox._api.operations.paging import TIMESTAMPS, within
from fcasync.sandbox._api.params import Integer, List, Object, Text
from fcasync.sandbox._bank.event_bodies import THIN_EVENTS_URL, THIN_SCHEMAS, thin, thin_at
from fcasync.sandbox._bank.ids import parted
from fcasync.sandbox._bank.store import Store

SCHEMAS = THIN_SCHEMAS
_BASE = "/v2/core/"
_DEFAULT_LIMIT = 20
_PARAMS = Object(
    {
        "created": TIMESTAMPS,
        "limit": Integer(1, 100),
        "object_id": Text(),
        "page": Text(),
        "types": List(Text(), 20),
    }
)


@operation("list_thin_events", "GET", "events", params=_PARAMS, returns="thin_events", base=_BASE)
def list_thin_events(store: Store, call: Input) -> Done:
    """List the thin events of the last 30 days, newest first."""
    params = call.params
    found = [
        body
        for event in store.log.readable(call.now)
        if within(thin_at(event), params.get("created"))
        for body in reversed(thin(store, event))
        if _is_wanted(body, params)
    ]
    start = _start(store, found, params.get("page"))
    end = start + params.get("limit", _DEFAULT_LIMIT)
    chosen, more = found[start:end], end < len(found)
    url = f"{THIN_EVENTS_URL}?{_query(params, chosen[-1]['id'])}" if more else None
    return Done({"data": chosen, "next_page_url": url, "previous_page_url": None})


def _is_wanted(body: dict[str, Any], params: dict[str, Any]) -> bool:
    types, about = params.get("types"), params.get("object_id")
    return (types is None or body["type"] in types) and (
        about is None or body["related_object"]["id"] == about
    )


def _start(store: Store, found: list[dict[str, Any]], page: str | None) -> int:
    """Return where a page begins: behind the event that it is named after, found or expired."""
    if page is None:
        return 0
    ids = store.seed.thin_event_ids
    last = ids.decode(page)
    if last is None:
        raise error_bodies.invalid("Invalid page", "page")
    later = [body for body in found if (ids.decode(body["id"]) or 0) >= last]
    return len(later)


def _query(params: dict[str, Any], last: str) -> str:
    """Return the whole query of the next page, for the official SDKs send nothing beside it."""
    created = {
        name: datetime.fromtimestamp(at, UTC).isoformat()
        for name, at in params.get("created", {}).items()
    }
    return encode({**params, "created": created, "page": last})


@operation(
    "retrieve_thin_event",
    "GET",
    "events/{event}",
    params=Object({}),
    returns="thin_event",
    base=_BASE,
)
def retrieve_thin_event(store: Store, call: Input) -> Done:
    """Return one thin event of the last 30 days."""
    code = store.seed.thin_event_ids.decode(call.target)
    event = store.log.find(None if code is None else parted(code)[0], call.now)
    bodies = [] if event is None else thin(store, event)
    for body in bodies:
        if body["id"] == call.target:
            return Done(body)
    raise error_bodies.no_such("event", call.target, "id", status=404)
