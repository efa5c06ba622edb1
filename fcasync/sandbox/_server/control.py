"""The control plane under ``/_sandbox``: JSON, for tests in any language and for the pages.

It acts on the world of the key in the Authorization header, or on the sandbox's own without one,
and on that of a connected account with Stripe-Account.
Each action is one function below a row that says the rest; the desk does the work.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs
import orjson

from fcasync.sandbox._api import faults
from fcasync.sandbox._api.error_bodies import ApiError
from fcasync.sandbox._api.operations import OPERATIONS
from fcasync.sandbox._api.rates import PRESETS, RateLimit, rate_limit
from fcasync.sandbox._api.realm import authenticate, connected_account
from fcasync.sandbox._api.scenarios import SCENARIOS
from fcasync.sandbox._api.world import World
from fcasync.sandbox._bank.schema import TEXT, Schema, list_of, obj, one_of, or_null
from fcasync.sandbox._bank.seed import INSTITUTIONS
from fcasync.sandbox._server.desk import Desk

PREFIX = "/_sandbox/"
LARGEST = 10**15
"""The largest number that is accepted anywhere."""
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST}
_POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST}
_LIMITS = {name: or_null(_POSITIVE) for name in ("rate", "endpoint", "concurrency")}

Run = Callable[[Desk, World, Any], Any]


@attrs.frozen
class Action:
    """One thing that the control plane can do."""

    run: Run
    """Takes the query of a GET or the JSON of a POST; returns JSON."""
    summary: str
    body: Schema | None
    """Of a POST."""
    query: dict[str, Schema]
    """Of a GET."""


ACTIONS: dict[tuple[str, str], Action] = {}
"""Every action by method and path."""


def action(
    method: str, name: str, *, body: Schema | None = None, **query: Schema
) -> Callable[[Run], Run]:
    """Enter the function below into :data:`ACTIONS`."""

    def enter(run: Run) -> Run:
        summary = (run.__doc__ or "").splitlines()[0]
        ACTIONS[method, PREFIX + name] = Action(run, summary, body, query)
        return run

    return enter


def answer(
    desk: Desk, method: str, path: str, headers: Mapping[str, str], data: Any
) -> tuple[int, Any]:
    """Answer one request.

    Args:
        desk: Does what is asked for.
        method: In capitals.
        path: One that is in :data:`ACTIONS`.
        headers: Looked up by names in lower case.
        data: The query of a GET, the JSON of a POST.

    Returns:
        The status, and the body to be sent as JSON.
    """
    try:
        key = authenticate(headers) if "authorization" in headers else None
        account = connected_account(headers, key or desk.realm.api_key)
        return 200, ACTIONS[method, path].run(desk, desk.realm.world(key, account), data)
    except ApiError as error:
        return error.status, _error(error.message)
    except ValueError as error:
        return 400, _error(str(error))


@action("GET", "state")
def _state(desk: Desk, world: World, query: Any) -> Any:
    """Return clock, limits, faults and the numbers of accounts and requests."""
    return desk.state(world)


@action("GET", "choices")
def _choices(desk: Desk, world: World, query: Any) -> Any:
    """Return the kinds of fault with their settings, where faults can strike, and the scenarios."""
    return {
        "kinds": {name: kind.settings for name, kind in faults.KINDS.items()},
        "operations": ["*", *OPERATIONS],
        "scenarios": {name: each.summary for name, each in SCENARIOS.items()},
    }


@action("GET", "accounts", skip=_COUNT)
def _accounts(desk: Desk, world: World, query: Any) -> Any:
    """Return 50 accounts, newest first; ``?skip=N`` leaves out the first N."""
    data, has_more = desk.accounts(world, _number(query.get("skip", "0")))
    return {"data": data, "has_more": has_more}


@action("GET", "ledger", since=_COUNT)
def _ledger(desk: Desk, world: World, query: Any) -> Any:
    """Return the ledger; ``?since=N`` leaves out rows up to number N."""
    return {"data": world.ledger.since(_number(query.get("since", "0")))}


@action("GET", "webhooks")
def _webhooks(desk: Desk, world: World, query: Any) -> Any:
    """Return the attempts to deliver webhooks, of all worlds."""
    return {"data": desk.deliveries()}


@action("GET", "faults")
def _faults(desk: Desk, world: World, query: Any) -> Any:
    """Return the faults in force."""
    return {"data": desk.state(world)["faults"]}


@action("POST", "faults", body=list_of(faults.SCHEMA))
def _set_faults(desk: Desk, world: World, body: Any) -> Any:
    """Put a list of faults into force in place of those before; an empty list ends them."""
    if not isinstance(body, list):
        raise ValueError("send a JSON list of faults")
    desk.replace_faults(world, [faults.fault(item) for item in body])
    return {"data": desk.state(world)["faults"]}


@action(
    "POST",
    "rate_limit",
    body={
        "anyOf": [
            {**obj(preset=one_of(*PRESETS)), "additionalProperties": False},
            {**obj(_LIMITS), "additionalProperties": False},
        ]
    },
)
def _set_rate_limit(desk: Desk, world: World, body: Any) -> Any:
    """Set the limits: ``{"preset": "sandbox"}`` or rate, endpoint, concurrency; {} for none."""
    desk.set_rate_limit(world, _limits(_object(body)))
    return desk.state(world)["rate_limit"]


@action("POST", "advance", body=obj(seconds={"type": "number", "exclusiveMinimum": 0}))
def _advance(desk: Desk, world: World, body: Any) -> Any:
    """Move the world's clock forward by ``seconds``."""
    desk.advance(world, _positive(_object(body), "seconds"))
    return {"now": desk.now(world)}


