"""Waiting until the banks have answered, with as few requests as possible."""

import asyncio
from collections.abc import Callable

import attrs

from fcasync.bulk._plan.events import Event, Seen, TimedOut
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.network import Network
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
    task: Task
    gives_up_at: float
    poll_at: float
    interval: float = FIRST_POLL


class Settler:
    """Polls the accounts that Stripe has accepted until none of their refreshes is pending.

    A page of the list shows 100 accounts, also some that no task waits for; so the list is walked
    when that should take fewer requests than fetching accounts one by one.
    """

    def __init__(
        self, network: Network, timeout: float, step: Callable[[Task, Event], None]
    ) -> None:
        self._network = network
        self._timeout = timeout
        self._step = step
        self._waiters: dict[str, _Waiter] = {}
        self._news = asyncio.Event()
        self._pages = 0
        """Pages that the latest walk took, or would have taken at least."""

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, task: Task) -> None:
        """Wait for *task*, which has just been accepted."""
        now = self._network.clock.monotonic()
        poll_at = now + self._jittered(FIRST_POLL)
        self._waiters[task.account_id] = _Waiter(task, now + self._timeout, poll_at)
        task.account = None  # as many may be waiting as are accepted in 15 minutes: keep them small
        self._news.set()

    def remove(self, task: Task) -> None:
        """Stop waiting for *task*."""
        self._waiters.pop(task.account_id, None)

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
            await self._poll([w for w in self._waiters.values() if w.poll_at <= now])
            self._give_up(clock.monotonic())
            next_poll = min((w.poll_at for w in self._waiters.values()), default=0.0)
            await clock.sleep(min(max(next_poll - clock.monotonic(), 0.5), FIRST_POLL))

    def _give_up(self, now: float) -> None:
        for waiter in [w for w in self._waiters.values() if w.gives_up_at <= now]:
            self._step(waiter.task, TimedOut())

    async def _poll(self, due: list[_Waiter]) -> None:
        if not due:
            return
        left = {waiter.task.account_id for waiter in due}
        if len(due) >= WORTH_A_WALK and self._pages <= len(due) // 2:
            await self._walk(left, budget=len(due) // 2)
        gate = asyncio.Semaphore(SINGLES)
        async with asyncio.TaskGroup() as group:
            for account_id in left:
                group.create_task(self._retrieve(account_id, gate))
        now = self._network.clock.monotonic()
        for waiter in due:
            waiter.interval = min(waiter.interval * POLL_GROWTH, LONGEST_POLL)
            waiter.poll_at = now + self._jittered(waiter.interval)

    async def _walk(self, left: set[str], budget: int) -> None:
        """See accounts page by page, and take those seen out of *left*."""
        cursor: str | None = None
        for number in range(1, budget + 1):
            try:
                page = (await self._network.list_page(cursor, PAGE)).value
            except FCError as error:
                _raise_if_denied(error)
                return
            for account in page.data:
                self.see(account)
                left.discard(account.id)
            self._pages = number
            if not left or not page.has_more or not page.data:
                return
            cursor = page.data[-1].id
        self._pages = 2 * budget  # longer than it was worth: wait for more to share it

    async def _retrieve(self, account_id: str, gate: asyncio.Semaphore) -> None:
        async with gate:
            if account_id not in self._waiters:
                return  # a webhook was faster
            try:
                self.see((await self._network.retrieve(account_id)).value)
            except FCError as error:
                _raise_if_denied(error)

    def _jittered(self, interval: float) -> float:
        return interval * (0.5 + self._network.clock.draw() / 2)


def _raise_if_denied(error: FCError) -> None:
    """Let only errors through that end the run; after others the next poll is another chance."""
    if isinstance(error, AuthenticationError | PermissionDeniedError):
        raise error
