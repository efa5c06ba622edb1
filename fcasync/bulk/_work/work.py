"""The work of a bulk job: the only part of it that awaits.

Each loop waits for one thing::

    reader ──▶ group commit ──▶ dispatcher ──▶ requests ──▶ group commit ──▶ outbox
    (source)     (disk)        (schedule)      (network)       (disk)       (the caller)
                                                  └──▶ settler (banks) ──┘

A job over many connected accounts has a reader, a pace and a settler for each, in a lane.

What is to be done about an account is decided by `_plan`; here its commands are carried out.
"""

from collections.abc import Mapping
from functools import partial
from typing import Any, Protocol, assert_never

from fcasync.bulk._journal.rows import outcome_of, outcome_of_row
from fcasync.bulk._outcome import Outcome
from fcasync.bulk._plan import commands
from fcasync.bulk._plan.admission import over
from fcasync.bulk._plan.events import Admitted, Event, TimedOut
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._plan.table import date_back, step
from fcasync.bulk._plan.task import Now, State, Task
from fcasync.bulk._work import start
from fcasync.bulk._work.crew import Crew
from fcasync.bulk._work.dispatcher import Dispatcher, Spent
from fcasync.bulk._work.lanes import Lanes
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.news import news_in
from fcasync.bulk._work.outbox import Outbox
from fcasync.bulk._work.schedule import Schedule
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.start import Opened
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.tenants import Tenants
from fcasync.bulk._work.turns import Turns


class Pace(Protocol):
    """How fast a run goes, and how many accounts wait for their banks."""

    @property
    def settling(self) -> int: ...
    @property
    def limit(self) -> float | None: ...


class Workable(Protocol):
    """What carries a run out, in this process or elsewhere; see :class:`Work`."""

    @property
    def schedule(self) -> Pace: ...
    async def run(self) -> None: ...
    def end(self, _: object) -> None: ...
    def close(self, *, acknowledge: bool) -> None: ...
    async def next_outcome(self) -> Outcome | None: ...
    def observe(self, event: Any) -> bool: ...


