"""A bulk job as its caller sees it: enter it, iterate over its outcomes, read its report."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from types import TracebackType
from typing import Any, Self

from fcasync.bulk._outcome import Outcome
from fcasync.bulk._report import Progress, Report
from fcasync.bulk._work import bar, sources, start
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.work import Work
from fcasync.errors import InvalidArgumentError
from fcasync.models import Account


class BulkRun:
    """A running bulk job.

    ::

        async with client.bulk.refresh(ids, features=["balance"], journal="refresh.sqlite") as run:
            async for outcome in run:
                ...
        print(run.report)

    Outcomes come as they finish, each after it is on disk. The source is read only as fast as
    outcomes are taken. Leaving the block early, by ``break``, an error or cancellation, stops the
    run; so does a kill. The same call with the same journal then goes on where it stopped.
    """

    def __init__(
        self, network: Network, source: Any, settings: Settings, *, progress: bool = False
    ) -> None:
        sources.check(source)
        self._bar = bar.make() if progress else None
        self._drawing: asyncio.Task[None] | None = None
        self._network = network
        self._clock = network.clock
        self._source = source
        self._settings = settings
        self._tally = Tally(Counter(), 0.0)
        self._work: Work | None = None
        self._main: asyncio.Task[None] | None = None
        self._ended_at: float | None = None

    def __repr__(self) -> str:
        tally = self._tally
        return f"<BulkRun {tally.done} done, {tally.failed} failed, {tally.unfinished} waiting>"

    async def __aenter__(self) -> Self:
        if self._work is not None:
            raise InvalidArgumentError("a BulkRun is entered once; make a new one to go on")
        server_time = await start.server_time(self._network)
        created = server_time.earliest()
        journal = await start.open_journal(self._network, self._settings, created)
        self._tally = Tally(journal.counts(), self._clock.monotonic())
        self._work = Work(
            self._network,
            self._source,
            self._settings,
            journal=journal,
            tally=self._tally,
            server_time=server_time,
        )
        self._main = asyncio.create_task(self._work.run())
        self._main.add_done_callback(self._work.end)
        if self._bar is not None:
            name = self._settings.verb.name
            self._drawing = asyncio.create_task(bar.draw(self._bar, name, self._now))
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        assert self._main is not None  # noqa: S101 - entered
        assert self._work is not None  # noqa: S101 - entered
        tasks = [self._main] + ([self._drawing] if self._drawing else [])
        try:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)
        finally:
            self._ended_at = self._clock.monotonic()
            self._work.close()
        if exc_type is None:
            self._raise_failure()

    def __aiter__(self) -> AsyncIterator[Outcome]:
        return self

    async def __anext__(self) -> Outcome:
        """Return the next outcome.

        Raises:
            FCError: What ended the run: a bad key, a full disk, or a network that is down; an
                error of the source is raised as it is. What had finished before is on disk.
        """
        if self._work is None:
            raise InvalidArgumentError("enter the run first: async with client.bulk...() as run")
        outcome = await self._work.next_outcome()
        if outcome is None:
            self._raise_failure()
            raise StopAsyncIteration
        return outcome

    def _raise_failure(self) -> None:
        main = self._main
        if (
            main is not None
            and main.done()
            and not main.cancelled()
            and (error := main.exception())
        ):
            raise error

    async def finish(self) -> Report:
        """Process everything without looking at the outcomes, and return the report."""
        async for _ in self:
            pass
        return self.report

    def observe(self, event: Any) -> bool:
        """Take note of a webhook event, so that its account need not be polled (``wait=True``).

        Args:
            event: A :class:`fcasync.Event`; one that is not about an account is ignored.

        Returns:
            Whether the run was waiting for the account.
        """
        account = getattr(getattr(event, "data", None), "object", None)
        if self._work is None or not isinstance(account, Account):
            return False
        return self._work.see(account)

    @property
    def progress(self) -> Progress:
        """How far the run has come; may be read at any time."""
        return self._now()

    def _now(self) -> Progress:
        now = self._ended_at or self._clock.monotonic()
        limit, total = self._network.pace.limit, sources.length(self._source)
        return self._tally.progress(now, limit=limit, total=total)

    @property
    def report(self) -> Report:
        """What the job has done so far; final once the block was left."""
        now = self._ended_at or self._clock.monotonic()
        return self._tally.report(now, self._settings.verb, self._network.pace.limit)
