"""Dask distributed as what a run needs of it: members, and a way to call them.

The only module that imports it. Dask's own scheduling is not used: it is made for computations in
thread slots, and a lane waits for the network.
"""

import asyncio
from contextlib import AsyncExitStack
from inspect import signature
from typing import Any

from fcasync.cluster._settings import ClusterError, Place
from fcasync.errors import InvalidArgumentError

try:
    import distributed as _distributed
except ModuleNotFoundError as error:
    raise ImportError(
        "fcasync.cluster needs Dask distributed: pip install 'fcasync[cluster]'"
    ) from error

_dask: Any = _distributed  # only parts of it have types

CONNECT = 10.0
"""Seconds for an answer of the scheduler."""
START = 60.0
"""Seconds in which the workers of this machine start."""
CLOSE = 10.0
"""Seconds in which the connection is closed."""
_ALL = {"n_workers": -1} if "n_workers" in signature(_dask.Scheduler.identity).parameters else {}
"""Asks for all workers; before this argument existed, all were named."""


class WorkerLostError(Exception):
    """A worker does not answer, or not in time."""


class Hub:
    """A connection to the scheduler, and perhaps the workers of this machine."""

    def __init__(self, place: Place) -> None:
        self._place = place
        self._stack = AsyncExitStack()  # closes what was opened
        self._client: Any = None  # None until open
        self.name = place.scheduler or "this machine"
        """What messages call it."""

    async def open(self) -> None:
        """Start workers on this machine if no scheduler is named, and connect.

        Raises:
            ClusterError: There is no scheduler, or the workers did not start.
            InvalidArgumentError: The scheduler needs certificates, and there are none.
        """
        try:
            self._check_certificates()
            address = self._place.scheduler or await self._start()
            self._client = await self._connect(address)
        except BaseException:
            await self.close()
            raise

    def _check_certificates(self) -> None:
        # Dask would fail as well, behind warnings about coroutines, and without a remedy.
        is_tls = (self._place.scheduler or "").startswith("tls://")
        if is_tls and self._place.security is None and not _dask.Security().tls_ca_file:
            raise InvalidArgumentError(
                f"scheduler {self.name} needs certificates: security=distributed.Security("
                "tls_ca_file=, tls_client_cert=, tls_client_key=), or the paths of those files in "
                "the environment variables DASK_DISTRIBUTED__COMM__TLS__CA_FILE, ..._CLIENT__CERT "
                "and ..._CLIENT__KEY"
            )

    async def _start(self) -> Any:
        key = self._place.api_key
        environment = {} if key is None else {"STRIPE_API_KEY": key.reveal()}
        try:
            async with asyncio.timeout(START):
                cluster = await _dask.LocalCluster(
                    n_workers=self._place.workers,
                    threads_per_worker=1,
                    processes=True,
                    asynchronous=True,
                    # None would open port 8787.
                    dashboard_address="127.0.0.1:0",
                    env=environment,
                )
        except (OSError, RuntimeError, TimeoutError) as error:
            raise ClusterError(
                "the workers on this machine did not start; a script that starts some needs "
                f'`if __name__ == "__main__":` around what it does ({type(error).__name__})'
            ) from error
        self._stack.push_async_callback(_quietly, cluster.close)
        return cluster

    async def _connect(self, address: Any) -> Any:
        try:
            async with asyncio.timeout(CONNECT + 5):
                client = await _dask.Client(
                    address,
                    asynchronous=True,
                    set_as_default=False,
                    security=self._place.security,
                    timeout=CONNECT,
                )
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"the scheduler at {self.name} cannot be reached; nothing was sent"
            ) from error
        except (TypeError, ValueError) as error:
            raise InvalidArgumentError(f"scheduler {self.name}: {error}") from error
        self._stack.push_async_callback(_quietly, client.close)
        return client

    async def members(self) -> set[str]:
        """Return the addresses of the workers.

        Raises:
            ClusterError: The scheduler is lost.
        """
        try:
            async with asyncio.timeout(CONNECT):
                # Of `scheduler_info()` the list is empty at first, and always some seconds old.
                found = await self._client.scheduler.identity(**_ALL)
        except (OSError, TimeoutError) as error:
            raise ClusterError(
                f"the scheduler at {self.name} is lost; the same call resumes"
            ) from error
        return {
            address
            for address, worker in found["workers"].items()
            if worker.get("status", "running") == "running"
        }

    async def call(self, address: str, function: Any, data: bytes, seconds: float) -> bytes:
        """Call *function* on a worker, and return what it returns.

        Args:
            address: The worker's.
            function: An asynchronous function of a module that the worker can import. It must not
                raise: Dask would log its argument.
            data: Its argument.
            seconds: How long to wait.

        Raises:
            WorkerLostError: The worker is gone, or takes longer.
            ClusterError: The worker does not have the function.
        """
        try:
            async with asyncio.timeout(seconds):
                found = await self._client.run(function, data, workers=[address])
            return bytes(found[address])
        except (ImportError, AttributeError) as error:
            sentence = f"worker {address} cannot import the same fcasync: {error}"
            raise ClusterError(sentence) from error
        except (OSError, KeyError, RuntimeError, TimeoutError, ValueError) as error:
            raise WorkerLostError(f"{type(error).__name__}: {str(error)[:100]}") from error

    async def close(self) -> None:
        """Close the connection, and stop the workers of this machine."""
        await self._stack.aclose()


async def _quietly(close: Any) -> None:
    try:
        async with asyncio.timeout(CLOSE):
            await close()
    except (OSError, RuntimeError, TimeoutError):
        return  # there is nobody left to say goodbye to
