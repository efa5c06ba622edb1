"""The sandbox as an object: starts the server, owns its tasks, and shows what happened."""

import asyncio
import math
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar
from urllib.parse import urlsplit

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync.sandbox._api.faults import Fault, fault
from fcasync.sandbox._api.operations import Emit
from fcasync.sandbox._api.rates import RateLimit
from fcasync.sandbox._api.rates import rate_limit as read_rate_limit
from fcasync.sandbox._api.realm import Realm, is_test_key
from fcasync.sandbox._api.world import Settings, World
from fcasync.sandbox._bank.ids import MOST_ACCOUNTS, token
from fcasync.sandbox._bank.states import Timing
from fcasync.sandbox._server.app import App
from fcasync.sandbox._server.control import Control
from fcasync.sandbox._server.deliveries import Target, Webhooks
from fcasync.sandbox._server.listener import Server, listen
from fcasync.sandbox._server.saved import load, save
from fcasync.sandbox._server.thread import LoopThread

T = TypeVar("T")
_LARGEST_SEED = 2**64 - 1  # all that the dice look at
_PATIENCE = 0.5  # seconds that requests under way get when the sandbox closes


class Sandbox:
    """A local Stripe Financial Connections.

    ``async with Sandbox() as sandbox`` serves on the running loop; ``with Sandbox(threaded=True)``
    (or ``async with``) serves on a thread of its own, for synchronous clients and notebooks.
    Every API key that a client sends has a world of its own; the properties and methods here
    act on that of :attr:`api_key`.
    """

    def __init__(
        self,
        accounts: int = 25,
        seed: int = 0,
        *,
        port: int = 0,
        api_key: str | None = None,
        varied: bool = True,
        rate_limit: RateLimit | str | float | None = None,
        settle_seconds: float = 1.0,
        failure_rate: float = 0.0,
        refresh_cooldown: float = 60.0,
        latency: float = 0.0,
        faults: Iterable[Fault | Mapping[str, Any]] = (),
        webhook_url: str | None = None,
        webhook_secret: str | None = None,
        webhook_duplicates: float = 0.0,
        webhook_reordering: float = 0.0,
        state: str | os.PathLike[str] | None = None,
        threaded: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Describe a sandbox; it starts when it is entered.

        Args:
            accounts: How many accounts each world starts with, up to 2**27; a million cost no
                memory.
            seed: Decides everything that looks like chance; below 2**64.
            port: 0 takes a free one. Only 127.0.0.1 is listened on.
            api_key: The key of the main world; by default one that follows from the seed.
            varied: False makes every account active with every permission.
            rate_limit: ``"sandbox"`` (25/s, and 25/s per endpoint), ``"live"`` (100/s, and 25/s
                per endpoint), requests per second, or a :class:`RateLimit`; None for no limit.
            settle_seconds: A refresh settles after half of this to all of it.
            failure_rate: The share of refreshes that fail, in [0, 1].
            refresh_cooldown: Seconds after a refresh during which the next is refused.
            latency: Real seconds for which each answer is held.
            faults: Scripted faults, as :class:`Fault` or as mappings.
            webhook_url: Where events are sent to, signed; None for nowhere.
            webhook_secret: Signs them; by default one that follows from the seed.
            webhook_duplicates: The share of events that arrive twice.
            webhook_reordering: The share of events that younger ones overtake.
            state: A file that is read at the start, if it exists, and written at the end.
            threaded: Whether to serve on a thread of its own.
            clock: Gives the real time, and sleeps through holds.

        Raises:
            ValueError: An argument is out of range.
        """
        _check_whole(MOST_ACCOUNTS, accounts=accounts)
        _check_whole(_LARGEST_SEED, seed=seed)
        _check_seconds(
            settle_seconds=settle_seconds, refresh_cooldown=refresh_cooldown, latency=latency
        )
        _check_share(
            failure_rate=failure_rate,
            webhook_duplicates=webhook_duplicates,
            webhook_reordering=webhook_reordering,
        )
        timing = Timing(settle_seconds, failure_rate, refresh_cooldown)
        settings = Settings(
            seed=seed,
            accounts=accounts,
            varied=varied,
            timing=timing,
            rate_limit=read_rate_limit(rate_limit),
            faults=tuple(fault(item) for item in faults),
            latency=latency,
        )
        self.api_key = api_key or f"sk_test_{token(24, seed, 0x4E4)}"
        if not is_test_key(self.api_key):
            raise ValueError("api_key must be a test key: sk_test_ and letters, digits or _")
        self.webhook_secret = webhook_secret or f"whsec_{token(32, seed, 0x5EC)}"
        self._target: Target | None = None
        if webhook_url is not None:
            _check_url(webhook_url)
            self._target = Target(
                url=webhook_url,
                secret=self.webhook_secret,
                duplicates=webhook_duplicates,
                reordering=webhook_reordering,
            )
        self._realm = Realm(settings, self.api_key)
        self._clock = clock
        self._port = port
        self._state = None if state is None else Path(state)
        self._threaded = threaded
        self._home: LoopThread | None = None
        self._listener: asyncio.Server | None = None
        self._server: Server | None = None
        self._webhooks: Webhooks | None = None
        self._courier: asyncio.Task[None] | None = None
        self._control = Control(self._realm, clock, self._publish, self._attempts)
        self._app = App(self._realm, clock, self._publish, self._control)

    def __repr__(self) -> str:
        where = self.url if self._listener else "not started"
        return f"<Sandbox {where}, {self.world.store.total} accounts>"

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end.

        Raises:
            RuntimeError: The sandbox has not been started.
        """
        if self._listener is None:
            raise RuntimeError("the sandbox is not running; enter it with `async with` first")
        return f"http://127.0.0.1:{self._port}"

    @property
    def world(self) -> World:
        """The world of :attr:`api_key`, without the wire."""
        return self._realm.world()

    @property
    def ledger(self) -> list[dict[str, Any]]:
        """One row per request, oldest first; the latest 100 000 are kept."""
        return self._do(lambda: self.world.ledger.rows)

    def executions(self, operation: str) -> dict[str, int]:
        """Return how often *operation* took effect on each account; this count never forgets."""
        return self._do(lambda: self.world.ledger.executions(operation))

    @property
    def faults(self) -> list[Fault]:
        """The faults in force."""
        return self._do(lambda: self.world.faults.in_force)

    def add_faults(self, *faults: Fault | Mapping[str, Any]) -> None:
        """Put faults into force, behind those that already are.

        Raises:
            ValueError: A mapping describes no fault.
        """
        read = [fault(item) for item in faults]
        self._do(lambda: self.world.faults.add(read))

    def clear_faults(self) -> None:
        """End all faults."""
        self._do(self.world.faults.clear)

    @property
    def now(self) -> float:
        """The world's Unix time, in seconds."""
        return self.world.now(self._clock.time())

    def advance(self, seconds: float) -> None:
        """Move the world's clock forward.

        Raises:
            ValueError: *seconds* is negative or not finite.
        """
        self._do(lambda: self._advance(seconds))

    def _advance(self, seconds: float) -> None:
        self.world.advance(seconds)
        self._publish(self.world, ())

    def reset(self) -> None:
        """Make the world anew, as the seed has it; scripted faults start over."""
        self._do(lambda: self._realm.reset(self.world))

    def deactivate(self, account_id: str) -> None:
        """Let the bank end access to an account until it is reactivated.

        Raises:
            ValueError: The account is unknown or disconnected.
        """
        self._act("account", {"account": account_id, "event": "deactivate"})

    def reactivate(self, account_id: str) -> None:
        """Let the bank give access to an account back.

        Raises:
            ValueError: The account is unknown or disconnected.
        """
        self._act("account", {"account": account_id, "event": "reactivate"})

    def link(
        self,
        client_secret: str,
        institution: str = "Test Institution",
        accounts: Sequence[int] = (0,),
    ) -> list[str]:
        """Do what a person does on the page at ``/link/<client_secret>``.

        Args:
            client_secret: Of the session.
            institution: One of those that the page shows.
            accounts: Places in the list of accounts that the page shows, 0-based.

        Returns:
            The ids of the accounts that were linked.

        Raises:
            ValueError: The session is unknown or filled, or does not allow these accounts.
        """
        picked = {"institution": institution, "accounts": list(accounts)}
        linked: list[str] = self._act("link", {"client_secret": client_secret, **picked})["linked"]
        return linked

    @property
    def deliveries(self) -> list[dict[str, Any]]:
        """The attempts to deliver webhooks, oldest first; the latest 1000 are kept."""
        return self._do(self._attempts)

    def save(self) -> None:
        """Write the state file now; without one, do nothing.

        Events that are not due yet and the ledgers' older rows are not in it.
        """
        if self._state is not None:
            path = self._state
            self._do(lambda: save(path, self._realm))

    def _act(self, action: str, given: dict[str, Any]) -> Any:
        path = f"/_sandbox/{action}"
        status, body = self._do(lambda: self._control.answer("POST", path, {}, given))
        if status != 200:
            raise ValueError(body["error"]["message"])
        return body

    def _do(self, action: Callable[[], T]) -> T:
        """Run *action* where the server runs, so that nothing else runs meanwhile."""
        if self._home is None:
            return action()
        return self._home.run(_later(action))

    def _publish(self, world: World, effects: Sequence[Emit]) -> None:
        if self._webhooks is not None:
            self._webhooks.publish(world, effects)

    def _attempts(self) -> list[dict[str, Any]]:
        return [] if self._webhooks is None else list(self._webhooks.deliveries)

    async def _start(self) -> None:
        if self._listener is not None:
            raise RuntimeError(f"the sandbox is running already, at {self.url}")
        if self._state is not None:
            load(self._state, self._realm)
        self._server = Server(self._app.handle, self._app.error_body)
        self._listener = await listen(self._server, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]
        if self._target is not None:
            self._webhooks = Webhooks(self._target, self._clock)
            self._courier = asyncio.create_task(self._webhooks.run())

    async def _stop(self) -> None:
        if self._listener is not None:
            self._listener.close()
            self._listener = None
        if self._courier is not None:
            self._courier.cancel()
            await asyncio.wait([self._courier])
        if self._server is not None:
            self._server.pre_shutdown()
            await self._server.shutdown(_PATIENCE)
        if self._state is not None:
            save(self._state, self._realm)

    async def __aenter__(self) -> "Sandbox":
        if self._threaded:
            return self.__enter__()
        await self._start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._home is None:
            await self._stop()
        else:
            await asyncio.to_thread(self.__exit__, None, None, None)

    def __enter__(self) -> "Sandbox":
        if not self._threaded:
            raise TypeError("use `async with Sandbox()`, or `with Sandbox(threaded=True)`")
        home = LoopThread()
        try:
            home.run(self._start())
        except BaseException:
            home.close()
            raise
        self._home = home
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._home is not None:
            try:
                self._home.run(self._stop())
            finally:
                self._home.close()
                self._home = None


def _check_whole(most: int, **given: int) -> None:
    for name, value in given.items():
        if not isinstance(value, int) or not 0 <= value <= most:
            raise ValueError(f"{name}={value!r} must be a whole number from 0 to {most}")


def _check_seconds(**given: float) -> None:
    for name, value in given.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}={value!r} must be a number of seconds, 0 or more")


def _check_share(**given: float) -> None:
    for name, value in given.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}={value!r} must be a share in [0, 1]")


def _check_url(url: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"webhook_url={url!r} must be an absolute URL, http or https")


async def _later(action: Callable[[], T]) -> T:
    return action()
