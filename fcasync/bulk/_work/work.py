"""The work of a bulk job: the only part of it that awaits.

Each loop waits for one thing::

    reader ──▶ group commit ──▶ dispatcher ──▶ requests ──▶ group commit ──▶ outbox
    (source)     (disk)          (pace)        (network)       (disk)       (the caller)
                                                  └──▶ settler (banks) ──┘

What is to be done about an account is decided by `_plan`; here its commands are carried out.
"""

import asyncio
from collections.abc import Coroutine
from functools import partial
from typing import Any, assert_never

from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.journal import Journal
from fcasync.bulk._journal.rows import outcome_of, row_of
from fcasync.bulk._outcome import Outcome
from fcasync.bulk._plan.commands import (
    Abort,
    Command,
    Enqueue,
    EnqueueAfter,
    EnqueueFirst,
    Finish,
    Forget,
    Look,
    Send,
    Settle,
    Store,
    Wait,
)
from fcasync.bulk._plan.events import Admitted, Event
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._plan.table import step
from fcasync.bulk._plan.task import Job, Now, Task
from fcasync.bulk._work.dispatcher import Dispatcher
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.outbox import Outbox
from fcasync.bulk._work.reader import Reader
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.settler import Settler
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.window import Live, Window
from fcasync.models import Account


class Work:
    """Reads, sends, settles and delivers, until everything is done or something is broken."""

    def __init__(
        self,
        network: Network,
        source: Any,
        settings: Settings,
        *,
        journal: Journal,
        tally: Tally,
        server_time: ServerTime,
    ) -> None:
        self._network, self._clock = network, network.clock
        self._tally = tally
        self._time = server_time
        self._job = Job(
            id=journal.header.id,
            verb=settings.verb,
            features=settings.features,
            wait=settings.wait,
            retry_failed=settings.retry_failed,
        )
        self._live = Live()
        self._outbox = Outbox()
        self._commit = GroupCommit(journal, network.clock)
        self._settler = Settler(network, settings.wait_timeout, self._step)
        self._dispatcher = Dispatcher(
            network,
            settings,
            decide=self._decide,
            step=self._step,
            start=self._start,
            tally=tally,
            server_time=server_time,
        )
        began, is_suspect = journal.header.created, journal.was_cut_short
        self._reader = Reader(
            source,
            window=Window(settings.window),
            live=self._live,
            settler=self._settler,
            commit=self._commit,
            outbox=self._outbox,
            tally=tally,
            clock=network.clock,
            # A torn journal may have forgotten what was sent at any time since the job began.
            sent_at=(lambda: began) if is_suspect else server_time.earliest,
            step=self._step,
            is_suspect=is_suspect,
        )

    async def run(self) -> None:
        """Work until the source is at its end and every account has an outcome.

        Raises:
            Exception: What the source raised, or an FCError that concerns all accounts.
        """
        self._network.pace.learn()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                rooms = (self._commit, self._dispatcher, self._settler)
                tasks = [group.create_task(room.run()) for room in rooms]
                await self._reader.run()
                await self._live.empty()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as errors:
            # One of them ended the run; what the others met on the way out is of no interest.
            raise _first(errors) from None
        finally:
            self._network.pace.unlearn()

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        self._group.create_task(work)

    def end(self, _: object) -> None:
        """Tell the caller, behind all outcomes, that there are no more."""
        self._outbox.end()

    def close(self) -> None:
        """Bring to disk what is finished, and close the journal."""
        self._commit.close()

    async def next_outcome(self) -> Outcome | None:
        """Return the next outcome, or None when there are no more."""
        return await self._outbox.take()

    def see(self, account: Account) -> bool:
        """Take note of an account as it is now; return whether anybody waited for it."""
        return self._settler.see(account)

    def _step(self, task: Task, event: Event) -> None:
        command = self._decide(task, event)
        if isinstance(event, Admitted) and event.row and not isinstance(command, Forget):
            self._tally.reopen(event.row.status, event.row.reason)
        self._carry_out(task, command)

    def _decide(self, task: Task, event: Event) -> Command:
        now = Now(self._time.earliest(), self._time.latest(), self._clock.draw())
        return step(self._job, task, event, now)

    def _carry_out(self, task: Task, command: Command) -> None:  # noqa: C901 - one row per command
        match command:
            case Finish():
                self._commit.store(row_of(task), partial(self._finished, task))
            case Enqueue():
                self._dispatcher.enqueue(task)
            case EnqueueFirst():
                self._dispatcher.enqueue_first(task)
            case EnqueueAfter(seconds):
                self._dispatcher.enqueue_after(task, seconds)
            case Store():
                self._commit.store(row_of(task), lambda _: self._dispatcher.enqueue(task))
            case Settle():
                self._commit.store(row_of(task), lambda _: None)
                self._settler.add(task)
                # Banks take minutes; the source is read on meanwhile.
                self._live.place(task).leave()
            case Forget():
                self._live.remove(task).leave()
            case Abort(error):
                raise error
            case Wait():
                pass
            case Send() | Look():
                raise AssertionError("requests are sent when it is the task's turn")
            case _:
                assert_never(command)

    def _finished(self, task: Task, _: object) -> None:
        self._settler.remove(task)
        outcome = outcome_of(task)
        self._tally.finish(outcome, self._clock.monotonic())
        self._outbox.put(outcome, self._live.remove(task))


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
