"""One sandbox's server with everything that runs beside it, from start to stop."""

import asyncio
from pathlib import Path
from typing import Any

import attrs

from fcasync._facts.clock import Clock
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.world import World
from fcasync.sandbox._server.app import App
from fcasync.sandbox._server.deliveries import Target, Webhooks
from fcasync.sandbox._server.desk import Desk
from fcasync.sandbox._server.listener import Server, listen
from fcasync.sandbox._server.saved import check_writable, load, save
from fcasync.sandbox._server.thread import LoopThread

_TURNS = 5  # of the loop, in which connections that wait already are accepted
_GRACE = 0.5  # seconds that requests in flight get when the sandbox closes


@attrs.frozen(kw_only=True)
class Hosting:
    """Where a sandbox listens, and what it reads and calls outside itself."""

    clock: Clock
    port: int = 0
    """0 takes a free one."""
    target: Target | None = None
    """Where webhooks go; None for nowhere."""
    state: Path | None = None
    """The file that is read at the start and written at the end."""


class Host:
    """Listens, delivers webhooks and keeps the state file, on the loop that starts it."""

    def __init__(self, realm: Realm, hosting: Hosting) -> None:
        self.desk: Desk = Desk(realm, hosting.clock, self.publish, self.deliveries)
        self.home: LoopThread | None = None
        """The thread that it runs on; None if that is the caller's."""
        self._realm = realm
        self._hosting = hosting
        self._app = App(realm, hosting.clock, self.publish, self.desk)
        self._port = hosting.port
        """The port that was taken at the first start, so that the URL stays."""
        self._listener: asyncio.Server | None = None
        """None unless it listens."""
        self._server: Server | None = None
        """Serves the connections of the latest start."""
        self._webhooks: Webhooks | None = None
        """None before the first start, and without a target."""
        self._courier: asyncio.Task[None] | None = None
        """Runs the webhooks."""

    @property
    def url(self) -> str | None:
        """The base URL, without a slash at the end; None unless it listens."""
        return None if self._listener is None else f"http://127.0.0.1:{self._port}"

    def publish(self, world: World) -> None:
        """Deliver the events of a world, now or when they are due; without a target do nothing."""
        if self._webhooks is not None:
            self._webhooks.publish(world)

    def deliveries(self) -> list[dict[str, Any]]:
        """Return the attempts to deliver webhooks, oldest first."""
        return [] if self._webhooks is None else list(self._webhooks.deliveries)

    def save(self) -> None:
        """Write the state file, if there is one.

        Raises:
            OSError: It cannot be written.
        """
        if self._hosting.state is not None:
            save(self._hosting.state, self._realm)

    async def start(self) -> None:
        """Read the state file, and listen.

        Raises:
            RuntimeError: It listens already.
            StateError: The state file cannot be used.
            OSError: The port is taken, or the state file cannot be read or written.
        """
        if self._listener is not None:
            raise RuntimeError(f"the sandbox is running already, at {self.url}")
        if self._hosting.state is not None:
            load(self._hosting.state, self._realm)
            check_writable(self._hosting.state)
        self._server = Server(self._app.handle, self._app.error_body)
        self._listener = await listen(self._server, self._port)
        self._port = self._listener.sockets[0].getsockname()[1]
        if self._hosting.target is not None:
            self._webhooks = Webhooks(self._hosting.target, self._hosting.clock)
            for world in self._realm.worlds.values():
                self._webhooks.publish(world)
            self._courier = asyncio.create_task(
                self._webhooks.run(), name="fcasync.sandbox.webhooks"
            )

    async def stop(self) -> None:
        """Stop listening and delivering, let requests in flight end, and write the state file."""
        if self._listener is not None:
            # A connection that is being accepted as the listener closes is left open by asyncio.
            for _ in range(_TURNS):
                await asyncio.sleep(0)
            self._listener.close()
            self._listener = None
        if self._courier is not None:
            self._courier.cancel()
            await asyncio.wait([self._courier])
        if self._server is not None:
            self._server.pre_shutdown()
            await self._server.shutdown(_GRACE)
        self.save()
