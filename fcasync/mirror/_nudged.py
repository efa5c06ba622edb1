"""The accounts of events as a source of refreshes, each under its connected account."""

import asyncio
import sys
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from typing import Any, Final

from fcasync.bulk import Tenants
from fcasync.mirror._lookups import Key
from fcasync.mirror._nudges import Nudges

AHEAD: Final = 100
"""Most events of one connected account that are taken before its refreshes are sent."""

_End: Final = None
"""What stands at the end of a connected account's queue."""


class Nudged(Tenants):
    """The connected accounts of events, each with those of its accounts that have one.

    A connected account is yielded with its first event. Its source lasts as long as there are
    events of anybody, so all of them are in work at a time. The key's own account is one of them,
    named ''.
    """

    def __init__(self, nudges: Nudges, repeat: Callable[[Key], Awaitable[None]]) -> None:
        """Make a source.

        Args:
            nudges: The events.
            repeat: Called with an account that had an event before; it is not yielded again,
                because a job refreshes each account once.
        """
        super().__init__([], at_once=sys.maxsize)
        self._nudges = nudges
        self._repeat = repeat
        self._queues: dict[str, asyncio.Queue[str | None]] = {}  # the accounts of each
        self._seen: set[Key] = set()

    async def read(self, shard: tuple[int, int] = (0, 1)) -> AsyncGenerator[tuple[str, Any], None]:
        """Take events until none is left, and yield each connected account with its accounts."""
        async with aclosing(self._nudges.keys()) as keys:
            async for key in keys:
                tenant, account = key
                if key in self._seen:
                    await self._repeat(key)
                    continue
                self._seen.add(key)
                if tenant not in self._queues:
                    self._queues[tenant] = asyncio.Queue(AHEAD)
                    yield tenant, self._accounts(self._queues[tenant])
                await self._queues[tenant].put(account)
        for queue in self._queues.values():
            await queue.put(_End)

    async def _accounts(self, queue: "asyncio.Queue[str | None]") -> AsyncGenerator[str, None]:
        while (account := await queue.get()) is not _End:
            yield account
