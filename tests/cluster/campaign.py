"""Break a cluster in every way, on a job that is worth it, and compare what was done.

    python -m tests.cluster.campaign --tenants 40 --each 500 [--tls] [--goodput]

The server limits each tenant to 25 requests a second. In mid-run two workers are killed, one is
stopped past its lease and continued, the driver is killed twice and the scheduler once. Then every
account must have been refreshed exactly once, and handed out at least once: a second time only if
it is marked so. With --goodput nothing is broken; the same is done by one process, too.
"""

import argparse
import asyncio
import json
import os
import resource
import signal
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from fcasync._rules.limits import Limits
from fcasync.bulk import Tenants
from fcasync.client import Client
from tests._paths import ROOT
from tests.cluster._dask import Cluster, cluster
from tests.cluster._job import handed_out, make
from tests.cluster._stripe import KEY, Server, accounts, serving, tenant

LIMIT = 25.0
STOPPED = 6.0
"""Seconds for which a worker is stopped: longer than the lease of 4 s."""


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def write_certificates(folder: Path) -> None:
    import trustme

    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(folder / "ca.pem"))
    both = authority.issue_cert("127.0.0.1", "localhost")
    both.private_key_pem.write_to_path(str(folder / "key.pem"))
    (folder / "cert.pem").write_bytes(b"".join(b.bytes() for b in both.cert_chain_pems))


class Campaign:
    """One job, and what happens to it."""

    def __init__(self, folder: Path, server: Server, count: int, each: int, *, tls: bool) -> None:
        self.folder, self.server, self.tls = folder, server, tls
        self.count, self.each = count, each
        self.drivers = 0
        self.log: list[str] = []

    @property
    def executed(self) -> int:
        return self.server.log.stat().st_size // len("fca_00000\n")

    @asynccontextmanager
    async def driver(self, dask: Cluster) -> AsyncIterator[asyncio.subprocess.Process]:
        self.drivers += 1
        words = [self.server.url, str(self.folder), str(self.count), str(self.each), dask.address]
        with (self.folder / f"driver{self.drivers}.log").open("w") as log:
            process = await asyncio.create_subprocess_exec(
                *[sys.executable, "-m", "tests.cluster._job", *words],
                env={**os.environ, "MAX_RATE": ""},
                cwd=ROOT,
                stdout=log,
                stderr=log,
            )
        try:
            yield process
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def reach(self, part: float, process: asyncio.subprocess.Process) -> None:
        wanted = int(part * self.count * self.each)
        while self.executed < wanted:
            if process.returncode is not None:
                raise SystemExit(f"the driver ended with {process.returncode}: {self.folder}")
            await asyncio.sleep(0.05)
        say(f"{self.executed} executed")

    async def run(self) -> None:
        certificates = self.folder if self.tls else None
        async with cluster(nannies=True, certificates=certificates) as dask:
            async with self.driver(dask) as process:
                await self.reach(0.1, process)
                self.kill(dask.workers()[0], "a worker is killed")
                await self.reach(0.25, process)
                self.kill(dask.workers()[-1], "the other is killed")
                await self.reach(0.4, process)
                victim = dask.workers()[0]
                self.kill(victim, "one is stopped", signal.SIGSTOP)
                await asyncio.sleep(STOPPED)
                self.kill(victim, "it goes on", signal.SIGCONT)
                await self.reach(0.55, process)
                self.kill(process.pid, "the driver is killed")
            async with self.driver(dask) as process:
                await self.reach(0.7, process)
                self.kill(process.pid, "the driver is killed again")
            async with self.driver(dask) as process:
                await self.reach(0.85, process)
                self.kill(dask.scheduler.pid, "the scheduler is killed")
                began = time.monotonic()
                code = await process.wait()
                say(f"the driver ends with {code} after {time.monotonic() - began:.1f} s")
        async with (
            cluster(nannies=True, certificates=certificates) as dask,
            self.driver(dask) as process,
        ):
            say(f"the driver ends with {await process.wait()}")

    def kill(self, pid: int, what: str, number: int = signal.SIGKILL) -> None:
        os.kill(pid, number)
        say(what)

    def judge(self) -> bool:
        first, again = handed_out(self.folder)
        facts = self.server.control("facts")
        total = self.count * self.each
        result = {
            "executions": {str(k): v for k, v in self.server.executions().items()},
            "handed out": len(first | again),
            "for the first time twice": sum(n > 1 for n in first.values()),
            "again, marked": again.total(),
            "requests": facts["requests"],
            "429s": facts["limited"],
            "of another tenant": facts["strangers"],
        }
        say(json.dumps(result, indent=1))
        is_exact = self.server.executions() == {1: total} and len(first | again) == total
        return is_exact and not result["for the first time twice"]


async def goodput(count: int, each: int) -> None:
    """Print what one process and two workers do, at the same limit."""
    source = {tenant(n): accounts(n, each) for n in range(count)}
    for name in ("one process", "two workers"):
        with tempfile.TemporaryDirectory() as text:
            folder = Path(text)
            with serving(folder, tenants=count, each=each, rate=LIMIT) as server:
                began = [resource.getrusage(who) for who in _WHO]
                run: Any
                if name == "one process":
                    client = Client(KEY, base_url=server.url, max_connections=1000, limits=Limits())
                    run = client.bulk.refresh(
                        Tenants(source), features=["balance"], journal=folder / "j"
                    )
                else:
                    run = make(server.url, folder / "j", Tenants(source), lease=20.0)
                async with run:
                    started = time.monotonic()
                    await run.finish()
                    seconds = time.monotonic() - started
                if name == "one process":
                    await client.aclose()
                cpu = [
                    _cpu(resource.getrusage(who)) - _cpu(was)
                    for who, was in zip(_WHO, began, strict=True)
                ]
                total = count * each
                say(
                    f"{name}: {total / seconds:.0f} accounts/s in {seconds:.1f} s, "
                    f"{run.report.rate_limited / run.report.requests:.1%} 429s, CPU here "
                    f"{1e6 * cpu[0] / total:.0f} us an account, of workers "
                    f"{1e6 * cpu[1] / total:.0f} us; executions {dict(server.executions())}",
                )


_WHO = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)


def _cpu(usage: resource.struct_rusage) -> float:
    return usage.ru_utime + usage.ru_stime


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tenants", type=int, default=40)
    parser.add_argument("--each", type=int, default=500)
    parser.add_argument("--tls", action="store_true")
    parser.add_argument("--goodput", action="store_true")
    given = parser.parse_args()
    if given.goodput:
        await goodput(given.tenants, given.each)
        return
    folder = Path(tempfile.mkdtemp(prefix="cluster"))
    if given.tls:
        write_certificates(folder)
    with serving(folder, tenants=given.tenants, each=given.each, rate=LIMIT) as server:
        campaign = Campaign(folder, server, given.tenants, given.each, tls=given.tls)
        await campaign.run()
        if not campaign.judge():
            raise SystemExit(f"not exactly once: {folder}")


if __name__ == "__main__":
    asyncio.run(main())
