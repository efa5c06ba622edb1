"""A sync as its caller sees it: enter it, iterate over its outcomes, read its report."""

import asyncio
from collections.abc import AsyncIterator, Generator
from typing import Any, Self

from fcasync._facts.clock import Clock
from fcasync._wire.announcing import Announcer
from fcasync._wire.uninterrupted import until_done
from fcasync.bulk import Progress, Tenants
from fcasync.bulk._work import bar, sources
from fcasync.client import Client
from fcasync.errors import InvalidArgumentError
from fcasync.hooks import Figures
from fcasync.mirror._intake import Settings
from fcasync.mirror._outcome import SyncOutcome, SyncStatus
from fcasync.mirror._reading import Reading
from fcasync.mirror._report import SyncReport
from fcasync.mirror._store import Store
from fcasync.mirror._work import SyncWork


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
        if not isinstance(source, Tenants):
            sources.check(source)
        self._source, self._reading = source, reading
        self._shows_bar = settings.progress
        self._clock: Clock = client._engine.clock
        self._work = work = SyncWork(client, source, reading, store, settings)
        self._began = 0.0  # when the block was entered; monotonic
        self._ended_at: float | None = None  # when it was left
        self._main: asyncio.Task[None] | None = None  # runs the work; None before the block
        self._drawing: asyncio.Task[None] | None = None  # keeps the bar up to date
        reporter = client._engine.reporter
        self._announcer = Announcer(reporter, "mirror", "sync", lambda: _figures(work, reading))

    def __repr__(self) -> str:
        done = sum(self._work.tally.counts.values())
        return f"<SyncRun {done} done, {self._work.tally.count('failed')} failed>"

    def __await__(self) -> Generator[Any, Any, SyncReport]:
        return self._whole().__await__()

    async def _whole(self) -> SyncReport:
        async with self:
            return await self.finish()

    async def __aenter__(self) -> Self:
        if self._main is not None:
            raise InvalidArgumentError("a SyncRun is entered once; make a new one")
        drawn = bar.make() if self._shows_bar else None
        self._began = self._clock.monotonic()
        with self._announcer.beginning():
            self._main = self._announcer.named_task(self._work.run(), "fcasync.mirror.sync")
        self._main.add_done_callback(self._work.end)
        if drawn is not None:
            self._drawing = bar.start(drawn, "sync", lambda: self.progress)
        return self

    async def __aexit__(self, *exc: Any) -> None:
        with self._announcer.ending(exc[1]):
            await self._leave(is_orderly=exc[0] is None)

    async def _leave(self, *, is_orderly: bool) -> None:
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
        if is_orderly and was_done and error is not None:
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
        outcome = await self._work.take(self._main)
        if outcome is None:
            failure = None if self._main.cancelled() else self._main.exception()
            raise failure or StopAsyncIteration
        return outcome

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

        It never raises; late and repeated events change nothing. A thin event makes the account be
        read at once.

        Returns:
            Whether the run was waiting for the account.
        """
        return self._work.intake.refreshing is not None and self._work.intake.refreshing.observe(
            event
        )

    @property
    def progress(self) -> Progress:
        """How far the run has come; may be read at any time."""
        done = sum(self._work.tally.counts.values())
        elapsed = self._elapsed
        refreshing = (
            None if self._work.intake.refreshing is None else self._work.intake.refreshing.progress
        )
        return Progress(
            done=done,
            failed=self._work.tally.count(SyncStatus.FAILED),
            skipped=self._work.tally.count(SyncStatus.SKIPPED),
            requests=self._reading.requests,
            in_flight=self._work.taken - done,
            waiting=self._work.taken - done,
            settling=0 if refreshing is None else refreshing.settling,
            total=sources.length(self._source),
            rate=self._reading.requests / elapsed if elapsed else 0.0,
            limit=self._reading.limit,
            eta=None,
        )

    @property
    def report(self) -> SyncReport:
        """What the run has done so far; final once the block was left."""
        refreshing = self._work.intake.refreshing
        return self._work.tally.report(
            self._elapsed, None if refreshing is None else refreshing.report
        )

    @property
    def _elapsed(self) -> float:
        return (self._ended_at or self._clock.monotonic()) - self._began


def _figures(work: SyncWork, reading: Reading) -> Figures:
    done = sum(list(work.tally.counts.values()))
    refreshed = None if work.intake.refreshing is None else work.intake.refreshing._figures()
    return Figures(
        done=done,
        failed=work.tally.count(SyncStatus.FAILED),
        waiting=work.taken - done,
        settling=0 if refreshed is None else refreshed.settling,
        in_flight=work.taken - done,
        requests=0 if refreshed is None else refreshed.requests,
        reads=reading.requests + (0 if refreshed is None else refreshed.reads),
        limit=reading.limit,
    )
