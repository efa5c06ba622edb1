"""What a preview version adds (https://docs.stripe.com/financial-connections/relink).

A request whose Stripe-Version ends in ``.preview`` may send ``relink_options`` with a new session,
and its answers name the authorization of each account, say why an inactive one is inactive, and how
a session ended. All other requests see none of it.
"""

from typing import Any

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.params import Object, Text
from fcasync.sandbox._bank.states import AccountState
from fcasync.sandbox._bank.store import Session, Store

RELINK_OPTIONS = Object({"account": Text(), "authorization": Text()}, ("authorization",))


def is_preview(version: str | None) -> bool:
    """Return whether a Stripe-Version is that of a preview."""
    return version is not None and ".preview" in version


def relinks(store: Store, params: dict[str, Any]) -> int | None:
    """Return the account that a session with *params* is to link again, if there is one.

    Raises:
        ApiError: There is no such authorization, or the account is not one of its own.
    """
    options = params.get("relink_options")
    if options is None:
        return None
    index = store.seed.authorization_ids.decode(options["authorization"])
    name = "relink_options[authorization]"
    if index is None or index >= store.total:
        raise error_bodies.no_such("authorization", options["authorization"], name)
    if "account" in options and store.index(options["account"]) != index:
        raise error_bodies.no_such("account", options["account"], "relink_options[account]")
    return index


def dressed(store: Store, body: Any, now: float) -> Any:
    """Return *body*, what an operation answers with, as a preview version shows it."""
    match body:
        case {"object": "list", "data": list(items)}:
            return {**body, "data": [dressed(store, item, now) for item in items]}
        case {"object": "financial_connections.account", "id": str(account_id)}:
            return _account(store, body, account_id, now)
        case {"object": "financial_connections.session", "id": str(session_id)}:
            accounts = dressed(store, body["accounts"], now)
            return {**body, "accounts": accounts, **_session(store, store.sessions[session_id])}
    return body


def _account(store: Store, body: dict[str, Any], account_id: str, now: float) -> dict[str, Any]:
    index = store.index(account_id)
    if index is None:
        return body
    state = store.state(index, now)
    details = {} if state.status != "inactive" else {"status_details": {"inactive": _why(state)}}
    return {**body, "authorization": store.seed.authorization_ids.encode(index), **details}


def _why(state: AccountState) -> dict[str, str]:
    """Return what is said about an account that is inactive."""
    rare = state.rare
    if rare.deactivates is None:
        return {"action": "relink_required", "cause": "access_denied"}
    return {"action": rare.action, "cause": rare.cause}


def _session(store: Store, session: Session) -> dict[str, Any]:
    is_over = bool(session.accounts) or session.declined
    status = "cancelled" if session.declined else "succeeded" if is_over else "pending"
    added: dict[str, Any] = {"status": status}
    if session.declined:
        added["status_details"] = {"cancelled": {"reason": "other"}}
    if (options := session.params.get("relink_options")) is not None:
        added["relink_options"] = {"account": None, **options}
        added["relink_result"] = {"account": None, "authorization": None, "failure_reason": None}
        if session.relinked is not None:
            account = store.seed.account_ids.encode(session.relinked)
            found = {"account": account, "authorization": options["authorization"]}
            added["relink_result"] |= found
        elif is_over:
            added["relink_result"]["failure_reason"] = "no_account"
    return added
