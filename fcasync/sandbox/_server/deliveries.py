"""Signed webhooks: events wait for their time, then go to one URL until it takes them."""

import asyncio
import heapq
from collections import deque
from itertools import count
from typing import Any

import aiohttp
import attrs
import orjson

from fcasync._facts.clock import Clock
from fcasync._facts.signature import header
from fcasync.sandbox._api.world import World
from fcasync.sandbox._bank.dice import number_of, unit
from fcasync.sandbox._bank.event_bodies import snapshot, thin
from fcasync.sandbox._bank.events import Emit, Happened

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
    thin: bool = False
    """Whether the endpoint gets thin events in place of snapshot events."""


class Outbox:
    """Events that make a detour. Each world has a clock of its own, and so a queue."""

    def __init__(self) -> None:
        self._queues: dict[World, list[tuple[float, int, Happened]]] = {}
        """A heap per world of (when it is sent, order of arrival, event)."""
        self._order = count()
        """Numbers the events, so that those of the same moment keep their order."""

    def put(self, world: World, event: Happened, late: float = 0.0) -> None:
        """Keep *event* until it is *late* seconds old."""
        queue = self._queues.setdefault(world, [])
        heapq.heappush(queue, (event.emit.at + late, next(self._order), event))

    def take(self, now: float) -> list[tuple[World, Happened]]:
        """Return what is to be sent when the real time is *now*, in order."""
        taken = []
        for world, queue in self._queues.items():
            if world.over:
                queue.clear()
            while queue and queue[0][0] <= world.now(now):
                taken.append((world, heapq.heappop(queue)[2]))
        self._queues = {world: queue for world, queue in self._queues.items() if queue}
        return taken

    def wait(self, now: float) -> float | None:
        """Return the seconds until something is to be sent, or None if there is nothing."""
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
        """Events that are on their way."""
        self._worlds: dict[World, None] = {}
        """Whose events are delivered, in the order in which they were first published."""
        self._woken = asyncio.Event()
        """Set when something was published: the next event may be due earlier."""
        self._slots = asyncio.Semaphore(_AT_ONCE)
        """Limits the attempts in flight."""
        self.deliveries: deque[dict[str, Any]] = deque(maxlen=_LONGEST)
        """The attempts so far, oldest first."""

    def publish(self, world: World) -> None:
        """Deliver what happens in a world; call it also when its clock has moved."""
        self._worlds[world] = None
        self._woken.set()

    def _collect(self, now: float) -> None:
        """Put what has happened into the outbox."""
        for world in list(self._worlds):
            if world.over:
                del self._worlds[world]
                continue
            for event in world.news(now):
                self._outbox.put(world, event, self._lateness(event.emit))

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
                now = self._clock.time()
                self._collect(now)
                for world, event in self._outbox.take(now):
                    group.create_task(
                        self._deliver(session, world, event), name="fcasync.sandbox.deliver"
                    )

    def _bodies(self, world: World, event: Happened) -> list[dict[str, Any]]:
        render = thin if self._target.thin else lambda *about: [snapshot(*about)]
        return render(world.store, event)

    async def _pause(self) -> None:
        """Sleep until something may be due or is published."""
        wait = self._wait(self._clock.time())
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

    def _wait(self, now: float) -> float | None:
        """Return the seconds until something may be due, or None if nothing ever is."""
        due = [
            next_at - world.now(now)
            for world in self._worlds
            if (next_at := world.store.log.next_at) is not None and not world.over
        ]
        late = self._outbox.wait(now)
        waits = due if late is None else [*due, late]
        return max(0.0, min(waits)) if waits else None

    async def _sleep(self, seconds: float) -> None:
        await self._clock.sleep(seconds)

    async def _deliver(self, session: aiohttp.ClientSession, world: World, event: Happened) -> None:
        sending = [self._send(session, body) for body in self._bodies(world, event)]
        if all(await asyncio.gather(*sending)):
            world.store.log.undelivered.discard(event.number)

    async def _send(self, session: aiohttp.ClientSession, body: dict[str, Any]) -> bool:
        """Send one body until it is taken; return whether it was."""
        payload = orjson.dumps(body)
        is_taken = False
        twice = unit(number_of(body["id"]), 2) < self._target.duplicates
        for _ in range(2 if twice else 1):
            for attempt in range(1, _ATTEMPTS + 1):
                async with self._slots:
                    outcome = await self._attempt(session, payload)
                self.deliveries.append(
                    {"id": body["id"], "type": body["type"], "attempt": attempt, **outcome}
                )
                if outcome["delivered"]:
                    is_taken = True
                    break
                await self._clock.sleep(_FIRST_WAIT * 2.0 ** (attempt - 1))
        return is_taken

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
