"""A sync as its caller sees it: enter it, iterate over its outcomes, read its report."""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Generator, Sequence
from contextlib import aclosing
from typing import Any, Final, Self

import attrs

from fcasync._facts.clock import Clock
from fcasync._wire.uninterrupted import until_done
from fcasync.bulk import BulkRun, Progress
from fcasync.bulk._work import bar, sources
from fcasync.bulk._work.crew import Crew
from fcasync.client import Client
from fcasync.errors import (
    APIConnectionError,
    AuthenticationError,
    FCError,
    InvalidArgumentError,
    PermissionDeniedError,
    ServerError,
)
from fcasync.mirror._errors import MirrorError
from fcasync.mirror._outcome import SyncOutcome, SyncStatus
from fcasync.mirror._reading import Item, Reading, reason_of
from fcasync.mirror._report import SyncReport, SyncTally
from fcasync.mirror._store import Store
from fcasync.models import Account

OUTAGE: Final = 25
"""After so many accounts in a row that got no answer, the run ends with the error."""


@attrs.frozen(kw_only=True)
class Settings:
    """What a sync was asked to do; already checked."""

    refresh: Sequence[str]
    refresh_options: dict[str, Any]
    concurrency: int
    progress: bool


class SyncRun:
    """A running sync.

    ::

        async with mirror.sync(client, client.accounts.list()) as run:
            async for outcome in run:
                ...
        print(run.report)

    ``await mirror.sync(...)`` does the same without looking at the outcomes, and returns the
    report. The rows of an outcome are stored before it is seen. The source is read only as fast as
    outcomes are taken. Leaving the block early, or a kill, loses nothing: the next run goes on from
    what is stored.
    """

    def __init__(
        self, client: Client, source: Any, reading: Reading, store: Store, settings: Settings
    ) -> None:
        sources.check(source)
        self._client, self._source = client, source
        self._reading, self._store, self._settings = reading, store, settings
        self._clock: Clock = client._engine.clock
        self._tally = SyncTally()
        self._began = 0.0
        self._ended_at: float | None = None  # when the block was left; monotonic
        self._taken = 0  # accounts that were taken from the source
        self._unanswered = 0  # failures in a row without an answer
        self._items: asyncio.Queue[Item] = asyncio.Queue(settings.concurrency)
        self._outcomes: deque[SyncOutcome] = deque()  # not yet taken by the caller
        self._news = asyncio.Event()  # there is an outcome, or the end
        self._room = asyncio.Semaphore(settings.concurrency)  # for outcomes that are not taken
        self._refreshing: BulkRun | None = None  # the bulk job, once it has begun
        self._main: asyncio.Task[None] | None = None  # None before the block is entered
        self._drawing: asyncio.Task[None] | None = None  # keeps the bar up to date

    def __repr__(self) -> str:
        done = sum(self._tally.counts.values())
        return f"<SyncRun {done} done, {self._tally.count('failed')} failed>"

    def __await__(self) -> Generator[Any, Any, SyncReport]:
        return self._whole().__await__()

    async def _whole(self) -> SyncReport:
        async with self:
            return await self.finish()

    async def __aenter__(self) -> Self:
        if self._main is not None:
            raise InvalidArgumentError("a SyncRun is entered once; make a new one")
        drawn = bar.make() if self._settings.progress else None
        self._began = self._clock.monotonic()
        self._main = asyncio.create_task(self._work(), name="fcasync-mirror")
        self._main.add_done_callback(lambda _: self._news.set())
        if drawn is not None:
            self._drawing = asyncio.create_task(bar.draw(drawn, "sync", lambda: self.progress))
        return self

    async def __aexit__(self, exc_type: type[BaseException] | None, *rest: object) -> None:
        assert self._main is not None  # noqa: S101 - entered
        was_done = self._main.done()
        tasks = [task for task in (self._main, self._drawing) if task is not None]
        try:
            for task in tasks:
                task.cancel()
            await until_done(tasks)
        finally:
            self._ended_at = self._clock.monotonic()
        # Asked for in any case: a failure that nobody looks at would be reported by asyncio.
        error = None if self._main.cancelled() else self._main.exception()
        if exc_type is None and was_done and error is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[SyncOutcome]:
        return self

    async def __anext__(self) -> SyncOutcome:
        """Return the next outcome.

        Raises:
            MirrorError: The database cannot be used.
            FCError: What ended the run: a bad key, or a network that is down; an error of the
                source is raised as it is. What had finished before is stored.
        """
        if self._main is None:
            raise InvalidArgumentError("enter the run first: async with mirror.sync(...) as run")
        while not self._outcomes:
            if self._main.done():
                failure = None if self._main.cancelled() else self._main.exception()
                raise failure or StopAsyncIteration
            self._news.clear()
            await self._news.wait()
        self._room.release()
        return self._outcomes.popleft()

    async def finish(self) -> SyncReport:
        """Process everything without looking at the outcomes, and return the report."""
        async for _ in self:
            pass
        return self.report

    @property
    def is_over(self) -> bool:
        """Whether it has come to its end."""
        return self._main is not None and self._main.done()

    def stop(self) -> bool:
        """Stop: what is stored stays, and what is finished is still handed out.

        Returns:
            Whether the run was at work.
        """
        return self._main is not None and not self._main.done() and self._main.cancel()

    def observe(self, event: Any) -> bool:
        """Take note of a webhook event, so that a refreshed account need not be polled.

        It never raises; late and repeated events change nothing.

        Returns:
            Whether the run was waiting for the account.
        """
        return self._refreshing is not None and self._refreshing.observe(event)

    @property
    def progress(self) -> Progress:
        """How far the run has come; may be read at any time."""
        done = sum(self._tally.counts.values())
        elapsed = self._elapsed
        refreshing = None if self._refreshing is None else self._refreshing.progress
        return Progress(
            done=done,
            failed=self._tally.count(SyncStatus.FAILED),
            skipped=self._tally.count(SyncStatus.SKIPPED),
            requests=self._reading.requests,
            in_flight=self._taken - done,
            waiting=self._taken - done,
            settling=0 if refreshing is None else refreshing.settling,
            total=sources.length(self._source),
            rate=self._reading.requests / elapsed if elapsed else 0.0,
            limit=self._reading.limit,
            eta=None,
        )

    @property
    def report(self) -> SyncReport:
        """What the run has done so far; final once the block was left."""
        refreshing = self._refreshing
        return self._tally.report(self._elapsed, None if refreshing is None else refreshing.report)

    @property
    def _elapsed(self) -> float:
        return (self._ended_at or self._clock.monotonic()) - self._began

    async def _work(self) -> None:
        workers = [self._sync_items] * self._settings.concurrency
        await Crew().run([self._store.run, *workers], self._read)

    async def _read(self) -> None:
        """Read the source to its end, and wait until all of it is done."""
        async with aclosing(self._source_items()) as items:
            async for item in items:
                self._taken += 1
                await self._items.put(item)
        await self._items.join()

    async def _source_items(self) -> AsyncGenerator[Item]:
        if not self._settings.refresh:
            async for found in sources.read(self._source):
                account = found if isinstance(found, Account) else None
                name: Any = found if account is None else account.id
                yield Item(name, account, self._clock.time())
            return
        run = self._client.bulk.refresh(
            self._source,
            features=self._settings.refresh,
            wait=True,
            **self._settings.refresh_options,
        )
        self._refreshing = run
        async with run:
            async for outcome in run:
                yield Item(outcome.account_id, outcome.account, self._clock.time(), outcome)

    async def _sync_items(self) -> None:
        while True:
            item = await self._items.get()
            outcome = await self._synced(item)
            await self._room.acquire()
            self._tally.add(outcome)
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
