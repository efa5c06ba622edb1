"""From the queue onto the network."""

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from fcasync._rules.pace import Limits, Pace
from fcasync.bulk._plan import classify
from fcasync.bulk._plan.commands import Command, Send
from fcasync.bulk._plan.events import Accepted, Due, Event, Limited, Lost, Seen
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.errors import APIStatusError, FCError

OUTAGE_ATTEMPTS = 100
OUTAGE_SECONDS = 60.0
"""After this many unanswered requests in a row over this many seconds, assume an outage."""


class Dispatcher:
    """Gives each task its turn, at the pace that the rate limit allows."""

    def __init__(
        self,
        network: Network,
        settings: Settings,
        *,
        decide: Callable[[Task, Event], Command],
        step: Callable[[Task, Event], None],
        start: Callable[[Coroutine[Any, Any, None]], None],
        tally: Tally,
        server_time: ServerTime,
    ) -> None:
        """Make a dispatcher.

        Args:
            network: Where the requests go.
            settings: For the most requests at a time, and in a second.
            decide: Returns what to do when it is a task's turn.
            step: Called with what became of the request.
            start: Runs a coroutine as a task that ends with the run.
            tally: Counts.
            server_time: Learns from each response what time it is.
        """
        self._network, self._clock = network, network.clock
        self._decide, self._step, self._start = decide, step, start
        self._tally, self._time = tally, server_time
        self._ceiling = Pace(Limits(max_rate=settings.max_rate))
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._queue: deque[Task] = deque()
        self._is_queued = asyncio.Event()
        self._silence = _Silence(self._clock.monotonic())

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
        self._start(self._enqueue_after(task, seconds))

    async def _enqueue_after(self, task: Task, seconds: float) -> None:
        await self._clock.sleep(seconds)
        self.enqueue(task)

    async def run(self) -> None:
        """Serve the queue, until cancelled."""
        while True:
            if not self._queue:
                self._is_queued.clear()
                await self._is_queued.wait()
            await self._slots.acquire()
            await self._slot_in_time()
            # Chosen last, so that what was refused with a 429 meanwhile goes first.
            self._start(self._serve(self._queue.popleft()))

    async def _slot_in_time(self) -> None:
        now = self._clock.monotonic()
        wait = max(self._network.pace.reserve(now), self._ceiling.reserve(now))
        if wait:
            await self._clock.sleep(wait)

    async def _serve(self, task: Task) -> None:
        """Give *task* its turn on the network."""
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
            response = await self._network.send(task.account_id, key)
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
        elif isinstance(event, Lost) and self._silence.goes_on(self._clock.monotonic()):
            raise error
        return event

    def _heard(self, headers: Any, sent_at: float, event: Event | None = None) -> None:
        """Take from a response what it says about the server: its time, and its limit."""
        now = self._clock.monotonic()
        self._silence.ends(now)
        self._time.observe(headers)
        is_limited = isinstance(event, Limited)
        reason = event.reason if isinstance(event, Limited) else None
        self._network.pace.answered(sent_at, now, limited=is_limited, reason=reason)

    async def _look(self, task: Task) -> Event:
        try:
            response = await self._network.retrieve(task.account_id)
        except FCError as error:
            return classify.after_looking(error)
        self._time.observe(response.headers)
        return Seen(response.value)


class _Silence:
    """How long nothing has been heard of the server."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._unanswered = 0

    def ends(self, now: float) -> None:
        """Take note of a response."""
        self._since, self._unanswered = now, 0

    def goes_on(self, now: float) -> bool:
        """Take note of a request without a response; return whether this is an outage."""
        self._unanswered += 1
        return self._unanswered >= OUTAGE_ATTEMPTS and now - self._since >= OUTAGE_SECONDS
