"""The accounts of the events in an inbox, each removed when its account was synced."""

from collections import defaultdict, deque
from collections.abc import AsyncGenerator, Awaitable, Callable

from fcasync.mirror._lookups import Key
from fcasync.models import AnyEvent
from fcasync.models._about import account_named


class Nudges:
    """Ids of accounts that want to be synced, as a source of ``mirror.sync``.

    An event is removed when its account has been synced. If the sync is stopped or killed before
    that, or nobody answered, it is handed out again, at the latest after the inbox's lease.
    """

    def __init__(
        self,
        take: Callable[[], Awaitable[tuple[str, AnyEvent] | None]],
        settle: Callable[..., Awaitable[None]],
    ) -> None:
        """Make a source.

        Args:
            take: Takes the oldest event, and returns its id and itself; None if there is none.
            settle: Removes the event with an id, or, with ``is_done=False``, gives it back.
        """
        self._take, self._settle = take, settle
        self._taken: defaultdict[Key, deque[str]] = defaultdict(deque)  # ids of events, not settled

    async def keys(self) -> AsyncGenerator[Key]:
        """Take events until none is left; yield the connected account and the account of each."""
        try:
            while (found := await self._take()) is not None:
                event_id, event = found
                key = account_named(event)
                if key is None:  # nothing to sync; the inbox takes none of these
                    await self._settle(event_id, is_done=True)
                    continue
                self._taken[key].append(event_id)
                yield key
        except BaseException:
            await self.give_back()
            raise

    async def __aiter__(self) -> AsyncGenerator[str]:
        """Yield the ids alone."""
        keys = self.keys()
        try:
            async for _, account in keys:
                yield account
        finally:
            await keys.aclose()

    async def synced(self, key: Key) -> None:
        """Take note that the account of *key* was synced after its oldest event."""
        if (event_id := self._oldest(key)) is not None:
            await self._settle(event_id, is_done=True)

    def unanswered(self, key: Key) -> None:
        """Take note that nobody answered: the oldest event comes back after the lease."""
        self._oldest(key)

    async def give_back(self) -> None:
        """Give back at once what was taken, and is not settled."""
        while self._taken:
            _, ids = self._taken.popitem()
            for event_id in ids:
                await self._settle(event_id, is_done=False)

    def _oldest(self, key: Key) -> str | None:
        """Remove and return the oldest event of *key*."""
        if key not in self._taken:
            return None
        event_id = self._taken[key].popleft()
        if not self._taken[key]:
            del self._taken[key]
        return event_id
