"""From the queue onto the network."""

import asyncio
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any

import attrs

from fcasync._rules.limits import Limits
from fcasync._rules.pace import Pace
from fcasync.bulk._plan import classify
from fcasync.bulk._plan.commands import Command, EnqueueAfter, Send
from fcasync.bulk._plan.events import Accepted, Broken, Due, Event, Limited, Lost, Seen, Unseen
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work import log
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.errors import APIStatusError, FCError

OUTAGE_ATTEMPTS = 100
OUTAGE_SECONDS = 60.0
"""After this many requests in a row, over this many seconds, without a response or with a 5xx,
assume an outage and end the run. Requests that change accounts and those that only look are
counted apart: one kind may fail while the other does not."""
ROOM_WAIT = 0.05
"""Seconds between two looks for room among the requests in flight."""
BAD_ATTEMPTS = 20
BAD_SECONDS = 10.0
"""From here on failures are not held against single accounts."""


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
        self._decide, self._step, self._start = decide, step, start
        self._observe, self._tally = observe, tally
        self._ceiling = Pace(Limits(max_rate=settings.max_rate))
        self._slots = asyncio.Semaphore(settings.concurrency)
        self._queue: deque[Task] = deque()
        self._is_queued = asyncio.Event()
        self._is_pausing = False  # a slot is being waited for, and the next task goes there
        self._silence = _Silence(self._clock.monotonic())  # of requests that change accounts
        self._darkness = _Silence(self._clock.monotonic())  # of those that look
        self._remedy = "; the same call resumes it" if settings.journal else ""
        self._logged = 0.0  # the rate limit that the log has last named

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
                if (event := await self._exchange(task)) is not None:
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

    async def _exchange(self, task: Task) -> Event | None:
        match self._decide(task, Due()):
            case Send(key):
                return await self._send(task, key)
            case EnqueueAfter(seconds):
                self._network.pace.lost()
                self.enqueue_after(task, seconds)
                return None
            case _:
                self._network.pace.lost()
                return await self._look(task)

    async def _send(self, task: Task, key: str) -> Event:
        sent_at = self._clock.monotonic()
        self._tally.send(sent_at, is_retry=task.strikes > 0)
        try:
            response = await self._network.send(task.account_id, key)
        except FCError as error:
            return self._failed(error, sent_at)
        except BaseException:
            self._network.pace.lost()
            raise
        self._silence.ends(self._clock.monotonic())
        self._heard(response.headers, sent_at)
        self._tally.replays += response.idempotent_replayed
        return Accepted(response.value, response.idempotent_replayed)

    def _failed(self, error: FCError, sent_at: float) -> Event:
        event = classify.after_sending(error)
        if isinstance(error, APIStatusError):
            self._heard(error.headers, sent_at, event)
            self._tally.rate_limited += isinstance(event, Limited)
            self._tally.replays += error.idempotent_replayed
        else:
            self._network.pace.lost()
        if _is_answer(error) or _is_stored(event):
            self._silence.ends(self._clock.monotonic())
            return event
        return self._endured(self._silence, event, error)

    def _endured(self, silence: "_Silence", event: Event, error: FCError) -> Event:
        """Return *event*, which has no response of use, with what it has to do with an outage.

        Raises:
            FCError: *error*, if the outage has taken too long.
        """
        now = self._clock.monotonic()
        if silence.goes_on(now):
            how_long = f"nothing was answered for {silence.seconds(now):.0f} s"
            error.not_retried = f"{how_long}, so the run ends{self._remedy}"
            raise error
        if silence.is_bad(now) and isinstance(event, Lost | Broken | Unseen):
            return attrs.evolve(event, is_outage=True)
        return event

    def _heard(self, headers: Any, sent_at: float, event: Event | None = None) -> None:
        """Take from a response what it says about the server: its time, and its limit."""
        now = self._clock.monotonic()
        self._observe(headers)
        is_limited = isinstance(event, Limited)
        reason = event.reason if isinstance(event, Limited) else None
        pace = self._network.pace
        pace.answered(sent_at, now, limited=is_limited, reason=reason)
        if is_limited and pace.limit and abs(pace.limit - self._logged) > pace.limit / 5:
            self._logged = pace.limit
            log.learnt(pace.limit)

    async def _look(self, task: Task) -> Event:
        try:
            response = await self._network.retrieve(task.account_id)
        except FCError as error:
            event = classify.after_looking(error)
            if _is_answer(error):
                self._darkness.ends(self._clock.monotonic())
                return event
            return self._endured(self._darkness, event, error)
        self._darkness.ends(self._clock.monotonic())
        self._observe(response.headers)
        return Seen(response.value)


def _is_answer(error: FCError) -> bool:
    """Return whether *error* shows that the server is at work."""
    return isinstance(error, APIStatusError) and error.status < 500


def _is_stored(event: Event) -> bool:
    """Return whether a 5xx says nothing about how the server is now."""
    return isinstance(event, Broken) and event.replayed


class _Silence:
    """How long the server has done nothing for anybody."""

    def __init__(self, now: float) -> None:
        self._since = now
        self._unanswered = 0

    def ends(self, now: float) -> None:
        """Take note of a response that is not a 5xx."""
        self._since, self._unanswered = now, 0

    def goes_on(self, now: float) -> bool:
        """Take note of a request without such a response; return whether to end the run."""
        self._unanswered += 1
        return self._unanswered >= OUTAGE_ATTEMPTS and now - self._since >= OUTAGE_SECONDS

    def seconds(self, now: float) -> float:
        """Return for how long."""
        return now - self._since

    def is_bad(self, now: float) -> bool:
        """Return whether no account can be blamed for its failure."""
        return self._unanswered >= BAD_ATTEMPTS and now - self._since >= BAD_SECONDS
