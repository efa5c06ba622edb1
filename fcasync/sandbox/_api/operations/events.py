"""The operations on events."""

from typing import Any

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.operations.operation import PAGE, Done, Input, operation
from fcasync.sandbox._api.operations.paging import INSTANTS, cursors, within
from fcasync.sandbox._api.params import Flag, List, Object, Text
from fcasync.sandbox._bank import event_bodies, objects
from fcasync.sandbox._bank.event_bodies import EVENTS_URL, snapshot, type_of
from fcasync.sandbox._bank.events import Happened
from fcasync.sandbox._bank.store import Store, window

SCHEMAS = event_bodies.SCHEMAS
_BASE = "/v1/"
_MOST_TYPES = 20
_PARAMS = Object(
    {
        **PAGE,
        "created": INSTANTS,
        "delivery_success": Flag(),
        "type": Text(),
        "types": List(Text(), _MOST_TYPES),
    }
)


@operation("list_events", "GET", "events", params=_PARAMS, returns="events", base=_BASE)
def list_events(store: Store, call: Input) -> Done:
    """List the events of the last 30 days, newest first."""
    params = call.params
    if "type" in params and "types" in params:
        message = "Only one of type and types can be sent."
        raise error_bodies.invalid(message, "types")
    events = {
        event.number: event
        for event in store.log.readable(call.now)
        if _is_wanted(store, event, params)
    }

    def locate(text: str) -> int | None:
        found = store.log.find(store.seed.event_ids.decode(text), call.now)
        return None if found is None else found.number

    chosen, more = window(list(events), params, *cursors(params, locate, "event"))
    data = [snapshot(store, events[number]) for number in chosen]
    return Done(objects.page(EVENTS_URL, data, more))


def _is_wanted(store: Store, event: Happened, params: dict[str, Any]) -> bool:
    types = [params["type"]] if "type" in params else params.get("types")
    delivered = params.get("delivery_success")
    return (
        (types is None or type_of(event) in types)
        and (delivered is None or delivered is (event.number not in store.log.undelivered))
        and within(int(event.emit.at), params.get("created"))
    )


@operation("retrieve_event", "GET", "events/{event}", returns="event", base=_BASE)
def retrieve_event(store: Store, call: Input) -> Done:
    """Return one event of the last 30 days."""
    event = store.log.find(store.seed.event_ids.decode(call.target), call.now)
    if event is None:
        raise error_bodies.no_such("event", call.target, "id", status=404)
    return Done(snapshot(store, event))
