"""The work of a bulk job: the only part of it that awaits.

Each loop waits for one thing::

    reader ──▶ group commit ──▶ dispatcher ──▶ requests ──▶ group commit ──▶ the caller
    (source)     (disk)          (pace)        (network)       (disk)
                                                  └──▶ settler (banks) ──┘

What is to be done about an account is decided by `_plan`; here its commands are carried out.
"""

import asyncio
from collections import deque
from functools import partial
from typing import Any

from fcasync._facts.redact import printable
from fcasync._rules import checks
from fcasync._rules.pace import Limits, Pace
from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.rows import outcome_of, row_of
from fcasync.bulk._journal.sqlite import Journal
from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._plan import classify
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._plan.table import step
from fcasync.bulk._plan.task import (
    Abort,
    Accepted,
    Admitted,
    Command,
    Due,
    Enqueue,
    EnqueueAfter,
    EnqueueFirst,
    Event,
    Finish,
    Forget,
    Job,
    Limited,
    Look,
    Lost,
    Now,
    Row,
    Seen,
    Send,
    Settle,
    Store,
    Task,
)
from fcasync.bulk._work import sources
from fcasync.bulk._work.network import Wire
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.settler import CAPACITY, Settler
from fcasync.bulk._work.tally import Tally
from fcasync.errors import APIStatusError, FCError, InvalidArgumentError
from fcasync.models import Account

OUTAGE_ATTEMPTS = 100
OUTAGE_SECONDS = 60.0
"""So many requests in a row without an answer, for so long: the network is down."""


