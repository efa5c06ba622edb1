"""The control plane under ``/_sandbox``: JSON, for tests in any language and for the pages.

It acts on the world of the key in the Authorization header, or on the sandbox's own without one.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import attrs
import orjson

from fcasync._facts.clock import Clock
from fcasync.sandbox._api import error_bodies, link
from fcasync.sandbox._api.faults import fault
from fcasync.sandbox._api.operations import Emit
from fcasync.sandbox._api.rates import Limiter, RateLimit, rate_limit
from fcasync.sandbox._api.realm import Realm, authenticate
from fcasync.sandbox._api.world import World
from fcasync.sandbox._bank.store import Session

LARGEST = 10**15
"""The largest number that is taken anywhere."""
_PAGE = 50

Publish = Callable[[World, Sequence[Emit]], None]
Action = Callable[["Control", World, Any], Any]


class Control:
    """Looks into worlds and changes them from outside the API."""

    def __init__(
        self,
        realm: Realm,
        clock: Clock,
        publish: Publish,
        deliveries: Callable[[], list[dict[str, Any]]],
    ) -> None:
        """Make the control plane of *realm*.

        Args:
            realm: The worlds.
            clock: Gives the real time.
            publish: Takes the events that a change has caused; called without any when a
                world's clock has moved.
            deliveries: Returns the attempts to deliver webhooks, oldest first.
        """
        self._realm = realm
        self._clock = clock
        self._publish = publish
        self._deliveries = deliveries

    def serves(self, method: str, path: str) -> bool:
        """Tell whether a request is for the control plane."""
        return (method, path) in ACTIONS

    def answer(
        self, method: str, path: str, headers: Mapping[str, str], given: Any
    ) -> tuple[int, Any]:
        """Answer one request.

        Args:
            method: In capitals.
            path: One that :meth:`serves` knows.
            headers: Looked up by names in lower case.
            given: The query of a GET, the JSON of a POST.

        Returns:
            The status, and the body to be sent as JSON.
        """
        try:
            named = "authorization" in headers
            world = self._realm.world(authenticate(headers) if named else None)
            return 200, ACTIONS[method, path](self, world, given)
        except error_bodies.ApiError as error:
            return error.status, _error(str(error))
        except ValueError as error:
            return 400, _error(str(error))

    def state(self, world: World, given: Any) -> Any:
        """Return what the page shows at its top."""
        return {
            "api_key": self._realm.api_key,
            "now": world.now(self._clock.time()),
            "advanced": world.offset,
            "accounts": world.store.total,
            "requests": world.ledger.requests,
            "rate_limit": attrs.asdict(world.limiter.limit),
            "faults": _faults(world),
        }

    def accounts(self, world: World, given: Any) -> Any:
        """Return 50 accounts, newest first; ``?skip=N`` leaves out the first N."""
        skip = _number(given.get("skip", "0"))
        numbers = range(world.store.total - 1, -1, -1)[skip : skip + _PAGE]
        now = world.now(self._clock.time())
        data = [world.store.account(index, now) for index in numbers]
        return {"data": data, "has_more": skip + _PAGE < world.store.total}

    def ledger(self, world: World, given: Any) -> Any:
        """Return the ledger; ``?since=N`` leaves out rows up to number N."""
        return {"data": world.ledger.since(_number(given.get("since", "0")))}

    def webhooks(self, world: World, given: Any) -> Any:
        """Return the attempts to deliver webhooks, of all worlds."""
        return {"data": self._deliveries()}

    def faults(self, world: World, given: Any) -> Any:
        """Return the faults in force."""
        return {"data": _faults(world)}

    def set_faults(self, world: World, given: Any) -> Any:
        """Put a list of faults into force in place of those before; an empty list ends them."""
        if not isinstance(given, list):
            raise ValueError("send a JSON list of faults")
        faults = [fault(item) for item in given]
        world.faults.clear()
        world.faults.add(faults)
        return {"data": _faults(world)}

    def set_rate_limit(self, world: World, given: Any) -> Any:
        """Set the limits: ``{"preset": "sandbox"}`` or rate, endpoint, concurrency; {} for none."""
        world.limiter = Limiter(_limits(_object(given)))
        return attrs.asdict(world.limiter.limit)

    def advance(self, world: World, given: Any) -> Any:
        """Move the world's clock forward by ``seconds``."""
        world.advance(_positive(_object(given), "seconds"))
        self._publish(world, ())
        return {"now": world.now(self._clock.time())}

    def reset(self, world: World, given: Any) -> Any:
        """Make the world of this key anew."""
        _object(given)
        self._realm.reset(world)
        return {}

    def account(self, world: World, given: Any) -> Any:
        """Let the bank deactivate or reactivate an ``account``: ``{"event": "deactivate"}``."""
        now = world.now(self._clock.time())
        given = _object(given)
        body, effects = world.happen(_text(given, "account"), _text(given, "event"), now)
        self._publish(world, effects)
        return body

    def link_page(self, world: World, given: Any) -> Any:
        """Return what the hosted page of a ``client_secret`` shows."""
        world, session = self._linked(_text(given, "client_secret"))
        return link.page(world.store, session)

    def link(self, world: World, given: Any) -> Any:
        """Link ``accounts`` (places in the offer) of an ``institution`` to a session."""
        given = _object(given)
        world, session = self._linked(_text(given, "client_secret"))
        picks = given.get("accounts")
        if not isinstance(picks, list) or not all(type(pick) is int for pick in picks):
            raise ValueError("accounts is a list of places in the offer, 0-based")
        now = world.now(self._clock.time())
        effects = link.link(world.store, session, _text(given, "institution"), picks, now)
        self._publish(world, effects)
        return link.page(world.store, world.store.sessions[session.id])

    def _linked(self, secret: str) -> tuple[World, Session]:
        """Return the session of a client secret, in whatever world it is."""
        session_id = secret.partition("_secret_")[0]
        for world in self._realm.worlds.values():
            session = world.store.sessions.get(session_id)
            if session is not None and session.client_secret == secret:
                return world, session
        raise error_bodies.no_such("session", session_id, "client_secret", status=404)


