"""A Dask scheduler and its workers as processes of their own, as a team would start them."""

import asyncio
import os
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import attrs

from tests._paths import ROOT
from tests._ports import free_port
from tests.cluster._stripe import KEY


@attrs.frozen
class Cluster:
    """The processes; the workers are restarted by their nannies if they have some."""

    address: str
    scheduler: asyncio.subprocess.Process
    others: list[asyncio.subprocess.Process] = attrs.field(factory=list)

    def workers(self) -> list[int]:
        """Return the ids of the processes in which lanes run."""
        nannies = [process.pid for process in self.others if process.returncode is None]
        found = [pid for nanny in nannies for pid in _children(nanny) if _is_worker(pid)]
        return found or nannies


def _children(pid: int) -> list[int]:
    try:
        # Each thread has children of its own.
        texts = [path.read_text() for path in Path(f"/proc/{pid}/task").glob("*/children")]
    except OSError:
        return []
    return [
        found for word in " ".join(texts).split() for found in (int(word), *_children(int(word)))
    ]


def _is_worker(pid: int) -> bool:
    try:
        return b"spawn_main" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return False


@asynccontextmanager
async def cluster(
    *, nannies: bool = False, certificates: Path | None = None
) -> AsyncIterator[Cluster]:
    """Start a scheduler and two workers, and end them."""
    tls = [] if certificates is None else [f"--tls-{n}={certificates / n}.pem" for n in _FILES]
    tls = [word.replace("--tls-ca=", "--tls-ca-file=") for word in tls]
    address = f"{'tls' if tls else 'tcp'}://127.0.0.1:{free_port()}"
    dask = [sys.executable, "-m", "dask"]
    more = [] if nannies else ["--no-nanny"]
    started: list[asyncio.subprocess.Process] = []
    try:
        listen = ["--host", address, "--dashboard-address", "127.0.0.1:0"]
        scheduler = await _start([*dask, "scheduler", *listen, *tls])
        started.append(scheduler)
        for _ in range(2):
            options = ["--nthreads", "1", "--no-dashboard", "--host", "127.0.0.1", *more, *tls]
            started.append(await _start([*dask, "worker", address, *options]))
        yield Cluster(address, scheduler, started[1:])
    finally:
        for process in started:
            if process.returncode is None and nannies:
                process.terminate()  # so that they end their workers
            elif process.returncode is None:
                process.kill()
        for process in started:
            try:
                await asyncio.wait_for(process.wait(), 5)
            except TimeoutError:
                process.kill()
                await process.wait()


_FILES = ("ca", "cert", "key")


async def _start(words: list[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *words,
        env={**os.environ, "STRIPE_API_KEY": KEY},
        cwd=ROOT,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
