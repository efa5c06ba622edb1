"""The work of a sync: from the source, perhaps through a refresh, to the tables.

::

    source ──▶ [bulk refresh] ──▶ workers (one account each) ──▶ store ──▶ the caller
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import UTC, datetime, timedelta
from typing import Any, Final

import attrs

from fcasync._facts.clock import Clock
from fcasync.bulk import BulkRun
from fcasync.bulk._work import sources
from fcasync.bulk._work.crew import Crew
from fcasync.client import Client
from fcasync.errors import (
    APIConnectionError,
    AuthenticationError,
    FCError,
    PermissionDeniedError,
    ServerError,
)
from fcasync.mirror._errors import MirrorError
from fcasync.mirror._outcome import SyncOutcome
from fcasync.mirror._reading import Item, Reading, reason_of
from fcasync.mirror._report import SyncTally
from fcasync.mirror._store import Store
from fcasync.models import Account, RefreshStatus

OUTAGE: Final = 25
"""After so many accounts in a row that got no answer, the run ends with the error."""


@attrs.frozen(kw_only=True)
class Settings:
    """What a sync was asked to do; already checked."""

    refresh: Sequence[str]
    """What to refresh first; empty for nothing."""
    max_age: timedelta | None
    wait_timeout: float
    concurrency: int
    progress: bool


class SyncWork:
    """Reads the source, syncs many accounts at a time, and keeps their outcomes for the caller."""

    def __init__(
        self, client: Client, source: Any, reading: Reading, store: Store, settings: Settings
    ) -> None:
        self._client, self._source = client, source
        self._reading, self._store, self._settings = reading, store, settings
        self._clock: Clock = client._engine.clock
        self.tally = SyncTally()
        self.taken = 0
        """Accounts that were taken from the source."""
        self.refreshing: BulkRun | None = None
        """The bulk job, once it has begun."""
        self._unanswered = 0  # failures in a row without an answer
        self._items: asyncio.Queue[Item] = asyncio.Queue(settings.concurrency)
        self._outcomes: deque[SyncOutcome] = deque()  # not yet taken by the caller
        self._room = asyncio.Semaphore(settings.concurrency)  # for outcomes that are not taken
        self._news = asyncio.Event()  # there is an outcome, or the end

    async def run(self) -> None:
        """Work until every account has an outcome.

        Raises:
            Exception: What the source raised, or an FCError that concerns all accounts.
        """
        workers = [self._sync_items] * self._settings.concurrency
        await Crew().run([self._store.run, *workers], self._read)

    def end(self, _: object = None) -> None:
        """Wake the caller: there is nothing more to come."""
        self._news.set()

    async def take(self, main: "asyncio.Task[None]") -> SyncOutcome | None:
        """Return the next outcome, or None when *main* has ended and there are no more."""
        while not self._outcomes:
            if main.done():
                return None
            self._news.clear()
            await self._news.wait()
        self._room.release()
        return self._outcomes.popleft()

    async def _read(self) -> None:
        """Read the source to its end, and wait until all of it is done."""
        items = self._refreshed() if self._settings.refresh else self._listed()
        async with aclosing(items):
            async for item in items:
                await self._put(item)
        await self._items.join()

    async def _put(self, item: Item) -> None:
        self.taken += 1
        await self._items.put(item)

    async def _listed(self) -> AsyncGenerator[Item]:
        async for found in sources.read(self._source):
            account = found if isinstance(found, Account) else None
            name: Any = found if account is None else account.id
            yield Item(name, account, self._clock.time())

    async def _refreshed(self) -> AsyncGenerator[Item]:
        self.refreshing = run = self._client.bulk.refresh(
            self._source if self._settings.max_age is None else self._stale(),
            features=self._settings.refresh,
            wait=True,
            wait_timeout=self._settings.wait_timeout,
        )
        async with run:
            async for outcome in run:
                yield Item(outcome.account_id, outcome.account, self._clock.time(), outcome)

    async def _stale(self) -> AsyncGenerator[Any]:
        """Yield what has to be refreshed; what is fresh goes straight to the workers."""
        async for item in aiter(self._listed()):
            account, read_at = item.account, item.read_at
            if account is None:
                account, read_at = await self._reading.account(item), self._clock.time()
            if account is not None and self._is_fresh(account):
                await self._put(Item(account.id, account, read_at))
            else:
                yield account or item.account_id

    def _is_fresh(self, account: Account) -> bool:
        now = datetime.fromtimestamp(self._clock.time(), UTC)
        refreshes = [account.refresh_of(feature) for feature in self._settings.refresh]
        return all(
            each is not None
            and each.status == RefreshStatus.SUCCEEDED
            and each.last_attempted_at is not None
            and each.last_attempted_at >= now - (self._settings.max_age or timedelta())
            for each in refreshes
        )

    async def _sync_items(self) -> None:
        while True:
            item = await self._items.get()
            outcome = await self._synced(item)
            await self._room.acquire()
            self.tally.add(outcome)
            self._outcomes.append(outcome)
            self._news.set()
            self._items.task_done()

    async def _synced(self, item: Item) -> SyncOutcome:
        try:
            outcome = await self._reading.sync(item)
        except (MirrorError, AuthenticationError, PermissionDeniedError):
            raise
        except FCError as error:
            self._count_silence(error)
            return self._reading.failed(item, error, reason_of(error))
        self._unanswered = 0
        return outcome

    def _count_silence(self, error: FCError) -> None:
        """Raise *error* if it is one of many in a row to which nobody answered."""
        is_silence = isinstance(error, APIConnectionError | ServerError)
        self._unanswered = self._unanswered + 1 if is_silence else 0
        if self._unanswered >= OUTAGE:
            raise error
