"""Waiting for a slot: first come, first served, and each slot is taken when it is due.

A pace could hand out slots far ahead of time. But it may grow while callers wait, and those slots
would keep the distance of the old rate. So only the first in line has a slot; when it has left,
the next one takes the slot that comes then.
"""

import asyncio
import heapq
import math
from itertools import count

import attrs

from fcasync._facts.clock import Clock
from fcasync._rules.pace import Pace

ROOM_CHECK = 0.05
"""Seconds between two looks at whether there is room for one more request in flight."""

_order = count()


@attrs.define(eq=False)
class _Waiter:
    turn: "asyncio.Future[bool]"
    """True for the first in line, False for one that is sent away: its turn would come too late."""


class Line:
    """The callers on one event loop that wait for slots of one pace.

    Args:
        pace: Hands out the slots.
        clock: Time and sleep.
    """

    def __init__(self, pace: Pace, clock: Clock) -> None:
        self._pace = pace
        self._clock = clock
        self._by_age: list[tuple[float, int, _Waiter]] = []  # a heap: the oldest call comes first
        self._by_deadline: list[tuple[float, int, _Waiter]] = []  # a heap of the same waiters
        self._waiting = 0  # those that still wait; the heaps may hold some that left
        self._has_head = False  # whether somebody is first in line
        self._slot = -math.inf  # when the slot of the first in line begins

    @property
    def is_empty(self) -> bool:
        """Whether nobody waits."""
        return not self._has_head

    def certain_wait(self, now: float, deadline: float) -> float | None:
        """Return how long a newcomer would wait if that is certain to pass *deadline*, else None.

        Certain means: even if the rate grew all the time as fast as it may.
        """
        if not self._has_head:
            wait = self._pace.wait_for(now)
            return wait if now + wait >= deadline else None
        if self._slot >= deadline:
            return self._slot - now
        ahead = self._waiting + 1
        if self._pace.most_until(now, deadline) >= ahead:
            return None
        return max(ahead / (self._pace.rate or math.inf), deadline - now)

    async def wait(self, age: float, deadline: float) -> float | None:
        """Return the time when a slot has begun, or None if none begins before *deadline*.

        Args:
            age: When the call began: older calls go first, so that retries are not starved.
            deadline: The time by which the slot must begin.

        Raises:
            CancelledError: The caller was cancelled; the others move up.
        """
        if self._has_head and not await self._stand_in_line(age, deadline):
            return None
        self._has_head = True
        try:
            return await self._take_slot(deadline)
        finally:
            self._move_up()

    async def _stand_in_line(self, age: float, deadline: float) -> bool:
        waiter = _Waiter(asyncio.get_running_loop().create_future())
        number = next(_order)
        heapq.heappush(self._by_age, (age, number, waiter))
        heapq.heappush(self._by_deadline, (deadline, number, waiter))
        self._waiting += 1
        try:
            return await waiter.turn
        except BaseException:
            if not waiter.turn.cancelled() and waiter.turn.result():
                self._move_up()  # cancelled at the moment at which its turn had come
            raise
        finally:
            self._waiting -= 1

    async def _take_slot(self, deadline: float) -> float | None:
        pace, clock = self._pace, self._clock
        now = clock.monotonic()
        while not pace.has_room:
            self._send_away(now)
            if now >= deadline:
                return None
            await clock.sleep(min(ROOM_CHECK, deadline - now))
            now = clock.monotonic()
        if now + pace.wait_for(now) >= deadline:
            return None
        slot = self._slot = now + pace.reserve(now)
        self._send_away(slot)
        if slot <= now:
            return now
        try:
            await clock.sleep(slot - now)
        except BaseException:
            pace.release(slot)
            raise
        now = clock.monotonic()
        if now >= deadline:  # the loop was busy when the slot began
            pace.release(slot)
            return None
        return now

    def _send_away(self, until: float) -> None:
        """Send those away who cannot be served: their deadline is not after *until*."""
        waiting = self._by_deadline
        while waiting and (waiting[0][0] <= until or waiting[0][2].turn.done()):
            turn = heapq.heappop(waiting)[2].turn
            if not turn.done():
                turn.set_result(False)

    def _move_up(self) -> None:
        while self._by_age:
            turn = heapq.heappop(self._by_age)[2].turn
            if not turn.done():
                turn.set_result(True)
                return
        self._has_head = False
        self._by_deadline.clear()


class Lines:
    """The lines of one client. Lines that nobody stands in are forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lines: dict[tuple[asyncio.AbstractEventLoop, Pace], Line] = {}

    def get(self, pace: Pace) -> Line:
        """Return the line of *pace* on the running loop."""
        key = (asyncio.get_running_loop(), pace)
        return self._lines.get(key) or self._lines.setdefault(key, Line(pace, self._clock))

    def forget_empty(self, pace: Pace) -> None:
        """Forget the line of *pace* on the running loop unless somebody stands in it."""
        key = (asyncio.get_running_loop(), pace)
        if (line := self._lines.get(key)) is not None and line.is_empty:
            del self._lines[key]
