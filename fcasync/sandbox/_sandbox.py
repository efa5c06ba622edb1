"""The sandbox as an object: its arguments, its URL, and how it starts and stops."""

import asyncio
import math
import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any
from urllib.parse import urlsplit

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync.sandbox._api.faults import Fault, fault
from fcasync.sandbox._api.rates import RateLimit
from fcasync.sandbox._api.rates import rate_limit as read_rate_limit
from fcasync.sandbox._api.realm import Realm, is_test_key
from fcasync.sandbox._api.world import Settings
from fcasync.sandbox._bank.dice import Salt
from fcasync.sandbox._bank.ids import MOST_ACCOUNTS, token
from fcasync.sandbox._bank.states import Timing
from fcasync.sandbox._controls import ConnectedAccount, Controls
from fcasync.sandbox._server.deliveries import Target
from fcasync.sandbox._server.host import Host, Hosting
from fcasync.sandbox._server.thread import LoopThread

_LARGEST_SEED = 2**64 - 1  # the random numbers depend on no more bits


class Sandbox(Controls):
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
        webhook_thin: bool = False,
        state: str | os.PathLike[str] | None = None,
        threaded: bool = False,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        """Configure a sandbox; it starts when it is entered.

        Args:
            accounts: How many accounts each world starts with, up to 2**27; a million take
                no memory.
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
            webhook_thin: Whether thin events are sent in place of snapshot events.
            state: A file that is read at the start, if it exists, and written at the end.
            threaded: Whether to serve on a thread of its own.
            clock: Gives the real time, and sleeps while answers are held.

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
        settings = Settings(
            seed=seed,
            accounts=accounts,
            varied=varied,
            timing=Timing(settle_seconds, failure_rate, refresh_cooldown),
            rate_limit=read_rate_limit(rate_limit),
            faults=tuple(fault(item) for item in faults),
            latency=latency,
            delivers=webhook_url is not None,
        )
        self.api_key: str = api_key or f"sk_test_{token(24, seed, Salt.API_KEY)}"
        if not is_test_key(self.api_key):
            raise ValueError("api_key must be a test key: sk_test_ and letters, digits or _")
        self.webhook_secret: str = webhook_secret or f"whsec_{token(32, seed, Salt.WEBHOOK_SECRET)}"
        target = None
        if webhook_url is not None:
            target = Target(
                url=_checked_url(webhook_url),
                secret=self.webhook_secret,
                duplicates=webhook_duplicates,
                reordering=webhook_reordering,
                thin=webhook_thin,
            )
        kept = None if state is None else Path(state)
        hosting = Hosting(clock=clock, port=port, target=target, state=kept)
        super().__init__(Host(Realm(settings, self.api_key), hosting))
        self._threaded = threaded  # whether the server gets a thread of its own

    def __repr__(self) -> str:
        where = self._host.url or "not started"
        return f"<Sandbox {where}, {self.world.store.total} accounts>"

    @property
    def url(self) -> str:
        """The base URL, without a slash at the end.

        Raises:
            RuntimeError: The sandbox has not been started.
        """
        if self._host.url is None:
            raise RuntimeError("the sandbox is not running; enter it with `async with` first")
        return self._host.url

    def connected(self, stripe_account: str) -> "ConnectedAccount":
        """Return the controls of a connected account, which has a world of its own.

        Args:
            stripe_account: ``acct_...``; whichever is asked for exists.

        Raises:
            ValueError: *stripe_account* is not the id of a connected account.
        """
        return ConnectedAccount(self._host, stripe_account)

    async def __aenter__(self) -> "Sandbox":
        if self._threaded:
            return self.__enter__()
        await self._host.start()
        return self

    async def __aexit__(self, *exc_info: object) -> None:
        if self._host.home is None:
            await self._host.stop()
        else:
            await asyncio.to_thread(self.__exit__, None, None, None)

    def __enter__(self) -> "Sandbox":
        if not self._threaded:
            raise TypeError("use `async with Sandbox()`, or `with Sandbox(threaded=True)`")
        home = LoopThread()
        try:
            home.run(self._host.start())
        except BaseException:
            home.close()
            raise
        self._host.home = home
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        if self._host.home is not None:
            try:
                self._host.home.run(self._host.stop())
            finally:
                self._host.home.close()
                self._host.home = None


def _check_whole(most: int, **values: int) -> None:
    for name, value in values.items():
        if not isinstance(value, int) or not 0 <= value <= most:
            raise ValueError(f"{name}={value!r} must be a whole number from 0 to {most}")


def _check_seconds(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value < math.inf:
            raise ValueError(f"{name}={value!r} must be a number of seconds, 0 or more")


def _check_share(**values: float) -> None:
    for name, value in values.items():
        if not 0 <= value <= 1:
            raise ValueError(f"{name}={value!r} must be a share in [0, 1]")


def _checked_url(url: str) -> str:
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError(f"webhook_url={url!r} must be an absolute URL, http or https")
    return url
