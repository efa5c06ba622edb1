"""Stripe's JSON for an event, with its object (snapshot) and without it (thin)."""

from datetime import UTC, datetime
from typing import Any

from fcasync.sandbox._bank import objects
from fcasync.sandbox._bank.events import Happened
from fcasync.sandbox._bank.ids import part
from fcasync.sandbox._bank.schema import (
    FLAG,
    TEXT,
    TIME,
    Schema,
    list_of,
    obj,
    one_of,
    or_null,
    page_of,
    ref,
)
from fcasync.sandbox._bank.states import AccountState
from fcasync.sandbox._bank.store import Store

API_VERSION = "2026-10-28.endive"
EVENTS_URL = "/v1/events"
THIN_EVENTS_URL = "/v2/core/events"
_PREFIX = "financial_connections."
_REFRESHED = "refreshed_"
TYPES = tuple(
    f"{_PREFIX}{kind}"
    for kind in (
        "account.account_numbers_updated",
        "account.created",
        "account.deactivated",
        "account.disconnected",
        "account.expected_deactivation_date_updated",
        "account.reactivated",
        "account.refreshed_balance",
        "account.refreshed_ownership",
        "account.refreshed_transactions",
        "account.supported_payment_method_types_updated",
        "account.upcoming_account_number_expiry",
        "account.upcoming_deactivation",
        "authorization.expected_deactivation_date_updated",
        "authorization.upcoming_deactivation",
    )
)


def type_of(event: Happened) -> str:
    """Return the whole name of what happened."""
    kind = event.emit.type
    return f"{_PREFIX}{kind if '.' in kind else f'account.{kind}'}"


def snapshot(store: Store, event: Happened) -> dict[str, Any]:
    """Return the event with its object as it was at that moment."""
    about = _object(store, event, event.state)
    data: dict[str, Any] = {"object": about}
    if event.emit.before is not None:
        old = _object(store, event, event.emit.before)
        changed = {name for name in old.keys() | about.keys() if old.get(name) != about.get(name)}
        data["previous_attributes"] = {name: old.get(name) for name in sorted(changed)}
    # Stripe names the account of an event that happened on a connected account.
    connected = {"account": _account(store)} if store.tenant else {}
    return {
        "id": store.seed.event_ids.encode(event.number),
        "object": "event",
        **connected,
        "api_version": API_VERSION,
        "created": int(event.emit.at),
        "data": data,
        "livemode": False,
        "pending_webhooks": int(event.number in store.log.undelivered),
        "request": {"id": None, "idempotency_key": None},
        "type": type_of(event),
    }


def _object(store: Store, event: Happened, state: AccountState) -> dict[str, Any]:
    index, at = event.emit.account, event.emit.at
    facts = store.facts(index)
    if ".authorization." in type_of(event):
        return objects.authorization(store.seed, facts, state)
    return objects.account(store.seed, facts, state, at, store.timing_of(index))


def _account(store: Store) -> str:
    return store.tenant.rpartition("/")[2]


def thin(store: Store, event: Happened) -> list[dict[str, Any]]:
    """Return the thin events that say the same.

    That of a refresh has a twin that says how it ended. Authorizations have none, for the official
    SDK knows none of theirs.
    """
    kind = type_of(event)
    if ".authorization." in kind:
        return []
    kinds = [kind]
    feature = event.emit.type.removeprefix(_REFRESHED)
    if feature != event.emit.type:
        timing = store.timing_of(event.emit.account)
        ended = event.state.refresh(feature).status(event.emit.at, timing)
        kinds.append(f"{_PREFIX}account.{feature}_refresh_{ended}")
    return [_thin(store, event, name, number) for number, name in enumerate(kinds)]


def thin_at(event: Happened) -> float:
    """Return the instant of a thin event, which is in milliseconds."""
    return int(event.emit.at * 1000) / 1000


def _thin(store: Store, event: Happened, kind: str, number: int) -> dict[str, Any]:
    account_id = store.facts(event.emit.account).id
    instant = datetime.fromtimestamp(thin_at(event), UTC)
    return {
        "id": store.seed.thin_event_ids.encode(part(event.number, number)),
        "object": "v2.core.event",
        "type": f"v1.{kind}",
        "created": instant.isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "context": _account(store) if store.tenant else None,
        "livemode": False,
        "reason": None,
        "related_object": {
            "id": account_id,
            "type": "financial_connections.account",
            "url": f"{objects.ACCOUNTS_URL}/{account_id}",
        },
    }


_REQUEST: Schema = obj(id=or_null(TEXT), idempotency_key=or_null(TEXT))
SCHEMAS = {
    "event": obj(
        {"account": TEXT},
        id=TEXT,
        object=one_of("event"),
        api_version=or_null(TEXT),
        created=TIME,
        data=obj(
            {"previous_attributes": {"type": "object"}},
            object={"anyOf": [ref("account"), ref("authorization")]},
        ),
        livemode=FLAG,
        pending_webhooks={"type": "integer", "minimum": 0},
        request=or_null(_REQUEST),
        type=one_of(*TYPES),
    ),
    "events": page_of("event"),
}
THIN_SCHEMAS = {
    "thin_event": obj(
        id=TEXT,
        object=one_of("v2.core.event"),
        type=TEXT,
        created={"type": "string", "format": "date-time"},
        context=or_null(TEXT),
        livemode=FLAG,
        reason={"type": "null"},
        related_object=obj(id=TEXT, type=TEXT, url=TEXT),
    ),
    "thin_events": obj(
        data=list_of(ref("thin_event")),
        next_page_url=or_null(TEXT),
        previous_page_url={"type": "null"},
    ),
}
