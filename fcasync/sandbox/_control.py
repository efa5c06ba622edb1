"""The control plane under ``/_sandbox``: JSON, for tests in any language.

It acts on the world of the key in the Authorization header, or on the sandbox's own without one.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import orjson
from aiohttp import web

from fcasync._clock import Clock
from fcasync.sandbox import _errors
from fcasync.sandbox._faults import fault
from fcasync.sandbox._operations import Emit
from fcasync.sandbox._realm import Realm, authenticate
from fcasync.sandbox._wire import JSON
from fcasync.sandbox._world import World

Publish = Callable[[World, Sequence[Emit]], None]
Action = Callable[["Control", World, Any], Any]


class Control:
    """Looks into worlds and changes them from outside the API."""

    def __init__(self, realm: Realm, clock: Clock, publish: Publish) -> None:
        self._realm = realm
        self._clock = clock
        self._publish = publish

    def serves(self, request: web.BaseRequest) -> bool:
        """Tell whether a request is for the control plane."""
        return (request.method, request.path) in _ACTIONS

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer one request."""
        try:
            given = await _given(request)
            world = self._world(request)
            body = _ACTIONS[request.method, request.path](self, world, given)
        except (_errors.ApiError, ValueError) as error:
            status = error.status if isinstance(error, _errors.ApiError) else 400
            return _json({"error": {"message": str(error), "type": "sandbox_error"}}, status)
        return _json(body)

    def _world(self, request: web.BaseRequest) -> World:
        if "authorization" not in request.headers:
            return self._realm.world()
        return self._realm.world(authenticate(request.headers))

    def ledger(self, world: World, given: Any) -> Any:
        """Return the ledger; ``?since=N`` leaves out the first N rows."""
        return {"data": world.ledger.since(_number(given.get("since", "0")))}

    def faults(self, world: World, given: Any) -> Any:
        """Return the faults in force."""
        return {"data": [_told(fault) for fault in world.faults.in_force]}

    def set_faults(self, world: World, given: Any) -> Any:
        """Replace the faults in force by a list of new ones; an empty list ends them."""
        if not isinstance(given, list):
            raise ValueError("send a JSON list of faults")
        faults = [fault(item) for item in given]
        world.faults.clear()
        world.faults.add(faults)
        return self.faults(world, given)

    def advance(self, world: World, given: Any) -> Any:
        """Move the world's clock forward by ``seconds``."""
        seconds = given.get("seconds") if isinstance(given, dict) else None
        if not isinstance(seconds, int | float) or isinstance(seconds, bool):
            raise ValueError('send {"seconds": number}')
        if not math.isfinite(seconds):
            raise ValueError("seconds must be finite")
        world.advance(float(seconds))
        self._publish(world, ())
        return {"now": world.now(self._clock.time())}

    def reset(self, world: World, given: Any) -> Any:
        """Make the world of this key anew."""
        self._realm.reset(world)
        return {}


async def _given(request: web.BaseRequest) -> Any:
    if request.method == "GET":
        return request.query
    # A web page of another origin cannot send this type without asking first (CORS), so that a
    # browser tab elsewhere cannot reset the sandbox.
    if request.content_type != JSON:
        raise _errors.ApiError(415, "Send application/json.")
    body = await request.read()
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None


def _number(text: str) -> int:
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise ValueError(f"{text[:50]!r} is not a whole number")
    return int(text)


def _told(fault: Any) -> dict[str, Any]:
    return {name: getattr(fault, name) for name in type(fault).__slots__ if name != "__weakref__"}


def _json(body: Any, status: int = 200) -> web.Response:
    data = orjson.dumps(body)
    headers = {"Cache-Control": "no-store"}
    return web.Response(status=status, body=data, content_type=JSON, headers=headers)


_ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/_sandbox/ledger"): Control.ledger,
    ("GET", "/_sandbox/faults"): Control.faults,
    ("POST", "/_sandbox/faults"): Control.set_faults,
    ("POST", "/_sandbox/advance"): Control.advance,
    ("POST", "/_sandbox/reset"): Control.reset,
}
