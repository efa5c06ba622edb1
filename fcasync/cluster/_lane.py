"""What runs on a worker: a bulk job whose journal is at the driver."""

import asyncio
import logging
import platform
from collections import Counter
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from fcasync._facts.clock import SYSTEM_CLOCK
from fcasync._facts.redact import redact
from fcasync._version import __version__
from fcasync._wire.announcing import Announcer
from fcasync.bulk._journal import stored_errors
from fcasync.bulk._journal.header import Header
from fcasync.bulk._plan import verbs
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._work import start
from fcasync.bulk._work.figures import figures
from fcasync.bulk._work.network import EngineNetwork
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.tenants import Tenants
from fcasync.bulk._work.work import Work
from fcasync.client import Client
from fcasync.cluster import _wire
from fcasync.cluster._remote import Lease, LeasedNetwork, LeaseExpiredError, RemoteCommit
from fcasync.errors import FCError
from fcasync.hooks import Figures

POLL = 0.5
"""Seconds that a lane without news keeps the driver waiting."""
GATHER = 0.1
"""Seconds in which news gather before they are sent together."""
ENOUGH = 256
"""As many rows are sent without waiting for more."""
NO_BOUND = 1_000_000
"""Tenants at once: how many a lane gets is the driver's business."""


class Lane:
    """The tenants that one worker works on, until its driver is gone."""

    def __init__(self, given: _wire.Open) -> None:
        self.id = given.lane
        self._client = Client(**given.client)
        self._lease = Lease(given.lease, SYSTEM_CLOCK)
        self._record = RemoteCommit()
        self._listed: list[str] = []
        self._feeds: dict[str, asyncio.Queue[str | None]] = {}
        self._tenants: asyncio.Queue[tuple[str, Any]] = asyncio.Queue()
        self._number = 0  # of the latest exchange
        self._barred = 0  # how many of the barred tenants the driver knows
        self._total_rate: float | None = None
        self._tally = Tally(Counter(), SYSTEM_CLOCK.monotonic())
        self._time = ServerTime(SYSTEM_CLOCK)
        self._time.adopt(given.time)
        settings = _settings(given)
        network = LeasedNetwork(_network(self._client, settings), self._lease, self._was_listed)
        self._reads = network.reads
        self._work = Work(
            network,
            Tenants(self._read_tenants(), at_once=NO_BOUND),
            settings,
            opened=_opened(given, network, self._record),
            tally=self._tally,
            server_time=self._time,
        )
        self._announcer = Announcer(network.reporter, "bulk", given.operation, self._figures)
        with self._announcer.beginning():
            self._main = self._announcer.named_task(self._work.run(), "fcasync.cluster.lane")
        self._main.add_done_callback(lambda _: self._record.news.set())
        watch = self._watch(given.lease, given.job)
        self._tasks = [
            asyncio.create_task(self._consume(), name="fcasync.cluster.lane.outcomes"),
            asyncio.create_task(watch, name="fcasync.cluster.lane.lease"),
        ]

    async def _read_tenants(self) -> AsyncIterator[tuple[str, Any]]:
        while True:
            yield await self._tenants.get()

    async def _read_feed(self, feed: "asyncio.Queue[str | None]") -> AsyncIterator[str]:
        while (account_id := await feed.get()) is not None:
            yield account_id

    def _was_listed(self, tenant: str) -> None:
        self._listed.append(tenant)
        self._record.news.set()

    async def _consume(self) -> None:
        """Make room for the next accounts: the outcomes are the driver's to show."""
        while await self._work.next_outcome() is not None:
            pass

    async def _watch(self, lease: float, job: str) -> None:
        while not self._lease.is_over:  # noqa: ASYNC110 - what ends it is that time passes
            await asyncio.sleep(lease / 4)
        if LANES.get(job) is self:
            del LANES[job]
        self._tasks.pop()  # this one
        await self.close()

    def welcomes(self) -> None:
        """Take note that the driver knows of the lane."""
        self._lease.answers()

    async def exchange(self, given: _wire.Exchange) -> _wire.Message:
        """Take what the driver gives, wait for news, and answer."""
        self._number += 1
        if given.number != self._number:
            return _wire.Gone()
        self._lease.heard()
        if self._lease.is_over:
            return _wire.Gone()
        if self._main.done():
            return _wire.Answer() if given.is_last else _failed(self._main)
        for number, known in given.acks:
            self._record.acknowledge(number, known)
        for tenant, account_ids, is_last in given.feed:
            self._feed(tenant, account_ids, is_last=is_last)
        if given.total_rate != self._total_rate:
            self._total_rate = given.total_rate
            self._work.schedule.set_total_rate(given.total_rate)
        if given.is_last:
            await self.close()
        else:
            await self._gather()
        if not given.is_last and self._main.done():
            return _failed(self._main)
        answer = self._answer()
        self._lease.answers()
        return answer

    def _feed(self, tenant: str, account_ids: list[str] | None, *, is_last: bool) -> None:
        if account_ids is None:
            self._tenants.put_nowait((tenant, None))
            return
        feed = self._feeds.get(tenant)
        if feed is None:
            feed = self._feeds[tenant] = asyncio.Queue()
            self._tenants.put_nowait((tenant, self._read_feed(feed)))
        for account_id in account_ids:
            feed.put_nowait(account_id)
        if is_last:
            feed.put_nowait(None)
            del self._feeds[tenant]

    async def _gather(self) -> None:
        if not self._record.news.is_set():
            try:
                async with asyncio.timeout(POLL):
                    await self._record.news.wait()
            except TimeoutError:
                return
        if len(self._record) < ENOUGH and not self._main.done():
            await asyncio.sleep(GATHER)

    def _answer(self) -> _wire.Answer:
        self._record.news.clear()
        listed, self._listed = self._listed, []
        barred = self._tally.barred[self._barred :]
        self._barred += len(barred)
        return _wire.Answer(
            writes=self._record.take(),
            listed=listed,
            barred=barred,
            time=self._time.earliest(),
            requests=self._tally.requests,
            retries=self._tally.retries,
            rate_limited=self._tally.rate_limited,
            replays=self._tally.replays,
            in_flight=self._tally.in_flight,
            reads=self._reads.count,
        )

    async def close(self) -> None:
        """Stop sending, and close the connections."""
        tasks = [self._main, *self._tasks]
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        self._announcer.end(None if self._main.cancelled() else self._main.exception())
        await self._client.aclose()

    def _figures(self) -> Figures:
        return figures(self._tally, self._work.schedule, self._reads)


