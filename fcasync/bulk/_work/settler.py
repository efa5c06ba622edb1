"""Waiting until the banks have answered, with as few requests as possible."""

import asyncio
from collections.abc import Callable, Iterator

from fcasync.bulk._plan.events import Event, Seen, TimedOut
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.crew import Crew
from fcasync.bulk._work.nap import Nap
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.turns import Turns
from fcasync.bulk._work.waiters import Waiter, Waiters
from fcasync.errors import AuthenticationError, FCError, PermissionDeniedError
from fcasync.models import Account
from fcasync.resources._polling import FIRST_POLL

PAGE = 100
"""Stripe's largest page."""
WORTH_A_WALK = 20
"""Fewer accounts than this are always fetched one by one."""
SINGLES = 16
"""GETs at a time."""
CAPACITY = 100_000
"""Most accounts that may be settling at once; the source is not read further until one settles."""


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
        self._waiters = Waiters(network.clock.draw)
        self._news = asyncio.Event()  # somebody waits
        self._nap = Nap(network.clock)  # between two polls
        self._pages = 0  # pages that the latest walk took, or would have taken at least

    def __len__(self) -> int:
        return len(self._waiters)

    def add(self, task: Task) -> None:
        """Wait for *task*, which has just been accepted."""
        now = self._network.clock.monotonic()
        self._waiters.add(task, now, now + self._timeout)
        task.account = None  # as many may be waiting as are accepted in 15 minutes: keep them small
        self._news.set()

    def tasks(self) -> list[Task]:
        """Return all that wait."""
        return self._waiters.tasks()

    def remove(self, task: Task) -> None:
        """Stop waiting for *task*; it may be that nobody does."""
        self._waiters.remove(task)

    def close(self) -> None:
        """Stop waiting for anybody."""
        self._waiters.clear()

    def observe(self, account: Account | str) -> bool:
        """Take note of an account as it is now; return whether a task was waiting for it.

        Of an id, all that is known is that the account has changed: it is polled at once.
        """
        if isinstance(account, Account):
            return self._see(account)
        if self._waiters.get(account) is None:
            return False
        self._waiters.hasten(account)
        self._nap.end()
        return True

    def _see(self, account: Account) -> bool:
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
            await self._poll(await self._waiters.due(now))
            # Those whose wait has ended meanwhile are polled once more, in the next round.
            await self._give_up(now)
            if not self._waiters.has_haste:
                wait = self._waiters.next_poll - clock.monotonic()
                await self._nap.sleep(min(max(wait, 0.5), FIRST_POLL))

    async def _give_up(self, now: float) -> None:
        turns = Turns()
        while (waiter := self._waiters.next_ended(now)) is not None:
            self._step(waiter.task, TimedOut())
            await turns.step()

    async def _poll(self, due: list[Waiter]) -> None:
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
        await self._waiters.put_back(due)

    async def _walk(self, due: list[Waiter], budget: int) -> None:
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
                    self._waiters.postpone(waiter, clock.monotonic())
                    self._see(account)
            self._pages = number
            if left <= 0 or not page.has_more or not page.data:
                return
            cursor = page.data[-1].id
        self._pages = 2 * budget  # longer than it was worth: wait for more to share it

    async def _retrieve(self, waiters: Iterator[Waiter]) -> None:
        clock, turns = self._network.clock, Turns()
        for waiter in waiters:
            await turns.step()
            if self._waiters.get(waiter.task.account_id) is None:
                continue  # a webhook was faster
            try:
                account = (await self._network.retrieve(waiter.task.account_id)).value
            except FCError as error:
                self._take_note(error)
            else:
                self._see(account)
            self._waiters.postpone(waiter, clock.monotonic())

    def _take_note(self, error: FCError) -> None:
        """Let only a denial have consequences; after others the next poll is another chance."""
        if isinstance(error, AuthenticationError | PermissionDeniedError):
            self._denied(error)
