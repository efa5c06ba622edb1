"""A job on a cluster as its caller sees it."""

from types import TracebackType

from fcasync._wire.uninterrupted import to_its_end
from fcasync.bulk._run import BulkRun
from fcasync.bulk._work import start
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tenants import Tenants
from fcasync.cluster._dask import Hub
from fcasync.cluster._driver import Driver
from fcasync.cluster._members import Members
from fcasync.cluster._settings import Place


class ClusterRun(BulkRun):
    """A running job on the workers of a cluster; used like a :class:`fcasync.bulk.BulkRun`.

    Outcomes have no ``account``: what travels is what the journal knows. A job that waits for its
    banks polls them; :meth:`observe` takes no note of events.
    """

    def __init__(
        self, tenants: Tenants, settings: Settings, place: Place, *, progress: bool = False
    ) -> None:
        self._tenants, self._place = tenants, place
        self._hub = Hub(place)
        self._members = Members(self._hub, settings.verb.name, place.client)
        self._driver: Driver | None = None  # None before the block is entered
        super().__init__(self._members, tenants, settings, progress=progress)

    def __repr__(self) -> str:
        return super().__repr__().replace("BulkRun", "ClusterRun")

    @property
    def workers(self) -> dict[str, tuple[str, ...]]:
        """The tenants in work on each worker, by the worker's address."""
        return {} if self._driver is None else self._driver.fleet.workers

    @property
    def workers_lost(self) -> int:
        """How often a worker was lost, so that others took its tenants."""
        return 0 if self._driver is None else self._driver.fleet.lost

    async def _begin(self) -> Driver:
        try:
            await self._hub.open()
            server_time = await self._members.meet(self._place.workers or 1)
            opened = await start.open_journal(self._members, self._settings, server_time)
        except BaseException:
            await to_its_end(self._hub.close())
            raise
        self._tally = start.tally(opened, self._settings, self._clock.monotonic())
        self._driver = Driver(
            self._hub,
            self._members,
            self._tenants,
            self._settings,
            self._place,
            opened=opened,
            tally=self._tally,
            server_time=server_time,
        )
        return self._driver

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        try:
            await super().__aexit__(exc_type, exc, traceback)
        finally:
            await to_its_end(self._hub.close())
