"""Workers, drivers and schedulers that die in mid-run: one execution and one outcome of each."""

import asyncio
import os
import signal
import sys
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

pytest.importorskip("distributed", reason="needs pip install 'fcasync[cluster]'")

from fcasync.bulk import read_journal
from fcasync.cluster import ClusterError, ClusterRun
from tests._paths import ROOT
from tests.cluster._dask import cluster
from tests.cluster._job import handed_out, make, tenants
from tests.cluster._stripe import Server, serving

TENANTS, EACH = 8, 30
TOTAL = TENANTS * EACH
FAULTS = 0.05


@pytest.fixture
def stripe(tmp_path: Path) -> Iterator[Server]:
    with serving(tmp_path, tenants=TENANTS, each=EACH) as server:
        yield server


async def pids(run: ClusterRun) -> list[int]:
    return list((await run._hub._client.run(os.getpid)).values())


async def finish(
    run: ClusterRun, at: int = 0, then: Callable[[], Awaitable[None]] | None = None
) -> Counter[str]:
    """Return how often each account was handed out; after *at* of them, *then* happens."""
    handed, calls = Counter[str](), set[asyncio.Future[None]]()
    async with run:
        async for outcome in run:
            handed[outcome.account_id] += 1
            if then is not None and handed.total() == at:
                calls.add(asyncio.ensure_future(then()))
    await asyncio.gather(*calls)
    return handed


async def test_a_killed_worker_costs_nothing_but_repeated_requests(
    stripe: Server, tmp_path: Path
) -> None:
    """Its tenants go to the other, with the keys that are on disk, whatever the server does."""
    stripe.control("mood", faults=FAULTS)
    run = make(stripe.url, tmp_path / "j", tenants(TENANTS, EACH), max_rate=25.0)

    async def kill() -> None:
        os.kill((await pids(run))[0], signal.SIGKILL)

    handed = await finish(run, TOTAL // 4, kill)
    assert run.workers_lost == 1
    assert stripe.executions() == {1: TOTAL}
    assert Counter(handed.values()) == {1: TOTAL}
    assert stripe.control("facts")["strangers"] == 0
    assert run.report.finished_at is not None
    assert len(run.report.tenants) == TENANTS
    assert sum(1 for _ in read_journal(tmp_path / "j")) == TOTAL


async def test_a_worker_that_was_stopped_past_its_lease_sends_nothing_more(
    stripe: Server, tmp_path: Path
) -> None:
    """When it goes on, what it was about to do is another's business."""
    run = make(stripe.url, tmp_path / "j", tenants(TENANTS, EACH), max_rate=12.0, lease=2.0)

    async def stop() -> None:
        victim = (await pids(run))[0]
        os.kill(victim, signal.SIGSTOP)
        try:
            await asyncio.sleep(3.0)
        finally:
            os.kill(victim, signal.SIGCONT)

    handed = await finish(run, TOTAL // 5, stop)
    assert run.workers_lost >= 1
    assert stripe.executions() == {1: TOTAL}
    assert Counter(handed.values()) == {1: TOTAL}


async def test_a_killed_driver_is_resumed(stripe: Server, tmp_path: Path) -> None:
    """The same call goes on: what was handed out and not acknowledged comes again, marked."""
    stripe.control("mood", faults=FAULTS)
    words = ["-m", "tests.cluster._job", stripe.url, str(tmp_path), str(TENANTS), str(EACH)]
    process = await asyncio.create_subprocess_exec(sys.executable, *words, cwd=ROOT)
    while handed_out(tmp_path)[0].total() < TOTAL // 4:
        assert process.returncode is None
        await asyncio.sleep(0.05)
    process.kill()
    await process.wait()
    process = await asyncio.create_subprocess_exec(
        sys.executable, *words, cwd=ROOT, stdout=asyncio.subprocess.PIPE
    )
    await process.communicate()
    assert process.returncode == 0
    assert stripe.executions() == {1: TOTAL}
    first, again = handed_out(tmp_path)
    assert len(first | again) == TOTAL
    assert max(first.values()) == 1


async def test_a_killed_scheduler_ends_the_run_which_is_resumed(
    stripe: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The journal is at the driver: what is lost with the scheduler is asked for again."""
    handed = Counter[str]()
    source = tenants(TENANTS, EACH)
    async with cluster() as dask:
        run = make(stripe.url, tmp_path / "j", source, scheduler=dask.address, max_rate=25.0)
        lost = pytest.raises(ClusterError, match="the same call resumes")
        with monkeypatch.context() as patch, lost:
            async with run:
                async for outcome in run:
                    handed[outcome.account_id] += 1
                    if handed.total() == TOTAL // 4:
                        # Seconds until it counts as lost; a busy machine may connect slower.
                        patch.setattr("fcasync.cluster._dask.CONNECT", 3.0)
                        dask.scheduler.kill()
    assert stripe.executions().total() < TOTAL
    monkeypatch.undo()
    run = make(stripe.url, tmp_path / "j", source, max_rate=100.0)  # on another cluster
    async with run:
        async for outcome in run:
            handed[outcome.account_id] += not outcome.again
    assert stripe.executions() == {1: TOTAL}
    assert Counter(handed.values()) == {1: TOTAL}