class Work:
    """Reads, sends, settles and delivers, until everything is done or something is broken."""

    def __init__(
        self,
        network: Network,
        source: Any,
        settings: Settings,
        *,
        opened: Opened,
        tally: Tally,
        server_time: ServerTime,
    ) -> None:
        self._network, self._clock = network, network.clock
        self._again, self._tally, self._time = opened.unacknowledged, tally, server_time
        self._was_finished = opened.finished_at is not None  # by an earlier run
        self._job = start.job(opened, settings)
        self._source = source
        self._crew = Crew()
        self._record = opened.record
        self._record.over = over(self._job)
        self._outbox = Outbox(self._record, opened.last_seq)
        is_alone = not isinstance(source, Tenants)
        self.schedule = Schedule(self._clock, settings, tally.brake, is_alone=is_alone)
        self._dispatcher = Dispatcher(
            self.schedule,
            self._clock,
            settings,
            decide=self._decide,
            step=self._step,
            start=self._crew.start,
            observe=self._observe,
            tally=tally,
        )
        began, is_suspect = opened.header.created, opened.was_cut_short
        self._lanes = Lanes(
            network=network,
            settings=settings,
            schedule=self.schedule,
            record=self._record,
            outbox=self._outbox,
            tally=tally,
            # A torn journal may have forgotten what was sent at any time since the job began.
            sent_at=(lambda: began) if is_suspect else server_time.earliest,
            is_suspect=is_suspect,
            passed=opened.passed() if tally.found_finished else frozenset(),
            step=self._step,
            start=self._crew.start,
        )

    async def run(self) -> None:
        """Show what earlier runs perhaps did not, then work until every account has an outcome.

        Raises:
            Exception: What the source raised, or an FCError that concerns all accounts.
        """
        turns = Turns()
        for row in self._again:
            self._outbox.put(outcome_of_row(row, again=True), row.seq)
            await turns.step()
        if self._tally.found_finished and self.schedule.is_alone:
            return
        try:
            loops = [self._record.run, self._dispatcher.run]
            await self._crew.run(loops, partial(self._lanes.run, self._source))
        except Spent:
            return  # in good order; what is not sent stays open
        finally:
            # An orderly end hands out what is finished, whatever it was that ended the run.
            await self._record.flush()
        # The source of a run that retries failures is perhaps only a part of the job's.
        was_read = self._was_finished or not self._job.retry_failed
        if was_read and not self._tally.is_anything_left and not self._tally.found_finished:
            self._tally.finished_at = self._time.earliest()

    def end(self, _: object) -> None:
        """Report to the caller, behind all outcomes, that there are no more."""
        self._outbox.end()

    def close(self, *, acknowledge: bool) -> None:
        """Bring to disk what is finished, and perhaps that its last outcome was seen; close."""
        if acknowledge:
            self._outbox.acknowledge()
        self._record.finished_at = self._tally.finished_at
        rows = self._record.close()
        if rows is not None:
            self._tally.close(rows)

    async def next_outcome(self) -> Outcome | None:
        """Return the next outcome, or None when there are no more."""
        return await self._outbox.take()

    def observe(self, event: Any) -> bool:
        """Take note of a webhook event; return whether a task was waiting for its account."""
        if (news := news_in(event, self._job.features)) is None:
            return False
        tenant, account = news
        lane = self.schedule.lanes.get("") or self.schedule.lanes.get(tenant)
        return lane is not None and lane.settler.observe(account)

    def _step(self, task: Task, event: Event) -> None:
        command = self._decide(task, event)
        if isinstance(event, Admitted) and event.row and not isinstance(command, commands.Forget):
            self._tally.reopen(event.row)
        self._carry_out(task, command)

    def _decide(self, task: Task, event: Event) -> commands.Command:
        now = Now(self._time.earliest(), self._time.latest(), self._clock.draw())
        return step(self._job, task, event, now)

    def _observe(self, headers: Mapping[str, str]) -> None:
        if not (back := self._time.observe(headers)):
            return
        for lane in self.schedule.lanes.values():
            for task in lane.live.tasks():
                date_back(task, back)
                if task.state not in (State.NEW, State.DONE):
                    self._record.store(task)

    def _carry_out(self, task: Task, command: commands.Command) -> None:  # noqa: C901 - one row per command
        lane = self.schedule.lanes[task.stripe_account]
        match command:
            case commands.Finish():
                # Whoever is finished waits no more, even though the disk may take its time.
                lane.settler.remove(task)
                seq = self._outbox.number()
                self._record.store(task, partial(self._finished, task, seq), seq)
            case commands.Enqueue():
                self._dispatcher.enqueue(task)
            case commands.EnqueueFirst():
                self._dispatcher.enqueue_first(task)
            case commands.EnqueueAfter(seconds):
                self._dispatcher.enqueue_after(task, seconds)
            case commands.Store():
                self._record.store(task, partial(self._dispatcher.enqueue, task))
            case commands.Settle():
                self._record.store(task)
                lane.settler.add(task)
                # Banks take minutes; the source is read on meanwhile.
                lane.live.place(task).leave()
                if lane.barred_by is not None:
                    # Nobody can see any more how it ends.
                    self._step(task, TimedOut())
            case commands.Forget():
                lane.live.remove(task).leave()
            case commands.Abort(error):
                self._lanes.denied(lane, error)
                self._dispatcher.enqueue(task)
            case commands.Wait():
                pass
            case commands.Send() | commands.Look():
                raise AssertionError("requests are sent when it is the task's turn")
            case _:
                assert_never(command)

    def _finished(self, task: Task, seq: int) -> None:
        outcome = outcome_of(task)
        self._tally.finish(outcome)
        place = self.schedule.lanes[task.stripe_account].live.remove(task)
        self._outbox.put(outcome, seq, place)
