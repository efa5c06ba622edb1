"""The work of a sync: from the source, perhaps through a refresh, to the tables.

::

    source ──▶ [bulk refresh] ──▶ workers (one account each) ──▶ store ──▶ the caller
"""

import asyncio
from collections import deque
from contextlib import aclosing
from typing import Any, Final

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
from fcasync.mirror._intake import Intake, Settings
from fcasync.mirror._outcome import SyncOutcome
from fcasync.mirror._reading import Item, Reading, reason_of
from fcasync.mirror._report import SyncTally
from fcasync.mirror._store import Store

OUTAGE: Final = 25
"""After so many accounts in a row that got no answer, the run ends with the error."""


class SyncWork:
    """Reads the source, syncs many accounts at a time, and keeps their outcomes for the caller."""

    def __init__(
        self, client: Client, source: Any, reading: Reading, store: Store, settings: Settings
    ) -> None:
        self._reading, self._store, self._settings = reading, store, settings
        self.intake = Intake(client, source, reading, settings)
        """What comes from the source."""
        self.tally = SyncTally()
        self.taken = 0
        """Accounts that were taken from the source."""
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
            await self.intake.give_back()

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
        async with aclosing(self.intake.items(self._put)) as items:
            async for item in items:
                await self._put(item)
        await self._items.join()

    async def _put(self, item: Item) -> None:
        self.taken += 1
        await self._items.put(item)

    async def _sync_items(self) -> None:
        while True:
            item = await self._items.get()
            outcome = await self._synced(item)
            await self.intake.settle(item, is_answered=not _is_silence(outcome.error))
            await self._room.acquire()
            self.tally.add(outcome)
            self._outcomes.append(outcome)
            self._news.set()
            self._items.task_done()

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
