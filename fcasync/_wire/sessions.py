"""One aiohttp session per event loop, closed with its loop, and left alone after a fork."""

import asyncio
import os
from collections.abc import AsyncGenerator, Callable
from weakref import WeakSet

import aiohttp

from fcasync._wire.exchange import LeanExchange
from fcasync._wire.timeouts import Watch
from fcasync.errors import InvalidArgumentError

SessionFactory = Callable[[], aiohttp.ClientSession]


class LoopSession:
    """What a transport has on one loop: a session, and what belongs to its connections."""

    def __init__(self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
        self.loop = loop
        self.session = session
        self.watch = Watch(loop)
        self.lean: LeanExchange | None = None
        """The lean exchange over this session's connections; None where it is not possible."""
        self._holder: AsyncGenerator[aiohttp.ClientSession] | None = None

    @classmethod
    async def open(cls, loop: asyncio.AbstractEventLoop, factory: SessionFactory) -> "LoopSession":
        """Make a session, and see to it that the loop closes it at the latest."""
        holder = _hold(factory)
        opened = cls(loop, await anext(holder))
        opened._holder = holder
        return opened

    async def aclose(self) -> None:
        """Close the session, unless it was passed in."""
        if self._holder is not None:
            await self._holder.aclose()


async def _hold(factory: SessionFactory) -> AsyncGenerator[aiohttp.ClientSession]:
    # A loop closes its asynchronous generators when it shuts down, as asyncio.run does.
    async with factory() as session:
        yield session


class Sessions:
    """The sessions of one transport.

    A forked child starts with none and leaves its parent's connections alone.

    Args:
        factory: Makes a session for the running loop.
        session: The caller's own session, used instead and never closed.
    """

    def __init__(self, factory: SessionFactory, session: aiohttp.ClientSession | None) -> None:
        self._factory = factory
        self._session = session
        self._by_loop: dict[asyncio.AbstractEventLoop, LoopSession] = {}
        _all.add(self)

    def get(self) -> LoopSession | None:
        """Return what is open on the running loop."""
        found = self._by_loop.get(asyncio.get_running_loop())
        return None if found is None or found.session.closed else found

    async def open(self) -> LoopSession:
        """Open one for the running loop.

        Raises:
            InvalidArgumentError: The session that was passed in belongs to another loop.
        """
        self._forget_closed()
        loop, session = asyncio.get_running_loop(), self._session
        if session is not None:
            if getattr(session, "_loop", loop) is not loop:
                raise InvalidArgumentError(
                    "the session that was passed in belongs to another event loop; make one "
                    "in this loop, or let the client make its own"
                )
            opened = LoopSession(loop, session)
        else:
            opened = await LoopSession.open(loop, self._factory)
        self._by_loop[loop] = opened
        return opened

    def _forget_closed(self) -> None:
        """Let go of loops that are over: a session holds its loop, so no weak key would."""
        for loop, opened in list(self._by_loop.items()):
            if opened.session.closed or loop.is_closed():
                self._by_loop.pop(loop, None)

    async def aclose(self) -> None:
        """Close that of the running loop."""
        opened = self._by_loop.pop(asyncio.get_running_loop(), None)
        if opened is not None:
            await opened.aclose()

    @property
    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The loops that have one."""
        return list(self._by_loop)

    def forget_inherited(self) -> None:
        """Let go of sessions without closing them: after a fork they are the parent's."""
        _inherited.extend(self._by_loop.values())
        self._by_loop = {}


_all: WeakSet[Sessions] = WeakSet()

# Kept for ever on purpose: collecting them would shut down the parent's TLS streams, and take its
# sockets out of the epoll set that the two processes share.
_inherited: list[LoopSession] = []


def _forget_inherited() -> None:
    for sessions in _all:
        sessions.forget_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)
