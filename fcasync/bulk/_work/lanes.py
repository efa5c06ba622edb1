"""The lanes of a run: one for a job of one account, else one for each tenant in work."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

import attrs

from fcasync.bulk._journal.record import Record
from fcasync.bulk._plan.events import Barred, Event, TimedOut
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work import log
from fcasync.bulk._work.crew import Crew
from fcasync.bulk._work.denial import Denials
from fcasync.bulk._work.lane import Lane
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.outbox import Outbox
from fcasync.bulk._work.reader import Reader
from fcasync.bulk._work.schedule import Schedule
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.tenants import Tenants
from fcasync.bulk._work.turns import Turns
from fcasync.errors import AuthenticationError, FCError, PermissionDeniedError


@attrs.frozen(kw_only=True)
class Lanes:
    """Opens lanes, lets each read its source and work it off, and closes them."""

    network: Network
    """Of the API key's own account."""
    settings: Settings
    schedule: Schedule
    record: Record
    """Where accounts are admitted."""
    outbox: Outbox
    tally: Tally
    sent_at: Callable[[], int]
    """Returns the server's time at which a new account may first be sent."""
    is_suspect: bool
    """Whether the journal may have lost what it knew."""
    passed: frozenset[str]
    """Tenants with which the job is finished."""
    step: Callable[[Task, Event], None]
    start: Callable[..., None]
    """Runs a coroutine function as a task that ends with the run."""

    async def run(self, source: Any) -> None:
        """Work everything off.

        Raises:
            Exception: What a source raised, or an FCError that concerns all accounts.
        """
        if isinstance(source, Tenants):
            await self._run_tenants(source)
        else:
            await self._work_off(self._open(self.network, ""), source)
        self.tally.end_of_source()

    async def _run_tenants(self, tenants: Tenants) -> None:
        crew = Crew()
        await crew.run([], partial(self._start_tenants, tenants, crew))

    async def _start_tenants(self, tenants: Tenants, crew: Crew) -> None:
        room = asyncio.Semaphore(tenants.at_once)
        with self.network.reads.counting():
            async with aclosing(tenants.read(self.settings.shard)) as items:
                async for tenant, source in items:
                    if tenant in self.passed:
                        continue
                    await room.acquire()
                    crew.start(self._run_tenant, tenant, source, room)

    async def _run_tenant(self, tenant: str, source: Any, room: asyncio.Semaphore) -> None:
        network = self.network.of_tenant(tenant)
        lane = self._open(network, tenant)
        try:
            await self._work_off(lane, network.accounts() if source is None else source)
            # Not if the run ends early: what is finished still finds its lane then.
            del self.schedule.lanes[tenant]
        finally:
            room.release()

    def _open(self, network: Network, tenant: str) -> Lane:
        lane = Lane(network, self.settings, self.step, self.denied, stripe_account=tenant)
        self.schedule.lanes[tenant] = lane
        return lane

    async def _work_off(self, lane: Lane, source: Any) -> None:
        lane.network.pace.learn()
        settling = [lane.settler.run] if self.settings.wait else []
        try:
            await Crew().run(settling, partial(self._read, lane, source))
        finally:
            lane.network.pace.unlearn()
            lane.settler.close()

    async def _read(self, lane: Lane, source: Any) -> None:
        reader = Reader(
            source,
            lane,
            record=self.record,
            outbox=self.outbox,
            tally=self.tally,
            sent_at=self.sent_at,
            step=self.step,
            is_suspect=self.is_suspect,
        )
        try:
            await reader.run()
        except (AuthenticationError, PermissionDeniedError) as error:
            self.denied(lane, error)
        await lane.live.empty()

    def denied(self, lane: Lane, error: FCError) -> None:
        """Take note that the key, or the platform, may not do this for the account of *lane*.

        Raises:
            FCError: *error*, if the job is for this account alone.
        """
        if not lane.stripe_account:
            raise error
        if not lane.is_closing:
            lane.is_closing = True
            self.start(self._bar, lane, error)

    async def _bar(self, lane: Lane, error: FCError) -> None:
        """End a tenant, unless it is the key that is bad, which ends the run."""
        denials = Denials(
            ask=partial(self.network.list_page, None, 1),
            was_served=lambda: self.tally.done > self.tally.count("failed"),
            barred=self.tally.barred,
        )
        await denials.bar(lane.stripe_account, error)
        log.barred(lane.stripe_account, error)
        lane.barred_by = error
        turns = Turns()
        while lane.queue:
            self.step(lane.queue.popleft(), Barred(error))
            await turns.step()
        for task in lane.settler.tasks():
            self.step(task, TimedOut())
            await turns.step()