@action("POST", "reset", body={"type": "object"})
def _reset(desk: Desk, world: World, body: Any) -> Any:
    """Make the world of this key anew."""
    _object(body)
    desk.realm.reset(world)
    return {}


@action("POST", "scenario", body=obj(account=TEXT, scenario=one_of(*SCENARIOS)))
def _scenario(desk: Desk, world: World, body: Any) -> Any:
    """Let a ``scenario`` befall an ``account``: ``{"scenario": "null_balance"}``."""
    body = _object(body)
    return desk.scenario(world, _text(body, "account"), _text(body, "scenario"))


@action("GET", "link", client_secret=TEXT)
def _link_page(desk: Desk, world: World, query: Any) -> Any:
    """Return what the hosted page of a ``client_secret`` shows."""
    return desk.link_page(_text(query, "client_secret"))


@action(
    "POST",
    "link",
    body=obj(
        client_secret=TEXT,
        institution=one_of(*INSTITUTIONS),
        accounts=list_of({"type": "integer", "minimum": 0}),
    ),
)
def _link(desk: Desk, world: World, body: Any) -> Any:
    """Link ``accounts`` (positions in the offer) of an ``institution`` to a session."""
    body = _object(body)
    picks = body.get("accounts")
    if not isinstance(picks, list) or not all(type(pick) is int for pick in picks):
        raise ValueError("accounts must be a list of positions in the offer, 0-based")
    return desk.link(_text(body, "client_secret"), _text(body, "institution"), picks)


@action("POST", "decline", body=obj(client_secret=TEXT))
def _decline(desk: Desk, world: World, body: Any) -> Any:
    """Cancel the session of a ``client_secret``, as a person does on its hosted page."""
    return desk.decline(_text(_object(body), "client_secret"))


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"}}


def _limits(body: dict[str, Any]) -> RateLimit:
    if body.keys() == {"preset"}:
        return rate_limit(_text(body, "preset"))
    unknown = body.keys() - _LIMITS.keys()
    if unknown:
        raise ValueError(f"unknown limit {min(unknown)!r}: send {', '.join(_LIMITS)}, or a preset")
    limits = {name: _positive(body, name) for name, value in body.items() if value is not None}
    if limits.get("concurrency", 1.0) % 1:
        raise ValueError("concurrency must be a whole number")
    return RateLimit(**limits)  # type: ignore[arg-type]  # a whole float is fine for a limit


def _object(body: Any) -> dict[str, Any]:
    if not isinstance(body, dict):
        raise ValueError("send a JSON object")
    return body


def _text(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or not a string")
    return value


def _positive(body: dict[str, Any], name: str) -> float:
    value = body.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LARGEST:
        raise ValueError(f"{name} must be a number above 0")
    return float(value)


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18 or int(text) > LARGEST:
        raise ValueError(f"{text[:50]!r} is not a whole number up to {LARGEST}")
    return int(text)


def read_json(body: bytes) -> Any:
    """Return what *body* holds; an empty one is an empty object.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
