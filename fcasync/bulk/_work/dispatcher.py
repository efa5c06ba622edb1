"""From the queue onto the network."""

from collections import deque
from collections.abc import Callable, Mapping

from fcasync._facts.clock import Clock
from fcasync.bulk._plan.commands import Command
from fcasync.bulk._plan.events import Barred, Event
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.lane import Lane
from fcasync.bulk._work.schedule import Schedule
from fcasync.bulk._work.sender import Sender
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally

WIND_UP = 0.1
"""Seconds between two looks at what is still under way when the last request was sent."""


class Spent(Exception):
    """As many requests were sent as may be, and all of them have ended."""


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
            settings: For the most requests, and what to do when an outage has ended the run.
            decide: Returns what to do when it is a task's turn.
            step: Called with what became of the request.
            start: Runs a coroutine function as a task that ends with the run.
            observe: Called with the headers of each response, which say what time it is.
            tally: Counts.
        """
        self._schedule, self._clock = schedule, clock
        self._step, self._start, self._tally = step, start, tally
        self._left = settings.max_requests  # requests that may still be sent; None for any number
        self._begun: deque[Lane] = deque()  # whose turns have a task that has not run yet
        self._sender = Sender(
            clock,
            decide=decide,
            enqueue_after=self.enqueue_after,
            not_sent=self._give_back,
            observe=observe,
            tally=tally,
            remedy="; the same call resumes it" if settings.journal else "",
        )

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
                if self._left == 0:
                    self._schedule.put_back(lane)
                    await self._wind_up()
                else:
                    self._begun.append(lane)
                    self._start(self._serve, lane, self._take(lane))
        finally:
            # A task that is cancelled before its first step never runs: its slot is not used.
            for lane in self._begun:
                lane.network.pace.lost()
            self._schedule.close()

    async def _wind_up(self) -> None:
        """Wait for what is under way; it may give requests back.

        Raises:
            Spent: Nothing is, and no more may be sent.
        """
        while self._left == 0:
            if not self._tally.in_flight and not self._schedule.settling:
                raise Spent
            await self._clock.sleep(WIND_UP)

    def _give_back(self) -> None:
        if self._left is not None:
            self._left += 1

    def _take(self, lane: Lane) -> Task:
        if self._left is not None:
            self._left -= 1
        # Chosen last, so that what was refused with a 429 meanwhile goes first.
        task = lane.queue.popleft()
        self._schedule.taken(lane)
        return task

    async def _serve(self, lane: Lane, task: Task) -> None:
        """Give *task* its turn on the network, and then others whose turn has come at once."""
        self._begun.popleft()
        self._tally.in_flight += 1
        try:
            while True:
                if (event := await self._sender.exchange(lane, task)) is not None:
                    self._step(task, event)
                following = self._schedule.follow(lane)
                if following is None:
                    return
                if self._left == 0:
                    self._schedule.put_back(following)
                    return
                lane, task = following, self._take(following)
        finally:
            self._tally.in_flight -= 1
