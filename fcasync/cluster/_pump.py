"""The driver's end of a lane."""

import asyncio
from uuid import uuid4

import attrs

from fcasync._facts.clock import SYSTEM_CLOCK
from fcasync.bulk._journal import stored_errors
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.start import Opened
from fcasync.bulk._work.tally import Tally
from fcasync.cluster import _wire
from fcasync.cluster._books import Books, Tenant
from fcasync.cluster._dask import WorkerLostError
from fcasync.cluster._members import Members
from fcasync.cluster._settings import ClusterError, Place

OVERDUE = 0.5
"""The part of a lease that an exchange may take."""
GOODBYE = 5.0
"""Seconds for the last one."""


@attrs.frozen(kw_only=True)
class Terms:
    """What the lanes of a run have in common."""

    members: Members
    books: Books
    settings: Settings
    place: Place
    opened: Opened
    tally: Tally
    time: ServerTime


class Pump:
    """Exchanges accounts and rows with the lane of one worker."""

    def __init__(self, address: str, terms: Terms) -> None:
        self.address = address
        self.tenants: dict[str, Tenant] = {}
        """Those that the lane works on."""
        self.is_open = False
        """Whether the lane may be given tenants."""
        self.task: asyncio.Task[None] | None = None
        """Runs the exchanges."""
        self._terms = terms
        self._id = uuid4().hex  # of the lane; an older one with another id is not heard
        self._number = 0  # of the latest exchange
        self._acks: list[list[object]] = []  # what the next exchange acknowledges
        self._seen = _wire.Answer()  # the latest answer, for its counters

    @property
    def in_flight(self) -> int:
        """Requests in flight at the latest answer."""
        return self._seen.in_flight

    def cancel(self) -> None:
        """End the exchanges, unless it is they that call this."""
        if self.task is not None and self.task is not asyncio.current_task():
            self.task.cancel()

    async def open(self) -> None:
        """Open the lane; of a worker that does not fit, wait until it is gone.

        Raises:
            WorkerLostError: The worker does not answer.
        """
        if not await self._terms.members.is_welcome(self.address):
            await asyncio.Event().wait()
        await self._call(self._opening())
        self.is_open = True

    def _opening(self) -> _wire.Open:
        terms, settings, opened = self._terms, self._terms.settings, self._terms.opened
        return _wire.Open(
            lane=self._id,
            job=opened.header.id,
            last_seq=opened.last_seq,
            created=opened.header.created,
            time=terms.time.earliest(),
            is_suspect=opened.was_cut_short,
            operation=settings.verb.name,
            features=list(settings.features),
            concurrency=settings.concurrency,
            max_rate=settings.max_rate,
            wait=settings.wait,
            wait_timeout=settings.wait_timeout,
            retry_failed=settings.retry_failed,
            max_age=settings.max_age,
            lease=terms.place.lease,
            client=terms.place.client,
        )

    async def exchange(self, total_rate: float | None) -> None:
        """Feed the lane, and have committed what it reports.

        Args:
            total_rate: Most requests a second of this lane.

        Raises:
            WorkerLostError: The worker does not answer, or the lane is gone.
            FCError: What ends the run, as the lane has found.
        """
        feed = [feed for tenant in self.tenants.values() if (feed := tenant.feed())]
        answer = await self._call(self._exchange(feed, total_rate))
        committed = self._take(answer)
        for name in answer.listed:
            self.tenants[name].end_of_list()
        await committed
        await asyncio.sleep(0)  # whoever waits for outcomes takes them, and so acknowledges them

    async def say_goodbye(self) -> None:
        """Close the lane, and take what it has finished; the journal is written afterwards."""
        self._take(await self._call(self._exchange([], None, is_last=True), GOODBYE))

    def _exchange(
        self, feed: list[list[object]], total_rate: float | None, *, is_last: bool = False
    ) -> _wire.Exchange:
        self._number += 1
        acks, self._acks = self._acks, []
        return _wire.Exchange(
            lane=self._id,
            job=self._terms.opened.header.id,
            number=self._number,
            acks=acks,
            feed=feed,
            total_rate=total_rate,
            is_last=is_last,
        )

    async def _call(self, message: _wire.Message, seconds: float | None = None) -> _wire.Answer:
        seconds = seconds or OVERDUE * self._terms.place.lease
        match await self._terms.members.call(self.address, message, seconds):
            case _wire.Answer() as answer:
                return answer
            case _wire.Gone():
                raise WorkerLostError("it had not heard from here for too long")
            case _wire.Failed(error=str() as text):
                error = stored_errors.load(text)
                assert error is not None  # noqa: S101 - there is a text
                raise error
            case _wire.Failed(text=text):
                raise ClusterError(f"worker {self.address} cannot go on: {text}")
            case other:
                raise ClusterError(f"worker {self.address} answers with {type(other).__name__}")

    def _take(self, answer: _wire.Answer) -> "asyncio.Future[None]":
        self._count(answer)
        return self._terms.books.take(self.tenants, answer.writes, self._acknowledge)

    def _acknowledge(self, number: int, known: object) -> None:
        self._acks.append([number, known])

    def _count(self, answer: _wire.Answer) -> None:
        seen, self._seen = self._seen, answer
        now, tally = SYSTEM_CLOCK.monotonic(), self._terms.tally
        for _ in range(answer.requests - seen.requests):
            tally.send(now, is_retry=False)
        tally.retries += answer.retries - seen.retries
        tally.rate_limited += answer.rate_limited - seen.rate_limited
        tally.replays += answer.replays - seen.replays
        self._terms.members.reads.count += answer.reads - seen.reads
        tally.in_flight += answer.in_flight - seen.in_flight
        tally.barred += [name for name in answer.barred if name not in tally.barred]
        self._terms.time.adopt(answer.time or self._terms.time.earliest())
