"""Signed webhooks: events wait for their time, then go to one URL until it takes them."""

import asyncio
import heapq
from collections import deque
from collections.abc import Sequence
from itertools import count
from typing import Any

import aiohttp
import attrs
import orjson

from fcasync._facts.clock import Clock
from fcasync._facts.signature import header
from fcasync.sandbox._api.operations import Emit
from fcasync.sandbox._api.world import World
from fcasync.sandbox._bank.dice import number_of, unit

_ATTEMPTS = 5
_FIRST_WAIT = 1.0  # seconds; doubles with every attempt
_TIMEOUT = aiohttp.ClientTimeout(total=10)
_AT_ONCE = 8
_LONGEST_NAP = 0.5  # seconds; the clock may be one that a test moves, without waking anybody
_DETOUR = 2.0  # seconds by which a reordered event is late
_LONGEST = 1000


@attrs.frozen(kw_only=True)
class Target:
    """Where events go, and what goes wrong on the way."""

    url: str
    secret: str = attrs.field(repr=False)
    duplicates: float = 0.0
    """The share of events that arrive twice."""
    reordering: float = 0.0
    """The share of events that are late, so that younger ones overtake them."""


class Outbox:
    """Events that are not due yet. Each world has a clock of its own, and so a queue."""

    def __init__(self) -> None:
        self._queues: dict[World, list[tuple[float, int, Emit]]] = {}
        """A heap per world of (when it is due, order of arrival, event)."""
        self._order = count()
        """Numbers the events, so that those due at the same time keep their order."""

    def put(self, world: World, effect: Emit, late: float = 0.0) -> None:
        """Keep *effect* until it is due, and *late* seconds longer."""
        queue = self._queues.setdefault(world, [])
        heapq.heappush(queue, (effect.at + late, next(self._order), effect))

    def take(self, now: float) -> list[tuple[World, Emit]]:
        """Return what is due when the real time is *now*, in order."""
        taken = []
        for world, queue in self._queues.items():
            if world.over:
                queue.clear()
            while queue and queue[0][0] <= world.now(now):
                taken.append((world, heapq.heappop(queue)[2]))
        self._queues = {world: queue for world, queue in self._queues.items() if queue}
        return taken

    def wait(self, now: float) -> float | None:
        """Return the seconds until something is due, or None if nothing ever is."""
        waits = [queue[0][0] - world.now(now) for world, queue in self._queues.items() if queue]
        return max(0.0, min(waits)) if waits else None


class Webhooks:
    """Delivers the events of all worlds to one target."""

    def __init__(self, target: Target, clock: Clock) -> None:
        self._target = target
        """Where events go."""
        self._clock = clock
        """Gives the real time, and waits between attempts."""
        self._outbox = Outbox()
        """Events that are not due yet."""
        self._woken = asyncio.Event()
        """Set when something was published: the next event may be due earlier."""
        self._slots = asyncio.Semaphore(_AT_ONCE)
        """Limits the attempts in flight."""
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=_LONGEST)
        """The attempts so far, oldest first."""

    def publish(self, world: World, effects: Sequence[Emit]) -> None:
        """Take events over; call it also without any when a world's clock has moved."""
        for effect in effects:
            self._outbox.put(world, effect, self._lateness(effect))
        self._woken.set()

    def _lateness(self, effect: Emit) -> float:
        seed = number_of(f"{effect.type} {effect.account} {effect.at}")
        return _DETOUR if unit(seed, 1) < self._target.reordering else 0.0

    async def run(self) -> None:
        """Deliver until cancelled."""
        async with (
            aiohttp.ClientSession(timeout=_TIMEOUT) as session,
            asyncio.TaskGroup() as group,
        ):
            while True:
                await self._pause()
                for world, effect in self._outbox.take(self._clock.time()):
                    event, follow_up = world.due(effect, self._clock.time())
                    self.publish(world, follow_up)
                    if event is not None:
                        group.create_task(
                            self._deliver(session, event), name="fcasync.sandbox.deliver"
                        )

    async def _pause(self) -> None:
        """Sleep until something may be due or is published."""
        wait = self._outbox.wait(self._clock.time())
        tasks: list[asyncio.Task[Any]] = [
            asyncio.create_task(self._woken.wait(), name="fcasync.sandbox.woken")
        ]
        if wait is not None:
            nap = self._sleep(min(wait, _LONGEST_NAP))
            tasks.append(asyncio.create_task(nap, name="fcasync.sandbox.nap"))
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
        self._woken.clear()

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    async def _deliver(self, session: aiohttp.ClientSession, event: dict[str, Any]) -> None:
        payload = orjson.dumps(event)
        twice = unit(number_of(event["id"]), 2) < self._target.duplicates
        for _ in range(2 if twice else 1):
            for attempt in range(1, _ATTEMPTS + 1):
                async with self._slots:
                    outcome = await self._attempt(session, payload)
                self.deliveries.append(
                    {"id": event["id"], "type": event["type"], "attempt": attempt, **outcome}
                )
                if outcome["delivered"]:
                    break
                await self._clock.sleep(_FIRST_WAIT * 2.0 ** (attempt - 1))

    async def _attempt(self, session: aiohttp.ClientSession, payload: bytes) -> dict[str, Any]:
        # Signed with the real time: a receiver checks its age against its own clock, which no
        # `advance` has moved.
        signature = header(payload, self._target.secret, int(self._clock.time()))
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature,
            "User-Agent": "fcasync-sandbox",
        }
        try:
            async with session.post(
                self._target.url, data=payload, headers=headers, allow_redirects=False
            ) as answer:
                return {"status": answer.status, "delivered": 200 <= answer.status < 300}
        except (aiohttp.ClientError, TimeoutError, UnicodeError) as error:  # the last by idna
            return {"status": None, "delivered": False, "error": type(error).__name__}
