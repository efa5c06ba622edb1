"""Whose turn it is.

All lanes share one schedule, so that hundreds of them need one asyncio task and one timer. A lane
in which a task waits takes the next slot of its own pace, and stands in line with the time at which
that begins; whoever's time has come first is served first. So each lane gets what its rate limit
allows, and where that is more than can be sent, all get the same.

While a server is down, the lane's brake holds its turns back. Where nobody at all is answered, all
lanes share one more, so that hundreds of tenants do not probe one server at the same time.
"""

import asyncio
import heapq
from collections import deque
from itertools import count

from fcasync._facts.clock import Clock
from fcasync._rules.limits import Limits
from fcasync._rules.rate import Rate
from fcasync.bulk._plan.brake import Brake
from fcasync.bulk._work.lane import Lane
from fcasync.bulk._work.room import Room
from fcasync.bulk._work.settings import Settings

ROOM_WAIT = 0.05
"""Seconds between two looks for room among a tenant's requests in flight."""
SHORT = 0.005
"""Seconds that are slept through, even if another lane's time comes earlier."""


class Schedule:
    """The lanes in which a task waits for its turn, in the order of their times."""

    def __init__(self, clock: Clock, settings: Settings, brake: Brake, *, is_alone: bool) -> None:
        """Make a schedule; *brake* slows all lanes together while nobody is answered."""
        self._clock, self._brake = clock, brake
        self.is_alone = is_alone
        """Whether there is one lane, and never another."""
        self.room = Room(settings.concurrency)
        """For requests in flight, of all lanes."""
        self._line: list[tuple[float, int, Lane, bool]] = []  # a heap; whether a slot was taken
        self._numbers = count()
        self._blocked: deque[Lane] = deque()  # they have more in flight than is free
        self._total = Rate(Limits(max_rate=settings.total_rate))
        self._news = asyncio.Event()
        self._alarm: asyncio.Task[None] | None = None  # what a long sleep ends with
        self.lanes: dict[str, Lane] = {}
        """All lanes in work, by connected account."""

    def set_total_rate(self, total_rate: float | None) -> None:
        """Send at most so many requests a second from now on."""
        self._total = Rate(Limits(max_rate=total_rate))

    def line_up(self, lane: Lane) -> None:
        """Take note that a task waits in *lane*."""
        if not lane.is_in_line and lane.queue:
            lane.is_in_line = True
            self._stand_in_line(lane)

    def _stand_in_line(self, lane: Lane) -> None:
        now = self._clock.monotonic()
        if not self.room.admits(lane, is_alone=len(self.lanes) == 1):
            self._blocked.append(lane)
            return
        has_slot = lane.has_room
        # Stripe limits the requests in flight, and others may hold all of them.
        due = now + (lane.reserve(now) if has_slot else ROOM_WAIT)
        is_first = not self._line or due < self._line[0][0]
        heapq.heappush(self._line, (due, next(self._numbers), lane, has_slot))
        if is_first:
            self._news.set()
            if self._alarm is not None:
                self._alarm.cancel()

    async def next(self) -> Lane:
        """Wait for a turn and return whose it is; the task is to be taken from its queue."""
        while True:
            await self.room.any()
            if (lane := self._due()) is not None:
                await self._at_total_rate(lane)
                if lane.queue:
                    return lane
                self.put_back(lane)  # its tenant was denied meanwhile
            elif self.room.free:
                await self._sleep()

    def follow(self, lane: Lane) -> Lane | None:
        """Take note that a request of *lane* has ended, and return whose turn it is already.

        If it is nobody's, it is for :meth:`next` to wait for the next one.
        """
        self._done(lane)
        following = self._next_at_once()
        if following is None:
            self.room.tell()
        return following

    def _next_at_once(self) -> Lane | None:
        if not self._line or self._total.peek(self._clock.monotonic()):
            return None
        if (lane := self._due()) is not None:
            self._total.take(self._clock.monotonic())
        return lane

    def _due(self) -> Lane | None:
        """Return the lane whose time has come first, and let it take the room for a request."""
        now = self._clock.monotonic()
        while self._line and self.room.free and self._line[0][0] <= now:
            _, _, lane, has_slot = heapq.heappop(self._line)
            if not lane.queue:
                lane.is_in_line = False
                if has_slot:
                    lane.network.pace.lost()
            elif not has_slot:
                self._stand_in_line(lane)
            elif wait := lane.held_back(now, self._brake):
                heapq.heappush(self._line, (now + wait, next(self._numbers), lane, True))
            else:
                self.room.take(lane)
                return lane
        return None

    async def _at_total_rate(self, lane: Lane) -> None:
        try:
            if wait := self._total.take(self._clock.monotonic()):
                await self._clock.sleep(wait)
        except BaseException:
            lane.network.pace.lost()
            raise

    def put_back(self, lane: Lane) -> None:
        """Take note that the turn of *lane* is not used: its task stands in line again."""
        lane.network.pace.lost()
        self._done(lane)
        self.room.tell()
        self.taken(lane)

    @property
    def settling(self) -> int:
        """Accounts that wait for their banks."""
        return sum(len(lane.settler) for lane in list(self.lanes.values()))

    @property
    def limit(self) -> float | None:
        """The rate limit as learnt, of all lanes together; None unless it is known of each."""
        limits = [lane.network.pace.limit for lane in list(self.lanes.values())]
        known = [limit for limit in limits if limit is not None]
        return sum(known) if limits and len(known) == len(limits) else None

    def taken(self, lane: Lane) -> None:
        """Take note that the task was taken: the next one of *lane* stands in line."""
        lane.is_in_line = False
        self.line_up(lane)

    def _done(self, lane: Lane) -> None:
        self.room.give_back(lane)
        for _ in range(len(self._blocked)):
            self._stand_in_line(self._blocked.popleft())

    async def _sleep(self) -> None:
        """Sleep until the first lane's time, or until there is a first lane."""
        if not self._line:
            self._news.clear()
            await self._news.wait()
            return
        wait = self._line[0][0] - self._clock.monotonic()
        if wait <= 0:
            return
        if wait <= SHORT or self.is_alone:
            await self._clock.sleep(wait)
            return
        self._alarm = asyncio.create_task(self._clock.sleep(wait), name="fcasync.bulk.alarm")
        try:
            await asyncio.wait([self._alarm])
        finally:
            self._alarm.cancel()
            self._alarm = None

    def close(self) -> None:
        """Give back the slots that were taken and not used."""
        for _, _, lane, has_slot in self._line:
            if has_slot:
                lane.network.pace.lost()
        self._line.clear()
        self._blocked.clear()
