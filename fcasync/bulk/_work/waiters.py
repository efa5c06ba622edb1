"""Who waits for a bank, in the order in which they are to be polled and given up."""

import heapq
from collections import deque
from collections.abc import Callable

import attrs

from fcasync.bulk._plan.task import Task
from fcasync.bulk._work.turns import Turns
from fcasync.resources._polling import FIRST_POLL, LONGEST_POLL, POLL_GROWTH


@attrs.define
class Waiter:
    """A task whose bank has not answered. All times are of the monotonic clock, in seconds."""

    task: Task
    began: float
    gives_up_at: float
    poll_at: float
    interval: float = FIRST_POLL
    is_hastened: bool = False
    """Whether it is polled ahead of its time, which stays in the heap."""


class Waiters:
    """Finds who is due without looking at those who are not."""

    def __init__(self, draw: Callable[[], float]) -> None:
        self._draw = draw
        self._by_id: dict[str, Waiter] = {}
        self._polls: list[tuple[float, str]] = []  # a heap of when and who, one of each waiter
        self._hastened: dict[str, None] = {}  # who is to be polled at once, in order
        self._ends: deque[tuple[float, str]] = deque()  # the same for giving up, in order

    def __len__(self) -> int:
        return len(self._by_id)

    def get(self, account_id: str) -> Waiter | None:
        """Return who waits for this account, if anybody does."""
        return self._by_id.get(account_id)

    def tasks(self) -> list[Task]:
        """Return the tasks of all."""
        return [waiter.task for waiter in self._by_id.values()]

    def add(self, task: Task, now: float, ends: float) -> None:
        """Let *task* wait from *now* until *ends*; everybody waits equally long."""
        waiter = Waiter(task, now, ends, min(now + self._jittered(FIRST_POLL), ends))
        self._by_id[task.account_id] = waiter
        heapq.heappush(self._polls, (waiter.poll_at, task.account_id))
        self._ends.append((ends, task.account_id))

    def remove(self, task: Task) -> None:
        """Let *task* wait no more; it may be that it did not."""
        self._by_id.pop(task.account_id, None)

    def clear(self) -> None:
        """Let nobody wait."""
        self._by_id.clear()

    @property
    def next_poll(self) -> float:
        """When the next of them is due; 0.0 if nobody is."""
        return self._polls[0][0] if self._polls else 0.0

    def hasten(self, account_id: str) -> None:
        """Let whoever waits for this account be due at once."""
        self._hastened[account_id] = None

    @property
    def has_haste(self) -> bool:
        """Whether somebody is due at once."""
        return bool(self._hastened)

    async def due(self, now: float) -> list[Waiter]:
        """Take out those whose poll is due; :meth:`put_back` lets them be due again."""
        found, turns = await self._in_haste(now), Turns()
        while self._polls and self._polls[0][0] <= now:
            at, account_id = heapq.heappop(self._polls)
            waiter = self._by_id.get(account_id)
            if waiter is not None and waiter.is_hastened:
                waiter.is_hastened = False  # its time has come, too: it is found, and taken out
            elif waiter is not None and waiter.poll_at > at:
                # It was seen on a page in the meantime.
                heapq.heappush(self._polls, (waiter.poll_at, account_id))
            elif waiter is not None:
                found.append(waiter)
            await turns.step()
        return found

    async def put_back(self, polled: list[Waiter]) -> None:
        """Let *polled* be due again, each at its time."""
        turns = Turns()
        for waiter in polled:
            if waiter.is_hastened:
                waiter.is_hastened = False
            else:
                heapq.heappush(self._polls, (waiter.poll_at, waiter.task.account_id))
            await turns.step()

    async def _in_haste(self, now: float) -> list[Waiter]:
        found, turns = [], Turns()
        hastened, self._hastened = self._hastened, {}
        for account_id in hastened:
            if (waiter := self._by_id.get(account_id)) is not None:
                waiter.is_hastened, waiter.poll_at = True, min(waiter.poll_at, now)
                found.append(waiter)
            await turns.step()
        return found

    def next_ended(self, now: float) -> Waiter | None:
        """Take out somebody whose wait has ended by *now*; None if there is nobody."""
        while self._ends and self._ends[0][0] <= now:
            waiter = self._by_id.get(self._ends.popleft()[1])
            if waiter is not None:
                return waiter
        return None

    def postpone(self, waiter: Waiter, now: float) -> None:
        """Let *waiter* be due only after a longer interval, and once more as its wait ends."""
        waiter.interval = min(waiter.interval * POLL_GROWTH, LONGEST_POLL)
        waiter.poll_at = now + self._jittered(waiter.interval)
        if now < waiter.gives_up_at < waiter.poll_at:
            waiter.poll_at = waiter.gives_up_at

    def _jittered(self, interval: float) -> float:
        return interval * (0.5 + self._draw() / 2)
