"""The work of a sync: from the source, perhaps through a refresh, to the tables.

::

    source ──▶ [bulk refresh] ──▶ workers (one account each) ──▶ store ──▶ the caller
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any, Final

import attrs

from fcasync._facts.clock import Clock
from fcasync.bulk import BulkRun, Tenants
from fcasync.bulk._work import sources
from fcasync.bulk._work.crew import Crew
from fcasync.bulk._work.denial import Denials
from fcasync.client import Client
from fcasync.errors import (
    APIConnectionError,
    AuthenticationError,
    FCError,
    PermissionDeniedError,
    ServerError,
)
from fcasync.mirror._errors import MirrorError
from fcasync.mirror._nudged import Nudged
from fcasync.mirror._nudges import Key, Nudges
from fcasync.mirror._outcome import SyncOutcome
from fcasync.mirror._reading import Item, Reading, reason_of
from fcasync.mirror._report import SyncTally
from fcasync.mirror._store import Store
from fcasync.models import Account

OUTAGE: Final = 25
"""After so many accounts in a row that got no answer, the run ends with the error."""


@attrs.frozen(kw_only=True)
class Settings:
    """What a sync was asked to do; already checked."""

    refresh: Sequence[str]
    """What to refresh first; empty for nothing."""
    max_age: timedelta | float | None
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
        self._denials = Denials(reading.ask, self.tally.has_served, barred=[])
        self._barred: dict[str, FCError] = {}
        """The connected accounts that have taken their access away, and the error of each."""
        self._barring = asyncio.Lock()  # so that many denials at once ask about the key once
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
        try:
            await Crew().run([self._store.run, *workers], self._read)
        finally:
            if isinstance(self._source, Nudges):
                await self._source.give_back()

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
        if not isinstance(self._source, Tenants):
            if isinstance(self._source, Nudges):
                async with aclosing(self._source.keys()) as keys:
                    async for own_of, account in keys:
                        yield self._item(account, own_of or None)
                return
            async with aclosing(sources.read(self._source)) as items:
                async for found in items:
                    yield self._item(found)
            return
        async with aclosing(self._source.read()) as tenants:
            async for tenant, own in tenants:
                source = self._reading.of(tenant).client.accounts.list() if own is None else own
                try:
                    async with aclosing(sources.read(source)) as items:
                        async for found in items:
                            yield self._item(found, tenant)
                except (AuthenticationError, PermissionDeniedError) as error:
                    yield Item("", tenant=tenant, error=error)

    def _item(self, found: Any, tenant: str | None = None) -> Item:
        account = found if isinstance(found, Account) else None
        name = found if account is None else account.id
        return Item(name, account, self._clock.time(), tenant=tenant)

    async def _refreshed(self) -> AsyncGenerator[Item]:
        source = self._source
        if isinstance(source, Nudges):
            source = Nudged(source, self._repeat)
        self.refreshing = run = self._client.bulk.refresh(
            source,
            features=self._settings.refresh,
            wait=True,
            wait_timeout=self._settings.wait_timeout,
            max_age=self._settings.max_age,
        )
        async with run:
            async for outcome in run:
                yield Item(
                    outcome.account_id,
                    outcome.account,
                    self._clock.time(),
                    outcome,
                    tenant=outcome.stripe_account if isinstance(source, Tenants) else None,
                )

    async def _repeat(self, key: Key) -> None:
        """Sync an account again that is being refreshed, or was: it had one more event."""
        tenant, account = key
        await self._put(self._item(account, tenant or None))

    async def _sync_items(self) -> None:
        while True:
            item = await self._items.get()
            outcome = await self._synced(item)
            await self._settle(item, outcome)
            await self._room.acquire()
            self.tally.add(outcome)
            self._outcomes.append(outcome)
            self._news.set()
            self._items.task_done()

    async def _settle(self, item: Item, outcome: SyncOutcome) -> None:
        """Remove the event that asked for *item*, unless nobody answered."""
        if not isinstance(self._source, Nudges):
            return
        key = item.tenant or "", item.account_id
        if _is_silence(outcome.error):
            self._source.unanswered(key)
        else:
            await self._source.synced(key)

    async def _synced(self, item: Item) -> SyncOutcome:
        reading = self._reading.of(item.tenant)
        error = item.error or self._barred.get(item.tenant or "")
        if error is None:
            try:
                outcome = await reading.sync(item)
            except MirrorError:
                raise
            except FCError as failure:
                error = failure
            else:
                self._unanswered = 0
                return outcome
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            await self._bar(item.tenant, error)
            return reading.failed(item, error, "denied")
        self._count_silence(error)
        return reading.failed(item, error, reason_of(error))

    async def _bar(self, tenant: str | None, error: FCError) -> None:
        """End *tenant*, unless it is the key that is bad, which ends the run."""
        if tenant is None:
            raise error
        async with self._barring:
            if tenant not in self._barred:
                await self._denials.bar(tenant, error)
                self._barred[tenant] = error

    def _count_silence(self, error: FCError) -> None:
        """Raise *error* if it is one of many in a row to which nobody answered."""
        self._unanswered = self._unanswered + 1 if _is_silence(error) else 0
        if self._unanswered >= OUTAGE:
            raise error


def _is_silence(error: BaseException | None) -> bool:
    return isinstance(error, APIConnectionError | ServerError)