class Work:
    """Reads, sends, settles and delivers, until everything is done or something is broken."""

    def __init__(
        self,
        wire: Wire,
        source: Any,
        settings: Settings,
        *,
        journal: Journal,
        tally: Tally,
        server_time: ServerTime,
    ) -> None:
        self._wire, self._clock = wire, wire.clock
        self._source = source
        self._journal = journal
        self._tally = tally
        self._time = server_time
        self._job = Job(
            id=journal.header.id,
            operation=settings.operation,
            features=settings.features,
            wait=settings.wait,
            retry_failed=settings.retry_failed,
        )
        self._commit = GroupCommit(journal, wire.clock)
        self._settler = Settler(wire, settings.wait_timeout, self._step)
        self._ceiling = Pace(Limits(max_rate=settings.max_rate))
        self._live: dict[str, Task] = {}
        self._is_quiet = asyncio.Event()
        self._room = asyncio.Semaphore(settings.window)
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._queue: deque[Task] = deque()
        self._is_queued = asyncio.Event()
        self._outcomes: asyncio.Queue[tuple[Outcome, bool] | None] = asyncio.Queue()
        self._unanswered = 0
        self._answered_at = self._clock.monotonic()

    async def run(self) -> None:
        """Work until the source is at its end and every account has an outcome.

        Raises:
            Exception: What the source raised, or an FCError that concerns all accounts.
        """
        self._wire.pace.learn()
        try:
            async with asyncio.TaskGroup() as group:
                self._group = group
                loops = [self._commit.run(), self._dispatch(), self._settler.run()]
                tasks = [group.create_task(loop) for loop in loops]
                await self._read()
                self._tally.source_is_read = True
                while self._live:
                    self._is_quiet.clear()
                    await self._is_quiet.wait()
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup as errors:
            # One of them ended the run; what the others met on the way out is of no interest.
            raise _first(errors) from None
        finally:
            self._wire.pace.unlearn()

    def end(self, _: object) -> None:
        """Tell the caller, behind all outcomes, that there are no more."""
        self._outcomes.put_nowait(None)

    def close(self) -> None:
        """Bring to disk what is finished, and close the journal."""
        self._commit.close()

    async def next_outcome(self) -> Outcome | None:
        """Return the next outcome, or None when there are no more."""
        found = await self._outcomes.get()
        if found is None:
            self._outcomes.put_nowait(None)
            return None
        outcome, has_room = found
        if has_room:
            self._room.release()
        return outcome

    def see(self, account: Account) -> bool:
        """Take note of an account as it is now; return whether anybody waited for it."""
        return self._settler.see(account)

    async def _read(self) -> None:
        async for item in sources.read(self._source):
            await self._room.acquire()
            while len(self._settler) >= CAPACITY:
                await self._clock.sleep(1.0)
            self._take(item)

    def _take(self, item: object) -> None:
        try:
            account_id = checks.object_id(item, "account")
        except InvalidArgumentError as error:
            self._reject(item, error)
            return
        if account_id in self._live:
            self._room.release()
            return
        is_suspect = self._journal.was_cut_short
        sent_at = self._journal.header.created if is_suspect else self._time.earliest()
        account = item if isinstance(item, Account) else None
        task = Task(account_id, sent_at, account, is_suspect)
        self._live[account_id] = task
        self._tally.arriving += 1
        self._commit.admit(row_of(task), partial(self._admitted, task))

    def _reject(self, item: object, error: InvalidArgumentError) -> None:
        self._tally.admit()
        self._deliver(
            Outcome(
                account_id=printable(item, 80),
                status=OutcomeStatus.FAILED,
                error=error,
                reason="invalid_id",
            ),
            has_room=True,
        )

    def _admitted(self, task: Task, row: Row | None) -> None:
        self._tally.arriving -= 1
        if row is None:
            self._tally.admit()
        command = self._decide(task, Admitted(row))
        if row is not None and not isinstance(command, Forget):
            self._tally.reopen(row.status, row.reason)
        self._carry_out(task, command)

    def _step(self, task: Task, event: Event) -> None:
        self._carry_out(task, self._decide(task, event))

    def _decide(self, task: Task, event: Event) -> Command:
        now = Now(self._time.earliest(), self._time.latest(), self._clock.draw())
        return step(self._job, task, event, now)

    def _carry_out(self, task: Task, command: Command) -> None:
        match command:
            case Finish():
                self._commit.store(row_of(task), partial(self._finished, task))
            case Enqueue():
                self._enqueue(task)
            case EnqueueFirst():
                self._queue.appendleft(task)
                self._is_queued.set()
            case EnqueueAfter(seconds):
                self._group.create_task(self._enqueue_after(task, seconds))
            case Store():
                self._commit.store(row_of(task), lambda _: self._enqueue(task))
            case Settle():
                self._settle(task)
            case Forget():
                self._remove(task)
                self._room.release()
            case Abort(error):
                raise error
            case Send() | Look():
                raise AssertionError("requests are sent when it is the task's turn")

    def _enqueue(self, task: Task) -> None:
        self._queue.append(task)
        self._is_queued.set()

    async def _enqueue_after(self, task: Task, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self._enqueue(task)

    def _settle(self, task: Task) -> None:
        self._commit.store(row_of(task), lambda _: None)
        self._settler.add(task)
        # Banks take minutes; the source is read on meanwhile.
        task.has_room = False
        self._room.release()

    def _finished(self, task: Task, _: object) -> None:
        self._settler.remove(task)
        self._remove(task)
        self._deliver(outcome_of(task), has_room=task.has_room)

    def _remove(self, task: Task) -> None:
        del self._live[task.account_id]
        if not self._live:
            self._is_quiet.set()

    def _deliver(self, outcome: Outcome, *, has_room: bool) -> None:
        self._tally.finish(outcome, self._clock.monotonic())
        self._outcomes.put_nowait((outcome, has_room))

    async def _dispatch(self) -> None:
        while True:
            if not self._queue:
                self._is_queued.clear()
                await self._is_queued.wait()
            await self._slots.acquire()
            await self._slot_in_time()
            # Chosen last, so that what was refused with a 429 meanwhile goes first.
            self._group.create_task(self._serve(self._queue.popleft()))

    async def _slot_in_time(self) -> None:
        now = self._clock.monotonic()
        wait = max(self._wire.pace.reserve(now), self._ceiling.reserve(now))
        if wait:
            await self._clock.sleep(wait)

    async def _serve(self, task: Task) -> None:
        """Give *task* its turn on the wire."""
        self._tally.in_flight += 1
        try:
            match self._decide(task, Due()):
                case Send(key):
                    event = await self._send(task, key)
                case _:
                    event = await self._look(task)
        finally:
            self._tally.in_flight -= 1
            self._slots.release()
        self._step(task, event)

    async def _send(self, task: Task, key: str) -> Event:
        self._tally.send(is_retry=task.strikes > 0)
        sent_at = self._clock.monotonic()
        try:
            response = await self._wire.send(task.account_id, key)
        except FCError as error:
            return self._failed(error, sent_at)
        self._heard(response.headers, sent_at)
        self._tally.replays += response.idempotent_replayed
        return Accepted(response.value, response.idempotent_replayed)

    def _failed(self, error: FCError, sent_at: float) -> Event:
        event = classify.after_sending(error)
        if isinstance(error, APIStatusError):
            self._heard(error.headers, sent_at, event)
            self._tally.rate_limited += isinstance(event, Limited)
            self._tally.replays += error.idempotent_replayed
        elif isinstance(event, Lost):
            self._unanswered += 1
            silence = self._clock.monotonic() - self._answered_at
            if self._unanswered >= OUTAGE_ATTEMPTS and silence >= OUTAGE_SECONDS:
                raise error
        return event

    def _heard(self, headers: Any, sent_at: float, event: Event | None = None) -> None:
        """Take from an answer what it says about the server: its time, and its limit."""
        now = self._clock.monotonic()
        self._unanswered, self._answered_at = 0, now
        self._time.observe(headers)
        is_limited = isinstance(event, Limited)
        reason = event.reason if isinstance(event, Limited) else None
        self._wire.pace.answered(sent_at, now, limited=is_limited, reason=reason)

    async def _look(self, task: Task) -> Event:
        try:
            response = await self._wire.retrieve(task.account_id)
        except FCError as error:
            return classify.after_looking(error)
        self._time.observe(response.headers)
        return Seen(response.value)


def _first(errors: BaseExceptionGroup[BaseException]) -> BaseException:
    error = errors.exceptions[0]
    return _first(error) if isinstance(error, BaseExceptionGroup) else error
