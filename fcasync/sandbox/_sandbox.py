"""The sandbox as an object: starts the server, owns its tasks, and shows what happened."""

import asyncio
import threading
from collections.abc import Callable, Coroutine, Iterable, Mapping, Sequence
from types import TracebackType
from typing import Any, TypeVar

from fcasync._clock import SYSTEM_CLOCK, Clock
from fcasync.sandbox._app import App
from fcasync.sandbox._faults import Fault, fault
from fcasync.sandbox._ids import token
from fcasync.sandbox._operations import Emit
from fcasync.sandbox._rates import RateLimit
from fcasync.sandbox._rates import rate_limit as read_rate_limit
from fcasync.sandbox._realm import Realm
from fcasync.sandbox._states import Timing
from fcasync.sandbox._wire import Server, listen
from fcasync.sandbox._world import Settings, World

T = TypeVar("T")
_PATIENCE = 2.0  # seconds that requests under way get when the sandbox closes


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
        threaded: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Describe a sandbox; it starts when it is entered.

        Args:
            accounts: How many accounts each world starts with; a million cost no memory.
            seed: Decides everything that looks like chance.
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
            threaded: Whether to serve on a thread of its own.
            clock: Gives the real time, and sleeps through holds.

        Raises:
            ValueError: An argument is out of range.
        """
        for name, value in {"accounts": accounts, "seed": seed}.items():
            if not isinstance(value, int) or value < 0:
                raise ValueError(f"{name}={value!r} must be a whole number, 0 or more")
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
        self._realm = Realm(settings, self.api_key)
        self._clock = clock
        self._port = port
        self._app = App(self._realm, clock, self._publish)
        self._home = _Thread() if threaded else None
        self._listener: asyncio.Server | None = None
        self._server: Server | None = None

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
        self._do(lambda: self.world.faults.clear())

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

    def _do(self, action: Callable[[], T]) -> T:
        """Run *action* where the server runs, so that nothing else runs meanwhile."""
        if self._home is None or self._listener is None:
            return action()
        return self._home.run(_later(action))

    def _publish(self, world: World, effects: Sequence[Emit]) -> None:
        """Take the events that a request has caused."""

    async def _start(self) -> None:
        self._server = Server(self._app.handle, self._app.error_body)
        self._listener = await listen(self._server, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        if self._listener is None or self._server is None:
            return
        self._listener.close()
        self._server.pre_shutdown()
        await self._server.shutdown(_PATIENCE)
        await self._listener.wait_closed()
        self._listener = None

    async def __aenter__(self) -> "Sandbox":
        if self._home is None:
            await self._start()
        else:
            self.__enter__()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._home is None:
            await self._stop()
        else:
            await asyncio.to_thread(self._home.close, self._stop())

    def __enter__(self) -> "Sandbox":
        if self._home is None:
            raise TypeError("use `async with Sandbox()`, or `with Sandbox(threaded=True)`")
        self._home.open()
        self._home.run(self._start())
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._home is not None:
            self._home.close(self._stop())


async def _later(action: Callable[[], T]) -> T:
    return action()


class _Thread:
    """A thread with a loop, for a sandbox whose user has none."""

    def __init__(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: threading.Thread | None = None

    def open(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: a user who forgets to close the sandbox can still leave the interpreter.
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fcasync-sandbox", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        assert self._loop is not None
        return asyncio.run_coroutine_threadsafe(work, self._loop).result()

    def close(self, last: Coroutine[Any, Any, None]) -> None:
        assert self._loop is not None
        assert self._thread is not None
        try:
            self.run(last)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join()
            self._loop.close()
