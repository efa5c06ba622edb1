"""The control plane under ``/_sandbox``: JSON, for tests in any language and for the pages.

It acts on the world of the key in the Authorization header, or on the sandbox's own without one,
and on that of a connected account with Stripe-Account. Sandbox-World names any other that the list
of worlds has, so that a page needs no key to show it.
Each action is one function below a row that says the rest; the desk does the work.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from fcasync.sandbox._api import faults
from fcasync.sandbox._api.error_bodies import ApiError
from fcasync.sandbox._api.ledger import LONGEST
from fcasync.sandbox._api.operations import OPERATIONS
from fcasync.sandbox._api.rates import PRESETS, RateLimit, rate_limit
from fcasync.sandbox._api.realm import authenticate, connected_account
from fcasync.sandbox._api.scenarios import SCENARIOS
from fcasync.sandbox._api.world import World
from fcasync.sandbox._bank.schema import TEXT, Schema, list_of, obj, one_of, or_null
from fcasync.sandbox._bank.seed import INSTITUTIONS
from fcasync.sandbox._server import inputs, views
from fcasync.sandbox._server.desk import Desk

PREFIX = "/_sandbox/"
WORLD = "sandbox-world"
"""The header that chooses a world by its name."""
_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": inputs.LARGEST, "default": 0}
_NUMBER: Schema = {"type": "integer", "minimum": 1, "maximum": inputs.LARGEST}
_SIZE: Schema = {"type": "integer", "minimum": 1, "maximum": 1000, "default": 50}
_ROWS: Schema = {"type": "integer", "minimum": 1, "maximum": LONGEST, "default": LONGEST}
_FIND: Schema = {"type": "string", "default": ""}
_POSITIVE: Schema = {"type": "number", "exclusiveMinimum": 0, "maximum": inputs.LARGEST}
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


def first_line(documented: Any) -> str:
    """Return the first line of a docstring: what it is about."""
    return (documented.__doc__ or "").partition("\n")[0]


ACTIONS: dict[tuple[str, str], Action] = {}
"""Every action by method and path."""


def action(
    method: str, name: str, *, body: Schema | None = None, **query: Schema
) -> Callable[[Run], Run]:
    """Enter the function below into :data:`ACTIONS`."""

    def enter(run: Run) -> Run:
        ACTIONS[method, PREFIX + name] = Action(run, first_line(run), body, query)
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
        return 200, ACTIONS[method, path].run(desk, _world(desk, headers), data)
    except ApiError as error:
        return error.status, _error(error.message)
    except ValueError as error:
        return 400, _error(str(error))


def _world(desk: Desk, headers: Mapping[str, str]) -> World:
    """Return the world that a request is about."""
    if WORLD in headers:
        return desk.realm.find(headers[WORLD])
    key = authenticate(headers) if "authorization" in headers else None
    return desk.realm.world(key, connected_account(headers, key or desk.realm.api_key))


@action("GET", "worlds", find=_FIND)
def _worlds(desk: Desk, world: World, query: Any) -> Any:
    """Return the worlds, one per key and connected account; keys are shortened."""
    return views.worlds(desk.realm, query.get("find", ""))


@action("GET", "state")
def _state(desk: Desk, world: World, query: Any) -> Any:
    """Return clock, limits, faults and the numbers of accounts and requests."""
    return desk.state(world)


@action("GET", "choices")
def _choices(desk: Desk, world: World, query: Any) -> Any:
    """Return the kinds of fault with their settings, where faults can strike, and the scenarios."""
    return {
        "kinds": {name: kind.settings for name, kind in faults.KINDS.items()},
        "summaries": {name: first_line(kind) for name, kind in faults.KINDS.items()},
        "statuses": {
            name: kind.usual_status
            for name, kind in faults.KINDS.items()
            if "status" in kind.settings
        },
        "operations": ["*", *OPERATIONS],
        "scenarios": {name: each.summary for name, each in SCENARIOS.items()},
    }


@action("GET", "accounts", skip=_COUNT, limit=_SIZE)
def _accounts(desk: Desk, world: World, query: Any) -> Any:
    """Return accounts, newest first; ``?skip=N`` leaves out the first N."""
    skip, limit = inputs.number(query, "skip", _COUNT), inputs.number(query, "limit", _SIZE)
    data, has_more = desk.accounts(world, skip, limit)
    return {"data": data, "has_more": has_more}


@action("GET", "position", account=TEXT)
def _position(desk: Desk, world: World, query: Any) -> Any:
    """Return how many accounts are newer than ``account``: the ``skip`` that leads to it."""
    return {"skip": views.position(world, inputs.text(query, "account"))}


@action("GET", "ledger", since=_COUNT, limit=_ROWS)
def _ledger(desk: Desk, world: World, query: Any) -> Any:
    """Return rows of the ledger; ``?since=N`` leaves out those up to number N."""
    since = inputs.number(query, "since", _COUNT)
    return {"data": world.ledger.since(since, inputs.number(query, "limit", _ROWS))}


@action("GET", "request", number=_NUMBER)
def _request(desk: Desk, world: World, query: Any) -> Any:
    """Return one row of the ledger with parameters, answer and a curl command, if still kept."""
    return views.request(desk.realm, world, inputs.number(query, "number", _NUMBER))


@action("GET", "events", skip=_COUNT, limit=_SIZE)
def _events(desk: Desk, world: World, query: Any) -> Any:
    """Return events of the last 30 days, newest first, without the first ``skip``."""
    skip, limit = inputs.number(query, "skip", _COUNT), inputs.number(query, "limit", _SIZE)
    return views.events(world, desk.settle(world), skip, limit)


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
    desk.set_rate_limit(world, _limits(inputs.mapping(body)))
    return desk.state(world)["rate_limit"]


@action("POST", "advance", body=obj(seconds={"type": "number", "exclusiveMinimum": 0}))
def _advance(desk: Desk, world: World, body: Any) -> Any:
    """Move the world's clock forward by ``seconds``."""
    desk.advance(world, inputs.positive(inputs.mapping(body), "seconds"))
    return {"now": desk.now(world)}


