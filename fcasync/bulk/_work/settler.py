"""Waiting until the banks have answered, with as few requests as possible."""

import asyncio
import heapq
from collections import deque
from collections.abc import Callable, Iterator

import attrs

from fcasync.bulk._plan.events import Event, Seen, TimedOut
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.crew import Crew
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.turns import Turns
from fcasync.errors import AuthenticationError, FCError, PermissionDeniedError
from fcasync.models import Account
from fcasync.resources._polling import FIRST_POLL, LONGEST_POLL, POLL_GROWTH

PAGE = 100
"""Stripe's largest page."""
WORTH_A_WALK = 20
"""Fewer accounts than this are always fetched one by one."""
SINGLES = 16
"""GETs at a time."""
CAPACITY = 100_000
"""Most accounts that may be settling at once; the source is not read further until one settles."""


@attrs.define
class _Waiter:
    """A task whose bank has not answered. All times are of the monotonic clock, in seconds."""

    task: Task
    began: float
    gives_up_at: float
    poll_at: float
    interval: float = FIRST_POLL


class Settler:
    """Polls the accounts that Stripe has accepted until none of their refreshes is pending.

    A page of the list shows 100 accounts, also some that no task waits for; so the list is walked
    when that should take fewer requests than fetching accounts one by one.
    """

    def __init__(
        self,
        network: Network,
        timeout: float,
        step: Callable[[Task, Event], None],
        denied: Callable[[FCError], None],
    ) -> None:
        """Wait for nobody yet.

        Args:
            network: Where accounts are polled.
            timeout: Seconds to wait for each.
            step: Called with what is seen of a task's account.
            denied: Called with a 401 or 403.
        """
        self._network = network
        self._denied = denied
        self._timeout = timeout
        self._step = step
        self._waiters: dict[str, _Waiter] = {}
        self._polls: list[tuple[float, str]] = []  # a heap of when and who, one of each waiter
        self._ends: deque[tuple[float, str]] = deque()  # the same for giving up, in order
        self._news = asyncio.Event()  # somebody waits
        self._pages = 0  # pages that the latest walk took, or would have taken at least

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, task: Task) -> None:
        """Wait for *task*, which has just been accepted."""
        now = self._network.clock.monotonic()
        ends = now + self._timeout
        waiter = _Waiter(task, now, ends, min(now + self._jittered(FIRST_POLL), ends))
        self._waiters[task.account_id] = waiter
        heapq.heappush(self._polls, (waiter.poll_at, task.account_id))
        self._ends.append((waiter.gives_up_at, task.account_id))
        task.account = None  # as many may be waiting as are accepted in 15 minutes: keep them small
        self._news.set()

    def tasks(self) -> list[Task]:
        """Return all that wait."""
        return [waiter.task for waiter in self._waiters.values()]

    def remove(self, task: Task) -> None:
        """Stop waiting for *task*; it may be that nobody does."""
        self._waiters.pop(task.account_id, None)

    def close(self) -> None:
        """Stop waiting for anybody."""
        self._waiters.clear()

    def see(self, account: Account) -> bool:
        """Take note of an account as it is now; return whether a task was waiting for it."""
        waiter = self._waiters.get(account.id)
        if waiter is None:
            return False
        self._step(waiter.task, Seen(account))
        return True

    async def run(self) -> None:
        """Poll, until cancelled.

        Raises:
            AuthenticationError, PermissionDeniedError: The key is bad.
        """
        clock = self._network.clock
        while True:
            if not self._waiters:
                self._news.clear()
                await self._news.wait()
            now = clock.monotonic()
            await self._poll(await self._due(now))
            # Those whose wait has ended meanwhile are polled once more, in the next round.
            await self._give_up(now)
            next_poll = self._polls[0][0] if self._polls else 0.0
            await clock.sleep(min(max(next_poll - clock.monotonic(), 0.5), FIRST_POLL))

    async def _due(self, now: float) -> list[_Waiter]:
        """Take those whose poll is due out of the heap."""
        due, turns = [], Turns()
        while self._polls and self._polls[0][0] <= now:
            at, account_id = heapq.heappop(self._polls)
            waiter = self._waiters.get(account_id)
            if waiter is not None and waiter.poll_at > at:
                # It was seen on a page in the meantime.
                heapq.heappush(self._polls, (waiter.poll_at, account_id))
            elif waiter is not None:
                due.append(waiter)
            await turns.step()
        return due

    async def _give_up(self, now: float) -> None:
        turns = Turns()
        while self._ends and self._ends[0][0] <= now:
            _, account_id = self._ends.popleft()
            if (waiter := self._waiters.get(account_id)) is not None:
                self._step(waiter.task, TimedOut())
            await turns.step()

    async def _poll(self, due: list[_Waiter]) -> None:
        if not due:
            return
        asked_at = self._network.clock.monotonic()
        if len(due) >= WORTH_A_WALK and self._pages <= len(due) // 2:
            await self._walk(due, budget=len(due) // 2)
        left = (waiter for waiter in due if waiter.poll_at <= asked_at)
        crew = Crew()

        async def ask() -> None:
            for _ in range(min(SINGLES, len(due))):
                crew.start(self._retrieve, left)

        await crew.run([], ask)
        turns = Turns()
        for waiter in due:
            heapq.heappush(self._polls, (waiter.poll_at, waiter.task.account_id))
            await turns.step()

    async def _walk(self, due: list[_Waiter], budget: int) -> None:
        """See accounts page by page, until all *due* were seen or the *budget* is spent."""
        clock = self._network.clock
        cursor: str | None = None
        began, left = clock.monotonic(), len(due)
        for number in range(1, budget + 1):
            asked_at = clock.monotonic()
            try:
                page = (await self._network.list_page(cursor, PAGE)).value
            except FCError as error:
                self._take_note(error)
                return
            for account in page.data:
                waiter = self._waiters.get(account.id)
                # A page that was computed before its refresh was asked for says nothing of it.
                if waiter is not None and waiter.began < asked_at:
                    left -= waiter.poll_at <= began
                    self._postpone(waiter)
                    self.see(account)
            self._pages = number
            if left <= 0 or not page.has_more or not page.data:
                return
            cursor = page.data[-1].id
        self._pages = 2 * budget  # longer than it was worth: wait for more to share it

    async def _retrieve(self, waiters: Iterator[_Waiter]) -> None:
        turns = Turns()
        for waiter in waiters:
            await turns.step()
            if waiter.task.account_id not in self._waiters:
                continue  # a webhook was faster
            try:
                account = (await self._network.retrieve(waiter.task.account_id)).value
            except FCError as error:
                self._take_note(error)
            else:
                self.see(account)
            self._postpone(waiter)

    def _postpone(self, waiter: _Waiter) -> None:
        """Poll *waiter* again only after a longer interval, and once more as its wait ends."""
        waiter.interval = min(waiter.interval * POLL_GROWTH, LONGEST_POLL)
        now = self._network.clock.monotonic()
        waiter.poll_at = now + self._jittered(waiter.interval)
        if now < waiter.gives_up_at < waiter.poll_at:
            waiter.poll_at = waiter.gives_up_at

    def _jittered(self, interval: float) -> float:
        return interval * (0.5 + self._network.clock.draw() / 2)

    def _take_note(self, error: FCError) -> None:
        """Let only a denial have consequences; after others the next poll is another chance."""
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            self._denied(error)