def _opened(given: _wire.Open, network: LeasedNetwork, record: RemoteCommit) -> start.Opened:
    """Return what the driver's journal says of the job."""
    return start.Opened(
        header=Header(
            id=given.job,
            operation=given.operation,
            features=",".join(given.features),
            api_key=network.api_key,
            stripe_account=None,
            stripe_version=network.stripe_version,
            created=given.created,
        ),
        record=record,
        last_seq=given.last_seq,
        was_cut_short=given.is_suspect,
    )


def _failed(main: "asyncio.Task[None]") -> _wire.Message:
    error = None if main.cancelled() else main.exception()
    if error is None or isinstance(error, LeaseExpiredError):
        return _wire.Gone()
    return _failure(error)


def _failure(error: BaseException) -> _wire.Failed:
    if isinstance(error, FCError):
        return _wire.Failed(error=stored_errors.dump(error))
    return _wire.Failed(text=redact(f"{type(error).__name__}: {error}")[:500])


def _settings(given: _wire.Open) -> Settings:
    return Settings(
        verb=_VERBS[given.operation],
        features=tuple(given.features),
        journal=Path("of the driver"),
        concurrency=given.concurrency,
        max_rate=given.max_rate,
        is_for_many=True,
        wait=given.wait,
        wait_timeout=given.wait_timeout,
        retry_failed=given.retry_failed,
        max_age=given.max_age,
    )


def _network(client: Client, settings: Settings) -> EngineNetwork:
    params = {"features": list(settings.features)} if settings.features else {}
    return EngineNetwork(client._engine, client._options, settings.verb.operation, params)


_VERBS = {
    verb.name: verb
    for verb in (verbs.REFRESH, verbs.SUBSCRIBE, verbs.UNSUBSCRIBE, verbs.DISCONNECT)
}
LANES: dict[str, Lane] = {}
"""The lane of each job in this process."""


async def exchange(data: bytes) -> bytes:
    """Serve the driver; what goes wrong is returned, because Dask logs the arguments otherwise."""
    try:
        return _wire.encode(await _serve(_wire.decode(data)))
    except Exception as error:  # noqa: BLE001 - see above
        return _wire.encode(_failure(error))


async def _serve(given: _wire.Message) -> _wire.Message:
    match given:
        case _wire.Hello():
            return await _welcome(given)
        case _wire.Open():
            if (old := LANES.pop(given.job, None)) is not None:
                await old.close()
            _quiet_dask()
            lane = LANES[given.job] = Lane(given)
            lane.welcomes()
            return _wire.Answer()
        case _wire.Exchange():
            lane_or_none = LANES.get(given.job)
            if lane_or_none is None or lane_or_none.id != given.lane:
                return _wire.Gone()
            if given.is_last:
                del LANES[given.job]
            return await lane_or_none.exchange(given)
        case _:
            raise ValueError(f"{type(given).__name__} is not for a worker")


async def _welcome(given: _wire.Hello) -> _wire.Welcome:
    async with Client(**given.client) as client:
        settings = Settings(verb=_VERBS[given.operation])
        network = _network(client, settings)
        time = await start.server_time(network)
        return _wire.Welcome(
            version=__version__,
            python=".".join(platform.python_version_tuple()[:2]),
            api_key=network.api_key,
            stripe_version=network.stripe_version,
            time=time.earliest(),
        )


def _quiet_dask() -> None:
    """Keep Dask from logging two lines for each exchange."""
    logger = logging.getLogger("distributed.worker")
    if _is_news not in logger.filters:
        logger.addFilter(_is_news)


def _is_news(record: logging.LogRecord) -> bool:
    return not str(record.msg).startswith("Run out-of-band function")
