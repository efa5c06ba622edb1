"""From the queue onto the network."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping

from fcasync._rules.limits import Limits
from fcasync._rules.pace import Pace
from fcasync.bulk._plan.commands import Command
from fcasync.bulk._plan.events import Event
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.sender import Sender
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally

ROOM_WAIT = 0.05
"""Seconds between two looks for room among the requests in flight."""


class Dispatcher:
    """Gives each task its turn, at the pace that the rate limit allows."""

    def __init__(
        self,
        network: Network,
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
            network: Where the requests go.
            settings: For the most requests at a time, and in a second.
            decide: Returns what to do when it is a task's turn.
            step: Called with what became of the request.
            start: Runs a coroutine function as a task that ends with the run.
            observe: Called with the headers of each response, which say what time it is.
            tally: Counts.
        """
        self._network, self._clock = network, network.clock
        self._step, self._start, self._tally = step, start, tally
        self._ceiling = Pace(Limits(max_rate=settings.max_rate))
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._queue: deque[Task] = deque()
        self._is_queued = asyncio.Event()
        self._is_pausing = False  # a slot is being waited for, and the next task goes there
        self._sender = Sender(
            network,
            decide=decide,
            enqueue_after=self.enqueue_after,
            observe=observe,
            tally=tally,
            remedy="; the same call resumes it" if settings.journal else "",
        )

    def enqueue(self, task: Task) -> None:
        """Let *task* have its turn behind all others."""
        self._queue.append(task)
        self._is_queued.set()

    def enqueue_first(self, task: Task) -> None:
        """Let *task* have its turn ahead of all others."""
        self._queue.appendleft(task)
        self._is_queued.set()

    def enqueue_after(self, task: Task, seconds: float) -> None:
        """Let *task* have its turn behind all others, *seconds* from now."""
        self._start(self._enqueue_after, task, seconds)

    async def _enqueue_after(self, task: Task, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.enqueue(task)

    async def run(self) -> None:
        """Serve the queue, until cancelled."""
        while True:
            await self._slots.acquire()
            while not self._queue:
                self._is_queued.clear()
                await self._is_queued.wait()
            self._is_pausing = True
            while not self._network.pace.has_room:
                # Stripe limits the requests in flight, and others may hold all of them.
                await self._clock.sleep(ROOM_WAIT)
            await self._slot_in_time()
            self._is_pausing = False
            # Chosen last, so that what was refused with a 429 meanwhile goes first.
            self._start(self._serve, self._queue.popleft())

    async def _slot_in_time(self) -> None:
        now = self._clock.monotonic()
        wait = max(self._network.pace.reserve(now), self._ceiling.reserve(now))
        if not wait:
            return
        try:
            await self._clock.sleep(wait)
        except BaseException:
            self._network.pace.lost()
            raise

    async def _serve(self, task: Task) -> None:
        """Give *task* its turn on the network, and then others whose turn has come at once."""
        self._tally.in_flight += 1
        try:
            following: Task | None = task
            while following is not None:
                task = following
                if (event := await self._sender.exchange(task)) is not None:
                    self._step(task, event)
                following = self._next_at_once()
        finally:
            self._tally.in_flight -= 1
            self._slots.release()

    def _next_at_once(self) -> Task | None:
        """Return whose turn it is now, so that one asyncio task serves many accounts; or None."""
        pace, ceiling = self._network.pace, self._ceiling
        if self._is_pausing or not self._queue or not pace.has_room:
            return None
        now = self._clock.monotonic()
        if pace.wait_for(now) or ceiling.wait_for(now):
            return None
        pace.reserve(now)
        ceiling.reserve(now)
        return self._queue.popleft()
