"""From the queue onto the network."""

from collections.abc import Callable, Mapping
from typing import Any

from fcasync._facts.clock import Clock
from fcasync.bulk._plan import classify
from fcasync.bulk._plan.commands import Command, EnqueueAfter, Send
from fcasync.bulk._plan.events import Accepted, Barred, Broken, Due, Event, Limited, Seen
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work import log
from fcasync.bulk._work.lane import Lane
from fcasync.bulk._work.schedule import Schedule
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.silence import Silence
from fcasync.bulk._work.tally import Tally
from fcasync.errors import APIStatusError, FCError


class Dispatcher:
    """Gives each task its turn on the network."""

    def __init__(
        self,
        schedule: Schedule,
        clock: Clock,
        settings: Settings,
        *,
        decide: Callable[[Task, Event], Command],
        step: Callable[[Task, Event], None],
        start: Callable[..., None],
        observe: Callable[[Mapping[str, str]], None],
        tally: Tally,
    ) -> None:
        """Make a dispatcher.

        Args:
            schedule: Says whose turn it is.
            clock: For waiting.
            settings: For what to do about a run that an outage has ended.
            decide: Returns what to do when it is a task's turn.
            step: Called with what became of the request.
            start: Runs a coroutine function as a task that ends with the run.
            observe: Called with the headers of each response, which say what time it is.
            tally: Counts.
        """
        self._schedule, self._clock = schedule, clock
        self._decide, self._step, self._start = decide, step, start
        self._observe, self._tally = observe, tally
        now, remedy = clock.monotonic(), "; the same call resumes it" if settings.journal else ""
        # One kind of request may fail while the other does not.
        self._silence = Silence(now, remedy)  # of requests that change accounts
        self._darkness = Silence(now, remedy)  # of those that look

    def enqueue(self, task: Task) -> None:
        """Let *task* have its turn behind all others of its lane."""
        lane = self._schedule.lanes[task.stripe_account]
        if lane.barred_by is not None:
            self._step(task, Barred(lane.barred_by))
            return
        lane.queue.append(task)
        self._schedule.line_up(lane)

    def enqueue_first(self, task: Task) -> None:
        """Let *task* have its turn ahead of all others of its lane."""
        lane = self._schedule.lanes[task.stripe_account]
        if lane.barred_by is not None:
            self._step(task, Barred(lane.barred_by))
            return
        lane.queue.appendleft(task)
        self._schedule.line_up(lane)

    def enqueue_after(self, task: Task, seconds: float) -> None:
        """Let *task* have its turn behind all others of its lane, *seconds* from now."""
        self._start(self._enqueue_after, task, seconds)

    async def _enqueue_after(self, task: Task, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.enqueue(task)

    async def run(self) -> None:
        """Serve all lanes, until cancelled."""
        try:
            while True:
                lane = await self._schedule.next()
                self._start(self._serve, lane, self._take(lane))
        finally:
            self._schedule.close()

    def _take(self, lane: Lane) -> Task:
        # Chosen last, so that what was refused with a 429 meanwhile goes first.
        task = lane.queue.popleft()
        self._schedule.taken(lane)
        return task

    async def _serve(self, lane: Lane, task: Task) -> None:
        """Give *task* its turn on the network, and then others whose turn has come at once."""
        self._tally.in_flight += 1
        try:
            while True:
                if (event := await self._exchange(lane, task)) is not None:
                    self._step(task, event)
                following = self._schedule.follow(lane)
                if following is None:
                    return
                lane, task = following, self._take(following)
        finally:
            self._tally.in_flight -= 1

    async def _exchange(self, lane: Lane, task: Task) -> Event | None:
        match self._decide(task, Due()):
            case Send(key):
                return await self._send(lane, task, key)
            case EnqueueAfter(seconds):
                lane.network.pace.lost()
                self.enqueue_after(task, seconds)
                return None
            case _:
                lane.network.pace.lost()
                return await self._look(lane, task)

    async def _send(self, lane: Lane, task: Task, key: str) -> Event:
        sent_at = self._clock.monotonic()
        self._tally.send(sent_at, is_retry=task.strikes > 0)
        try:
            response = await lane.network.send(task.account_id, key)
        except FCError as error:
            return self._failed(lane, error, sent_at)
        except BaseException:
            lane.network.pace.lost()
            raise
        self._silence.ends(self._clock.monotonic())
        self._heard(lane, response.headers, sent_at)
        self._tally.replays += response.idempotent_replayed
        return Accepted(response.value, response.idempotent_replayed)

    def _failed(self, lane: Lane, error: FCError, sent_at: float) -> Event:
        event = classify.after_sending(error)
        if isinstance(error, APIStatusError):
            self._heard(lane, error.headers, sent_at, event)
            self._tally.rate_limited += isinstance(event, Limited)
            self._tally.replays += error.idempotent_replayed
        else:
            lane.network.pace.lost()
        if _is_answer(error) or _is_stored(event):
            self._silence.ends(self._clock.monotonic())
            return event
        return self._silence.goes_on(self._clock.monotonic(), event, error)

    def _heard(self, lane: Lane, headers: Any, sent_at: float, event: Event | None = None) -> None:
        """Take from a response what it says about the server: its time, and its limit."""
        now = self._clock.monotonic()
        self._observe(headers)
        if not isinstance(event, Limited):
            lane.network.pace.answered(sent_at, now, limited=False)
            return
        lane.network.pace.answered(sent_at, now, limited=True, reason=event.reason)
        if limit := lane.news_of_limit():
            log.learnt(limit, lane.stripe_account)

    async def _look(self, lane: Lane, task: Task) -> Event:
        try:
            response = await lane.network.retrieve(task.account_id)
        except FCError as error:
            event = classify.after_looking(error)
            if _is_answer(error):
                self._darkness.ends(self._clock.monotonic())
                return event
            return self._darkness.goes_on(self._clock.monotonic(), event, error)
        self._darkness.ends(self._clock.monotonic())
        self._observe(response.headers)
        return Seen(response.value)


def _is_answer(error: FCError) -> bool:
    """Return whether *error* shows that the server is at work."""
    return isinstance(error, APIStatusError) and error.status < 500


def _is_stored(event: Event) -> bool:
    """Return whether a 5xx says nothing about how the server is now."""
    return isinstance(event, Broken) and event.replayed