def _error(message: str) -> dict[str, Any]:
    return {"error": {"message": message, "type": "invalid_request_error"}}


def _faults(world: World) -> list[dict[str, Any]]:
    return [attrs.asdict(fault) for fault in world.faults.in_force]


def _limits(given: dict[str, Any]) -> RateLimit:
    if given.keys() == {"preset"}:
        return rate_limit(_text(given, "preset"))
    unknown = given.keys() - {"rate", "endpoint", "concurrency"}
    if unknown:
        raise ValueError(f"there is no limit {min(unknown)!r} beside others")
    known = {name: _positive(given, name) for name, value in given.items() if value is not None}
    if known.get("concurrency", 1.0) % 1:
        raise ValueError("concurrency is a whole number")
    return RateLimit(**known)  # type: ignore[arg-type]  # a whole float is fine for a limit


def _object(given: Any) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise ValueError("send a JSON object")
    return given


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} must be given, as a string")
    return value


def _positive(given: dict[str, Any], name: str) -> float:
    value = given.get(name)
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


ACTIONS: dict[tuple[str, str], Action] = {
    ("GET", "/_sandbox/state"): Control.state,
    ("GET", "/_sandbox/accounts"): Control.accounts,
    ("GET", "/_sandbox/ledger"): Control.ledger,
    ("GET", "/_sandbox/webhooks"): Control.webhooks,
    ("GET", "/_sandbox/faults"): Control.faults,
    ("POST", "/_sandbox/faults"): Control.set_faults,
    ("POST", "/_sandbox/rate_limit"): Control.set_rate_limit,
    ("POST", "/_sandbox/advance"): Control.advance,
    ("POST", "/_sandbox/reset"): Control.reset,
    ("POST", "/_sandbox/account"): Control.account,
    ("GET", "/_sandbox/link"): Control.link_page,
    ("POST", "/_sandbox/link"): Control.link,
}
