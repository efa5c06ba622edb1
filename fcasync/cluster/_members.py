"""The workers of a cluster: whether they fit, and what is sent to them."""

import asyncio
import logging
import platform
from typing import Any

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._version import __version__
from fcasync._wire.reads import Reads
from fcasync._wire.reporting import Reporter
from fcasync.bulk._journal import stored_errors
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.cluster import _lane, _wire
from fcasync.cluster._dask import Hub, WorkerLostError
from fcasync.cluster._settings import ClusterError
from fcasync.errors import FCError, InvalidArgumentError

logger = logging.getLogger("fcasync")

FIRST = 60.0
"""Seconds for the first call of a worker, which imports fcasync and asks Stripe for the time."""
ARRIVAL = 10.0
"""Seconds in which the wanted workers of a scheduler turn up."""
PYTHON = ".".join(platform.python_version_tuple()[:2])


class Members:
    """Greets workers, and names in the journal whose API key they have.

    All must have the same key; the driver needs none.
    """

    def __init__(self, hub: Hub, operation: str, client: dict[str, Any]) -> None:
        self._hub = hub
        self._hello = _wire.Hello(operation=operation, client=client)
        self._first: _wire.Welcome | None = None  # of the worker that answered first
        self._welcome: dict[str, bool] = {}  # by address, until it leaves
        self.clock: Clock = SYSTEM_CLOCK
        self.api_key = self.stripe_version = ""
        self.stripe_account: str | None = None
        self.reads = Reads()
        self.reporter = Reporter(())

    async def call(self, address: str, message: _wire.Message, seconds: float) -> _wire.Message:
        """Send *message* to a worker and return its answer.

        Raises:
            WorkerLostError: There is none.
        """
        data = await self._hub.call(address, _lane.exchange, _wire.encode(message), seconds)
        try:
            return _wire.decode(data)
        except ValueError as error:
            raise ClusterError(f"worker {address} has another version of fcasync") from error

    async def meet(self, wanted: int) -> ServerTime:
        """Wait for workers, greet them, and return the time at Stripe.

        Raises:
            ClusterError: There are none, or they do not fit.
            FCError: They cannot reach Stripe, or their key is bad.
        """
        addresses = await self._arrived(wanted)
        tasks = [
            asyncio.create_task(self._greet(address), name="fcasync.cluster.greet")
            for address in addresses
        ]
        greetings = await asyncio.gather(*tasks)
        for address, welcome in zip(addresses, greetings, strict=True):
            if fault := self._fault(welcome):
                raise ClusterError(f"worker {address} {fault}")
            self._welcome[address] = True
        time = ServerTime(self.clock)
        time.adopt(min(welcome.time for welcome in greetings))
        return time

    async def _arrived(self, wanted: int) -> list[str]:
        began = self.clock.monotonic()
        while True:
            addresses = await self._hub.members()
            waited = self.clock.monotonic() - began
            if len(addresses) >= wanted or (addresses and waited >= ARRIVAL):
                return sorted(addresses)
            if waited >= ARRIVAL:
                raise ClusterError(f"{self._hub.name} has no workers; start some and repeat")
            await self.clock.sleep(0.2)

    async def _greet(self, address: str) -> _wire.Welcome:
        try:
            answer = await self.call(address, self._hello, FIRST)
        except WorkerLostError as error:
            raise ClusterError(f"worker {address} does not answer ({error})") from error
        match answer:
            case _wire.Welcome():
                return answer
            case _wire.Failed(error=str() as text):
                raise self._refused(address, stored_errors.load(text))
            case _:
                text = answer.text if isinstance(answer, _wire.Failed) else type(answer).__name__
                raise ClusterError(f"worker {address} cannot begin: {text}")

    def _refused(self, address: str, error: FCError | None) -> FCError:
        if error is None or isinstance(error, InvalidArgumentError):
            return ClusterError(
                f"worker {address}: {error}; a worker takes its key from STRIPE_API_KEY"
            )
        return error

    def _fault(self, welcome: _wire.Welcome) -> str | None:
        """Return what is wrong with a worker, if something is."""
        if welcome.version != __version__:
            return f"has fcasync {welcome.version}, and this is {__version__}"
        if welcome.python != PYTHON:
            return f"has Python {welcome.python}, and this is {PYTHON}"
        if self._first is None:
            self._first = welcome
            self.api_key, self.stripe_version = welcome.api_key, welcome.stripe_version
        if welcome.api_key != self._first.api_key:
            return f"has another API key ({welcome.api_key}, not {self._first.api_key})"
        if welcome.stripe_version != self._first.stripe_version:
            return f"has Stripe's version {welcome.stripe_version}, not {self.stripe_version}"
        return None

    async def is_welcome(self, address: str) -> bool:
        """Return whether a worker, which may have come late, fits.

        Raises:
            WorkerLostError: It does not answer, or not well.
        """
        if address not in self._welcome:
            try:
                fault = self._fault(await self._greet(address))
            except FCError as error:
                raise WorkerLostError(str(error)) from error
            if fault:
                logger.warning("cluster: worker %s %s; it gets nothing to do", address, fault)
            self._welcome[address] = not fault
        return self._welcome[address]

    def forget(self, address: str) -> None:
        """Take note that a worker is lost: whoever comes with its address is another one."""
        self._welcome.pop(address, None)