@action("POST", "reset", body={"type": "object"})
def _reset(desk: Desk, world: World, body: Any) -> Any:
    """Reset the world of this key to what it started with."""
    inputs.mapping(body)
    desk.realm.reset(world)
    return {}


@action("POST", "scenario", body=obj(account=TEXT, scenario=one_of(*SCENARIOS)))
def _scenario(desk: Desk, world: World, body: Any) -> Any:
    """Play a ``scenario`` on an ``account``: ``{"scenario": "null_balance"}``."""
    body = inputs.mapping(body)
    return desk.scenario(world, inputs.text(body, "account"), inputs.text(body, "scenario"))


@action("POST", "session", body={"type": "object"})
def _session(desk: Desk, world: World, body: Any) -> Any:
    """Create a link session for a new customer; it is a request like any other."""
    inputs.mapping(body)
    return desk.open_session(world)


@action("GET", "link", client_secret=TEXT)
def _link_page(desk: Desk, world: World, query: Any) -> Any:
    """Return what the hosted page of a ``client_secret`` shows."""
    return desk.link_page(inputs.text(query, "client_secret"))


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
    body = inputs.mapping(body)
    picks = body.get("accounts")
    if not isinstance(picks, list) or not all(type(pick) is int for pick in picks):
        raise ValueError("accounts must be a list of positions in the offer, 0-based")
    return desk.link(inputs.text(body, "client_secret"), inputs.text(body, "institution"), picks)


@action("POST", "decline", body=obj(client_secret=TEXT))
def _decline(desk: Desk, world: World, body: Any) -> Any:
    """Cancel the session of a ``client_secret``, as a person does on its hosted page."""
    return desk.decline(inputs.text(inputs.mapping(body), "client_secret"))


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"}}


def _limits(body: dict[str, Any]) -> RateLimit:
    if body.keys() == {"preset"}:
        return rate_limit(inputs.text(body, "preset"))
    unknown = body.keys() - _LIMITS.keys()
    if unknown:
        raise ValueError(f"unknown limit {min(unknown)!r}: send {', '.join(_LIMITS)}, or a preset")
    limits = {
        name: inputs.positive(body, name) for name, value in body.items() if value is not None
    }
    if limits.get("concurrency", 1.0) % 1:
        raise ValueError("concurrency must be a whole number")
    return RateLimit(**limits)  # type: ignore[arg-type]  # a whole float is fine for a limit
