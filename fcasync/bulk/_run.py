"""A bulk job as its caller sees it: enter it, iterate over its outcomes, read its report."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Generator
from typing import Any, Self

from fcasync._wire.announcing import Announcer
from fcasync._wire.uninterrupted import until_done
from fcasync.bulk._outcome import Outcome
from fcasync.bulk._report import Progress, Report
from fcasync.bulk._work import bar, log, sources, start
from fcasync.bulk._work.figures import figures
from fcasync.bulk._work.network import Party
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.tally import report as report_of
from fcasync.bulk._work.work import Work, Workable
from fcasync.errors import InvalidArgumentError
from fcasync.hooks import Figures


class BulkRun:
    """A running bulk job.

    ::

        async with client.bulk.refresh(ids, features=["balance"], journal="refresh.sqlite") as run:
            async for outcome in run:
                ...
        print(run.report)

    Outcomes come as they finish, each after it is on disk. The source is read only as fast as
    outcomes are taken. Asking for the next outcome, or leaving the block in good order,
    acknowledges the one before; one that was not acknowledged, because of an error, a kill or a
    cancellation, is handed out again by the next run, with ``outcome.again`` set.

    ``await client.bulk.refresh(...)`` does all of it, and returns the report.

    Leaving the block early, or a kill, stops the run; the same call with its journal goes on.
    """

    def __init__(
        self, network: Party, source: Any, settings: Settings, *, progress: bool = False
    ) -> None:
        if not settings.is_for_many:
            sources.check(source)
        self._network: Any = network
        self._clock, self._source, self._settings = network.clock, source, settings
        self._bar = bar.make() if progress else None
        self._drawing: asyncio.Task[None] | None = None  # keeps the bar up to date
        self._tally = Tally(Counter(), 0.0)
        self._was_entered = False
        self._is_stopping = False  # stop() was called
        self._work: Workable | None = None  # None before the block is entered
        self._main: asyncio.Task[None] | None = None  # runs the work
        self._ended_at: float | None = None  # when the block was left; monotonic
        self._announcer = Announcer(network.reporter, "bulk", settings.verb.name, self._figures)

    def __repr__(self) -> str:
        failed, waiting = self._tally.count("failed"), self._tally.unfinished
        return f"<BulkRun {self._tally.done} done, {failed} failed, {waiting} waiting>"

    def __await__(self) -> Generator[Any, Any, Report]:
        return _whole(self).__await__()

    async def __aenter__(self) -> Self:
        if self._was_entered:
            raise InvalidArgumentError("a BulkRun is entered once; make a new one to go on")
        self._was_entered = True
        with self._announcer.beginning():
            self._work = await self._begin()
        log.started(self._settings, self._tally)
        self._main = self._announcer.named_task(self._work.run(), "fcasync.bulk.run")
        self._main.add_done_callback(self._work.end)
        if self._bar is not None:
            self._drawing = bar.start(self._bar, self._settings.verb.name, lambda: self.progress)
        return self

    async def _begin(self) -> Workable:
        network, settings = self._network, self._settings
        time = await start.server_time(network)
        opened = await start.open_journal(network, settings, time)
        self._tally = tally = start.tally(opened, settings, self._clock.monotonic())
        return Work(network, self._source, settings, opened=opened, tally=tally, server_time=time)

    async def __aexit__(self, *exc: Any) -> None:
        with self._announcer.ending(exc[1]):
            await self._leave(is_orderly=exc[0] is None)

    async def _leave(self, *, is_orderly: bool) -> None:
        assert self._main is not None and self._work is not None  # noqa: PT018, S101 - entered
        self._is_stopping = self._is_stopping or not self._main.done()
        tasks = [self._main] + ([self._drawing] if self._drawing else [])
        try:
            for task in tasks:
                task.cancel()
            await until_done(tasks)
        finally:
            self._ended_at = self._clock.monotonic()
            self._work.close(acknowledge=is_orderly)
            log.ended(self.report)
        # Asked for in any case: a failure that nobody looks at would be reported by asyncio.
        error = _failure(self._main, is_stopping=self._is_stopping)
        if is_orderly and error is not None:
            raise error

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        """Return the next outcome.

        Raises:
            FCError: What ended the run: a bad key, a full disk, or a network that is down; an
                error of the source is raised as it is. What had finished before is on disk.
        """
        if self._work is None or self._main is None:
            raise InvalidArgumentError("enter the run first: async with client.bulk...() as run")
        outcome = await self._work.next_outcome()
        if outcome is None:
            raise _failure(self._main, is_stopping=self._is_stopping) or StopAsyncIteration
        return outcome

    def stop(self) -> bool:
        """Stop in good order, and return whether the run was at work.

        Nothing more is sent, and what is finished is still handed out. The same call with the same
        journal goes on from there. May be called at any time, also from the loop's signal handlers.
        """
        if self._main is None or self._main.done():
            return False
        if not self._is_stopping:
            self._is_stopping = True
            self._main.cancel()
        return True

    async def finish(self) -> Report:
        """Process everything without looking at the outcomes, and return the report."""
        async for _ in self:
            pass
        return self.report

    def observe(self, event: Any) -> bool:
        """Take note of a webhook event, so that its account need not be polled (``wait=True``).

        It never raises; a repeated event, one that came late, and one that is not about an
        account change nothing.

        Args:
            event: A :class:`fcasync.Event`, or a :class:`fcasync.ThinEvent` that says that a
                refresh has ended: the account, which is not in it, is read at once.

        Returns:
            Whether the run was waiting for the account.
        """
        return self._work is not None and self._work.observe(event)

    @property
    def progress(self) -> Progress:
        """How far the run has come; may be read at any time."""
        return self._tally.progress(
            self._ended_at or self._clock.monotonic(),
            limit=self._work.schedule.limit if self._work else None,
            ceiling=self._settings.ceiling,
            total=sources.length(self._source),
            settling=self._work.schedule.settling if self._work else 0,
        )

    def _figures(self) -> Figures:
        pace = None if self._work is None else self._work.schedule
        return figures(self._tally, pace, self._network.reads)

    @property
    def report(self) -> Report:
        """What the job has done so far; final once the block was left."""
        now, reads = self._ended_at or self._clock.monotonic(), self._network.reads.count
        limit = None if self._work is None else self._work.schedule.limit
        verb, is_dry = self._settings.verb, self._settings.dry_run
        return report_of(self._tally, now, verb, limit, reads, dry_run=is_dry)


async def _whole(run: BulkRun) -> Report:
    async with run:
        await run.finish()
    return run.report


def _failure(main: "asyncio.Task[None]", *, is_stopping: bool) -> BaseException | None:
    """Return what ended a run whose task is done; None if that was in good order."""
    if not main.cancelled():
        return main.exception()
    if is_stopping:
        return None
    return RuntimeError("the run was cancelled from outside; the same call resumes it")
