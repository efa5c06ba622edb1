"""The driver: it deals tenants out to lanes, feeds them, and keeps the journal.

::

    tenants ──▶ deal ──▶ pump of each lane ◀──exchange──▶ lane on a worker ──▶ Stripe
                             │
                           books ──▶ group commit ──▶ outbox
                                       (disk)       (the caller)

A lane is lost when its worker leaves the cluster or does not answer in time. Its tenants go to
others at once. What it has sent and not reported is sent again with the same keys, of which the
journal holds the generations; why that is safe while the old lane may still be alive is said at
:class:`fcasync.cluster._remote.Lease` and in `_settings`.
"""

from contextlib import aclosing
from typing import Any

from fcasync._facts.clock import SYSTEM_CLOCK
from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.rows import outcome_of_row
from fcasync.bulk._outcome import Outcome
from fcasync.bulk._plan.admission import over
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._work import start
from fcasync.bulk._work.crew import Crew
from fcasync.bulk._work.outbox import Outbox
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.start import Opened
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.tenants import Tenants
from fcasync.cluster._books import Books, Tenant
from fcasync.cluster._dask import Hub
from fcasync.cluster._fleet import Fleet
from fcasync.cluster._members import Members
from fcasync.cluster._pump import Terms
from fcasync.cluster._settings import ClusterError, Place

LOOK = 0.5
"""Seconds between two looks at who is in the cluster."""
GATHERING = 10.0
"""Seconds in which the first tenants wait for all workers: the first would get everything."""
LANE_TIMEOUT = 60.0
"""Seconds without any lane after which the run ends."""
QUEUE = 100
"""Tenants that are read before there is room for them."""


class Driver:
    """Carries a run out on the workers of a cluster."""

    def __init__(
        self,
        hub: Hub,
        members: Members,
        tenants: Tenants,
        settings: Settings,
        place: Place,
        *,
        opened: Opened,
        tally: Tally,
        server_time: ServerTime,
    ) -> None:
        assert isinstance(opened.record, GroupCommit)  # noqa: S101 - a journal is required
        self._hub, self._source = hub, tenants
        self._opened, self._tally = opened, tally
        self._record = opened.record
        self._record.over = over(start.job(opened, settings))
        self._outbox = Outbox(self._record, opened.last_seq)
        self.schedule = Books(self._record, self._outbox, tally, opened.last_seq)
        """What is in work, as a run shows it."""
        self._terms = Terms(
            members=members,
            books=self.schedule,
            settings=settings,
            place=place,
            opened=opened,
            tally=tally,
            time=server_time,
        )
        self._crew = Crew()
        self.fleet = Fleet(hub, self._terms, self._crew, tenants.at_once)
        """The workers."""
        self._is_read = False  # there are no more tenants
        self._is_reachable = True  # the scheduler was not lost
        self._may_deal = False  # all workers are there, or were waited for

    def observe(self, event: Any) -> bool:
        """Take no note: banks are polled by the lanes."""
        return False

    def end(self, _: object) -> None:
        """Report to the caller, behind all outcomes, that there are no more."""
        self._outbox.end()

    def close(self, *, acknowledge: bool) -> None:
        """Bring to disk what is finished, and perhaps that its last outcome was seen; close."""
        if acknowledge:
            self._outbox.acknowledge()
        rows = self._record.close()
        if rows is not None:
            self._tally.close(rows)

    async def next_outcome(self) -> Outcome | None:
        """Return the next outcome, or None when there are no more."""
        return await self._outbox.take()

    async def run(self) -> None:
        """Work until every account has an outcome.

        Raises:
            ClusterError: The scheduler is lost, or all workers are.
            FCError: What ended the job on a worker: a bad key, or a network that is down.
        """
        for row in self._opened.unacknowledged:
            self._outbox.put(outcome_of_row(row, again=True), row.seq)
        if self._tally.found_finished:
            self._record.finished_at = self._tally.finished_at
            return
        try:
            await self._crew.run([self._record.run], self._serve)
        finally:
            await self._record.flush()
        was_read = self._opened.finished_at is not None or not self._terms.settings.retry_failed
        if was_read and not self._tally.is_anything_left:
            self._record.finished_at = self._tally.finished_at = self._terms.time.earliest()

    async def _serve(self) -> None:
        began = served = SYSTEM_CLOCK.monotonic()
        reader = self._crew.task(self._read_tenants)
        try:
            while not (self._is_read and self.fleet.deal.is_empty):
                await self.fleet.look()
                now = SYSTEM_CLOCK.monotonic()
                served = now if self.fleet.deal.lanes else served
                if now - served > LANE_TIMEOUT:
                    raise ClusterError(
                        f"no worker for {LANE_TIMEOUT:.0f} s ({self._hub.name}); start one, and "
                        "repeat the call, which resumes"
                    )
                wanted = self._terms.place.workers or len(self.fleet)
                is_complete = 0 < wanted <= len(self.fleet.deal.lanes)
                self._may_deal = self._may_deal or is_complete or now - began > GATHERING
                if self._may_deal:
                    self.fleet.deal_out()
                await self.fleet.wait(LOOK)
        except ClusterError:
            self._is_reachable = False
            raise
        finally:
            reader.cancel()
            await self.fleet.close(is_reachable=self._is_reachable)
        self._tally.end_of_source()

    async def _read_tenants(self) -> None:
        with self._terms.members.reads.counting():
            await self._deal_tenants()
        self._is_read = True
        self.fleet.tell()

    async def _read(self, tenant: Tenant) -> None:
        with self._terms.members.reads.counting():
            await tenant.read(self.schedule.reject)

    async def _deal_tenants(self) -> None:
        async with aclosing(self._source.read(self._terms.settings.shard)) as items:
            async for name, source in items:
                tenant = Tenant(name, source)
                self.fleet.add(tenant)
                if self._may_deal:
                    self.fleet.deal_out()
                if source is not None:
                    self._crew.start(self._read, tenant)
                while len(self.fleet.deal.waiting) >= QUEUE:
                    await SYSTEM_CLOCK.sleep(LOOK)
