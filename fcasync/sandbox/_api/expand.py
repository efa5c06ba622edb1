"""``expand[]``: which paths exist, and what replaces an id."""

from collections.abc import Callable, Sequence
from typing import Any

from fcasync.sandbox._api import error_bodies

# What can be expanded in each kind of object, and the kind one finds there. Stripe lists included
# objects as expandable too (https://docs.stripe.com/expand); naming them changes nothing.
TREE: dict[str, dict[str, str]] = {
    "account": {
        "account_holder": "holder",
        "account_numbers": "leaf",
        "balance": "balance",
        "balance_refresh": "leaf",
        "ownership": "ownership",
        "ownership_refresh": "leaf",
        "status_details": "status_details",
        "transaction_refresh": "leaf",
    },
    "accounts": {"data": "account"},
    "balance": {"cash": "leaf", "credit": "leaf"},
    "event": {},
    "events": {"data": "event"},
    "holder": {"account": "leaf", "customer": "leaf"},
    "leaf": {},
    "owners": {"data": "leaf"},
    "ownership": {"owners": "owners"},
    "session": {
        "account_holder": "holder",
        "accounts": "accounts",
        "bank_account_token": "leaf",
        "filters": "leaf",
        "limits": "leaf",
        "manual_entry": "leaf",
    },
    "status_details": {"active": "leaf"},
    "thin_event": {},
    "thin_events": {},
    "transaction": {"status_transitions": "leaf"},
    "transactions": {"data": "transaction"},
}
_DEEPEST = 4
_HOLDERS = {"account": "account", "customer": "customer"}

Look = Callable[[str], dict[str, Any] | None]


def check(wanted: Sequence[str], kind: str) -> None:
    """Raise Stripe's 400 for the first of *wanted* that does not exist in *kind*."""
    for index, path in enumerate(wanted):
        here = kind
        parts = path.split(".")
        for part in parts:
            if part not in TREE[here] or len(parts) > _DEEPEST:
                message = f"This property cannot be expanded ({path[:100]})."
                raise error_bodies.invalid(message, f"expand[{index}]")
            here = TREE[here][part]


def paths(kind: str, deepest: int = _DEEPEST) -> list[str]:
    """Return every path that exists in *kind*."""
    names = []
    for part, inner in TREE[kind].items() if deepest else ():
        names += [part, *(f"{part}.{rest}" for rest in paths(inner, deepest - 1))]
    return names


def expand(body: dict[str, Any], paths: Sequence[str], ownership: Look) -> dict[str, Any]:
    """Return *body* with the ids at *paths* replaced by their objects.

    Args:
        body: What the operation answers with; its parts are not changed.
        paths: Paths that :func:`check` has accepted.
        ownership: Returns the ownership object of an id.
    """
    for path in paths:
        body = _expand(body, path.split("."), ownership)
    return body


def _expand(node: Any, parts: Sequence[str], ownership: Look) -> Any:
    if isinstance(node, list):
        return [_expand(item, parts, ownership) for item in node]
    if not isinstance(node, dict) or not parts or parts[0] not in node:
        return node
    name, rest = parts[0], parts[1:]
    inner = node[name]
    if isinstance(inner, str):
        inner = ownership(inner) if name == "ownership" else _stub(inner, _HOLDERS[name])
    return {**node, name: _expand(inner, rest, ownership)}


def _stub(text: str, kind: str) -> dict[str, Any]:
    return {"id": text, "object": kind, "livemode": False}
