"""What a lane has in the place of a network that is always allowed, and of a disk."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from fcasync._facts.clock import Clock
from fcasync._rules.request import Response
from fcasync.bulk._journal.rows import row_of
from fcasync.bulk._plan.task import OVER, Row, Task
from fcasync.bulk._work.network import Network
from fcasync.cluster import _wire
from fcasync.errors import AuthenticationError, PermissionDeniedError
from fcasync.models import Account, Page


class LeaseExpiredError(Exception):
    """The driver has not been heard of for too long: it may have given this lane up."""


class Lease:
    """How long a lane may send. It is asked just before each request.

    What arrives may have waited in a socket while this process was stopped. So an exchange proves
    only that the driver was there after the answer before it was given, and the lease runs from
    then. A machine that sleeps stops the one clock, and the other may be set: the longer time
    counts.
    """

    def __init__(self, seconds: float, clock: Clock) -> None:
        self._seconds, self._clock = seconds, clock
        self._answered = self._began = self._now()

    def _now(self) -> tuple[float, float]:
        return self._clock.monotonic(), self._clock.time()

    def heard(self) -> None:
        """Take note of an exchange: the driver had the latest answer."""
        self._began = self._answered

    def answers(self) -> None:
        """Take note that an answer is given."""
        self._answered = self._now()

    @property
    def is_over(self) -> bool:
        """Whether nothing may be sent any more."""
        passed = (now - then for now, then in zip(self._now(), self._began, strict=True))
        return max(passed) >= self._seconds

    def check(self) -> None:
        """Raise LeaseExpiredError if nothing may be sent any more."""
        if self.is_over:
            raise LeaseExpiredError


class LeasedNetwork:
    """A network that sends only while the lease lasts, and says when a list has ended."""

    def __init__(self, network: Network, lease: Lease, listed: Callable[[str], None]) -> None:
        self._network, self._lease, self._listed = network, lease, listed
        self.clock, self.pace = network.clock, network.pace
        self.api_key, self.stripe_version = network.api_key, network.stripe_version
        self.stripe_account, self.reads = network.stripe_account, network.reads
        self.reporter = network.reporter

    def of_tenant(self, stripe_account: str) -> "LeasedNetwork":
        """Return the network as a connected account sees it."""
        return LeasedNetwork(self._network.of_tenant(stripe_account), self._lease, self._listed)

    async def accounts(self) -> AsyncIterator[Account]:
        """List all accounts, and say so when there are no more to come."""
        try:
            async for account in self._network.accounts():
                yield account
        except (AuthenticationError, PermissionDeniedError):
            self._listed(self.stripe_account or "")
            raise
        self._listed(self.stripe_account or "")

    async def send(self, account_id: str, idempotency_key: str) -> Response[Account]:
        """Send the operation once, if this lane still may."""
        self._lease.check()
        return await self._network.send(account_id, idempotency_key)

    async def retrieve(self, account_id: str) -> Response[Account]:
        """Fetch one account."""
        return await self._network.retrieve(account_id)

    async def list_page(self, starting_after: str | None, limit: int) -> Response[Page[Account]]:
        """Fetch one page of all accounts."""
        return await self._network.list_page(starting_after, limit)


class RemoteCommit:
    """The record of a run whose disk is the driver's.

    What is written goes out with the next answer, and the callback waits for the acknowledgement
    that comes with the exchange after: the driver has committed it by then.
    """

    def __init__(self) -> None:
        self.acknowledged = 0
        self.over: frozenset[str] = frozenset()
        self.finished_at: int | None = None
        self.news = asyncio.Event()
        """Set when there is something to send."""
        self._numbers = 0  # the highest number given to a write
        self._waiting: dict[int, tuple[Callable[..., None] | None, bool]] = {}
        self._out: list[list[Any]] = []

    def __len__(self) -> int:
        return len(self._out)

    def admit(self, task: Task, then: Callable[[Row | None], None]) -> None:
        """Have *task* written down if it is new; *then* is called with what was known."""
        self._write(row_of(task), then, is_admission=True)

    def store(self, task: Task, then: Callable[[], None] | None = None, seq: int = 0) -> None:
        """Have *task* written down as it is now; the driver numbers outcomes itself."""
        self._write(row_of(task), then, is_admission=False)

    def _write(self, row: Row, then: Callable[..., None] | None, *, is_admission: bool) -> None:
        self._numbers += 1
        self._waiting[self._numbers] = then, is_admission
        self._out.append([self._numbers, is_admission, _wire.row_to_cells(row)])
        self.news.set()

    def take(self) -> list[list[Any]]:
        """Return what is to be written, once."""
        out, self._out = self._out, []
        return out

    def acknowledge(self, number: int, known: Any) -> None:
        """Take note that a write is on disk, and what was known before of what was admitted."""
        then, is_admission = self._waiting.pop(number)
        if then is None:
            return
        if not is_admission:
            then()
        elif known == _wire.OVER:
            then(OVER)
        else:
            then(None if known is None else _wire.cells_to_row(known))

    async def run(self) -> None:
        """Wait: others write."""
        await asyncio.Event().wait()

    async def flush(self) -> None:
        """Do nothing: what was not taken is lost, and will be done again."""

    def close(self) -> None:
        """Do nothing: the journal is the driver's."""
