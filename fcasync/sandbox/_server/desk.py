"""What may be done to a sandbox from outside the API: plain functions, without HTTP in them.

Two doors lead here: ``Sandbox`` for Python, and the control plane for everything else.
"""

from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import urlencode

import attrs
import orjson

from fcasync._facts.clock import Clock
from fcasync.sandbox._api import link, scenarios
from fcasync.sandbox._api.error_bodies import no_such
from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.messages import Request
from fcasync.sandbox._api.operations import OPERATIONS, Emit
from fcasync.sandbox._api.rates import Limiter, RateLimit
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.world import World
from fcasync.sandbox._bank.store import Session
from fcasync.sandbox._bank.words import PERMISSIONS
from fcasync.sandbox._server import views

Publish = Callable[[World], None]


class Desk:
    """Reads worlds, and changes them the way a bank, a person or the course of time does."""

    def __init__(
        self,
        realm: Realm,
        clock: Clock,
        publish: Publish,
        deliveries: Callable[[], list[dict[str, Any]]],
    ) -> None:
        """Open the desk of *realm*.

        Args:
            realm: The worlds.
            clock: Gives the real time.
            publish: Called when a world has changed or its clock has moved, so that events may
                have become due.
            deliveries: Returns the attempts to deliver webhooks, oldest first.
        """
        self.realm = realm
        self.deliveries = deliveries
        self._clock = clock
        self._publish = publish

    def settle(self, world: World) -> float:
        """Carry out what is due in a world, and return its time."""
        return world.settle(self._clock.time())

    def now(self, world: World) -> float:
        """Return the world's Unix time, in seconds."""
        return world.now(self._clock.time())

    def state(self, world: World) -> dict[str, Any]:
        """Return the figures that the page shows beside its tables."""
        owner = self.realm.owner(world)
        now = self.settle(world)
        return {
            "api_key": self.realm.api_key,
            "world": views.world_name(owner),
            "is_own": world is self.realm.world(),
            "worlds": len(self.realm.worlds),
            "now": now,
            "advanced": world.offset,
            "accounts": world.store.total,
            "requests": world.ledger.requests,
            "events": world.store.log.count,
            "delivers": world.store.log.delivers,
            "rate_limit": attrs.asdict(world.limiter.limit),
            "faults": [attrs.asdict(fault) for fault in world.faults.in_force],
        }

    def accounts(self, world: World, skip: int, limit: int) -> tuple[list[dict[str, Any]], bool]:
        """Return accounts, newest first, without the first *skip*; and whether more follow."""
        numbers = range(world.store.total - 1, -1, -1)[skip : skip + limit]
        now = self.now(world)
        data = [world.store.account(index, now) for index in numbers]
        return data, skip + limit < world.store.total

    def replace_faults(self, world: World, faults: Iterable[Fault]) -> None:
        """Put *faults* into force in place of those before."""
        world.faults.clear()
        world.faults.add(faults)

    def set_rate_limit(self, world: World, limit: RateLimit) -> None:
        """Set the limits of a world; its buckets are full again."""
        world.limiter = Limiter(limit)

    def advance(self, world: World, seconds: float) -> None:
        """Move the world's clock forward.

        Raises:
            ValueError: *seconds* is negative, or the world would be 100 years ahead.
        """
        world.advance(seconds)
        self._publish(world)

    def scenario(self, world: World, account_id: str, name: str) -> dict[str, Any]:
        """Play a scenario on an account, and return the account afterwards.

        Raises:
            ApiError: There is no such account, or it cannot get into this situation.
            ValueError: There is no such scenario.
        """
        done = scenarios.play(world.store, account_id, name, self.settle(world))
        self._expect(world, done.effects)
        return done.body

    def open_session(self, world: World) -> dict[str, Any]:
        """Create a session for a new customer, by a request like any other, and return it.

        Raises:
            ValueError: The request was refused, by a fault or a limit.
        """
        form = [("account_holder[type]", "customer")]
        form += [("account_holder[customer]", f"cus_page{world.ledger.requests + 1}")]
        form += [("permissions[]", name) for name in PERMISSIONS]
        request = Request("POST", OPERATIONS["create_session"].url, body=urlencode(form).encode())
        owner, now = self.realm.owner(world), self._clock.time()
        _, reply, effects = self.realm.serve(owner, request, now)
        if effects:
            self._publish(world)
        answer: dict[str, Any] = orjson.loads(reply.body)
        if reply.status != 200:
            raise ValueError(answer["error"]["message"])
        return answer

    def _expect(self, world: World, effects: Iterable[Emit]) -> None:
        world.store.log.expect(effects)
        self._publish(world)

    def link_page(self, client_secret: str) -> dict[str, Any]:
        """Return what the hosted page of a session shows.

        Raises:
            ApiError: There is no such session.
        """
        world, session = self._session(client_secret)
        return link.page(world.store, session)

    def link(self, client_secret: str, institution: str, picks: list[int]) -> dict[str, Any]:
        """Link accounts to a session, and return what its page then shows.

        Args:
            client_secret: Of the session.
            institution: One of those that the page shows.
            picks: Positions in the list of accounts that the page shows, 0-based.

        Raises:
            ApiError: There is no such session, or it does not allow this.
        """
        world, session = self._session(client_secret)
        now = self.settle(world)
        self._expect(world, link.link(world.store, session, institution, picks, now))
        return self.link_page(client_secret)

    def decline(self, client_secret: str) -> dict[str, Any]:
        """Cancel a session, and return what its page then shows.

        Raises:
            ApiError: There is no such session, or it has its accounts.
        """
        world, session = self._session(client_secret)
        link.decline(world.store, session)
        return self.link_page(client_secret)

    def _session(self, client_secret: str) -> tuple[World, Session]:
        """Return the session of a client secret, and the world that it is in."""
        session_id = client_secret.partition("_secret_")[0]
        for world in self.realm.worlds.values():
            session = world.store.sessions.get(session_id)
            if session is not None and session.client_secret == client_secret:
                return world, session
        raise no_such("session", session_id, "client_secret", status=404)
