"""The workers that a job runs on: a lane on each, and the tenants that are dealt out to them."""

import asyncio
import logging

from fcasync.bulk._work.crew import Crew
from fcasync.cluster._books import Tenant
from fcasync.cluster._dask import Hub, WorkerLostError
from fcasync.cluster._deal import Deal
from fcasync.cluster._pump import GOODBYE, Pump, Terms

logger = logging.getLogger("fcasync")


class Fleet:
    """Opens a lane on each worker, deals tenants out, and takes back those of lost lanes."""

    def __init__(self, hub: Hub, terms: Terms, crew: Crew, at_once: int) -> None:
        """Begin without a lane.

        Args:
            hub: The cluster.
            terms: What every lane needs to know.
            crew: Runs the lanes' tasks.
            at_once: Most tenants in work on each worker.
        """
        self._hub, self._terms, self._crew = hub, terms, crew
        self.deal = Deal(at_once=at_once)
        """Who has which tenants, and who waits."""
        self._tenants: dict[str, Tenant] = {}  # all in work or waiting
        self._lanes: dict[str, Pump] = {}  # by address
        self._news = asyncio.Event()  # something may be dealt, or everything is done
        self._is_ending = False  # the lanes are about to be closed
        self.lost = 0
        """Lanes that were lost."""

    def __len__(self) -> int:
        """Return how many lanes there are, open or about to be."""
        return len(self._lanes)

    @property
    def workers(self) -> dict[str, tuple[str, ...]]:
        """The tenants in work on each worker, by its address."""
        return {lane.address: tuple(lane.tenants) for lane in self._lanes.values() if lane.is_open}

    def add(self, tenant: Tenant) -> None:
        """Take *tenant* in, to be dealt out."""
        self._tenants[tenant.name] = tenant
        self.deal.add(tenant.name)

    def tell(self) -> None:
        """Wake whoever waits in :meth:`wait`."""
        self._news.set()

    async def wait(self, seconds: float) -> None:
        """Wait until there is news, and at most so many *seconds*."""
        self._news.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._news.wait()
        except TimeoutError:
            return

    async def look(self) -> None:
        """Open a lane on each new worker, and give up those that are gone."""
        there = await self._hub.members()
        for address in self._lanes.keys() - there:
            self._lose(self._lanes[address], "it left the cluster")
        for address in there - self._lanes.keys():
            lane = self._lanes[address] = Pump(address, self._terms)
            lane.task = self._crew.task(self._pump, lane)

    def deal_out(self) -> None:
        """Give waiting tenants to the lanes that have room."""
        for address, name in self.deal.deal():
            tenant = self._tenants[name]
            tenant.begin()
            self._lanes[address].tenants[name] = tenant

    async def _pump(self, lane: Pump) -> None:
        """Exchange with a lane until it is lost."""
        try:
            await lane.open()
            self.deal.join(lane.address)
            self._news.set()
            while not self._is_ending:
                share = self.deal.share(lane.address, self._terms.settings.total_rate)
                await lane.exchange(share)
                self._end_tenants(lane)
        except WorkerLostError as error:
            self._lose(lane, str(error))

    def _end_tenants(self, lane: Pump) -> None:
        for name in [name for name, tenant in lane.tenants.items() if tenant.is_done]:
            del lane.tenants[name], self._tenants[name]
            self.deal.done(lane.address, name)
            self._news.set()

    def _lose(self, lane: Pump, why: str) -> None:
        """Give a lane up: its tenants wait for another one."""
        if self._lanes.get(lane.address) is not lane:
            return
        del self._lanes[lane.address]
        lane.cancel()
        self._terms.tally.in_flight -= lane.in_flight
        self._terms.members.forget(lane.address)
        if lane.is_open:
            self.lost += 1
            tenants = self.deal.lose(lane.address)
            logger.warning(
                "cluster: worker %s is lost (%s); its %d tenants go to others",
                lane.address,
                why,
                len(tenants),
            )
        self._news.set()

    async def close(self, *, is_reachable: bool) -> None:
        """Let the lanes stop, and take what they have finished."""
        self._is_ending = True
        if not is_reachable:
            return  # their leases end by themselves, and what they know will be asked for again
        tasks = [lane.task for lane in self._lanes.values() if lane.is_open and lane.task]
        if tasks:
            # Whatever an exchange brings that is not waited for would have to be done again.
            await asyncio.wait(tasks, timeout=GOODBYE)
        lanes = list(self._lanes.values())
        for lane in lanes:
            lane.cancel()
        goodbyes = [
            asyncio.create_task(lane.say_goodbye(), name="fcasync.cluster.goodbye")
            for lane in lanes
            if lane.is_open
        ]
        for found in await asyncio.gather(*goodbyes, return_exceptions=True):
            if isinstance(found, Exception):
                logger.info("cluster: a worker did not say goodbye: %s", found)
