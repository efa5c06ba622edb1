"""Sources that misbehave, and stops at bad moments."""

import asyncio
import gc
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from fcasync.bulk._work.turns import SLICE
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off


def test_a_source_that_is_cancelled_ends_the_run_with_an_error() -> None:
    """Its own CancelledError is a failure like any other, and not an end without a word."""

    async def source() -> AsyncIterator[str]:
        yield "fca_000000"
        raise asyncio.CancelledError

    with pytest.raises(RuntimeError, match="the source raised CancelledError") as caught:
        work_off(FakeNetwork(ids(20), pace=fast()), source())
    assert isinstance(caught.value.__cause__, asyncio.CancelledError)


def test_a_group_of_errors_arrives_whole() -> None:
    """An ExceptionGroup of the source is the caller's to take apart."""

    async def source() -> AsyncIterator[str]:
        yield "fca_000000"
        raise ExceptionGroup("pages", [LookupError("page 2"), LookupError("page 3")])

    with pytest.raises(ExceptionGroup, match="pages") as caught:
        work_off(FakeNetwork(ids(20), pace=fast()), source())
    assert [str(error) for error in caught.value.exceptions] == ["page 2", "page 3"]


def test_a_cause_of_the_source_is_kept() -> None:
    """`raise ... from` in the source says the same after it has passed through the run."""

    def source() -> Iterator[str]:
        yield "fca_000000"
        raise LookupError("page 2") from OSError("socket")

    with pytest.raises(LookupError, match="page 2") as caught:
        work_off(FakeNetwork(ids(20), pace=fast()), source())
    assert isinstance(caught.value.__cause__, OSError)


def test_a_source_that_fails_while_it_is_closed_is_heard_once() -> None:
    """Leaving early closes the source; what it raises then is raised, and never only logged."""

    async def source() -> AsyncIterator[str]:
        try:
            for name in ids(5000):
                yield name
                await asyncio.sleep(0.01)
        finally:
            raise LookupError("while closing")

    async def leave(error: Exception | None) -> None:
        network = FakeNetwork(ids(5000), pace=fast())
        async with network.run(source()) as run:
            await anext(run)
            if error is not None:
                raise error

    with pytest.raises(LookupError, match="while closing"):
        virtually(leave(None))
    with pytest.raises(ValueError, match="mine"):
        virtually(leave(ValueError("mine")))
    gc.collect()  # an exception that nobody has retrieved would be reported here


def test_endless_duplicates_do_not_block_the_loop() -> None:
    """A synchronous source may name for ever what is in work; others get their turns."""
    read = 0

    def source() -> Iterator[str]:
        nonlocal read
        while True:
            read += 1
            yield "fca_000000"

    async def main() -> int:
        network = FakeNetwork(ids(1), pace=fast(), settle_seconds=50.0)
        worst = before = 0
        async with network.run(source(), wait=True):
            for _ in range(500):
                await asyncio.sleep(0)
                worst, before = max(worst, read - before), read
        return worst

    assert 0 < virtually(main()) <= SLICE


@pytest.mark.parametrize("turns", range(1, 12))
def test_cancelled_twice_while_it_opens_leaves_no_lock(tmp_path: Path, turns: int) -> None:
    """However impatient the caller is, the next run finds the journal free."""
    path = tmp_path / "job.sqlite"

    async def main() -> None:
        network = FakeNetwork(ids(5), latency=0.0)
        task = asyncio.create_task(network.run(journal=path).__aenter__())
        # Until the thread is at work: the network of this test answers without waiting.
        for _ in range(turns):
            await asyncio.sleep(0)
        await asyncio.sleep(0.0005)
        task.cancel()
        await asyncio.sleep(0)
        task.cancel()
        try:
            run = await task
        except asyncio.CancelledError:
            return
        await run.__aexit__(None, None, None)

    gc.disable()
    try:
        asyncio.run(main())
        _, report = work_off(FakeNetwork(ids(5), pace=fast()), journal=path)
        assert report.total == 5
    finally:
        gc.enable()


def test_an_over_long_path_is_a_journal_error(tmp_path: Path) -> None:
    """Whatever the file system says about a path is one sentence."""
    from fcasync.errors import JournalError

    path = tmp_path / ("x" * 300)
    for settings in ({}, {"resume": False}):
        with pytest.raises(JournalError, match="name too long"):
            work_off(FakeNetwork(ids(1)), journal=path, **settings)


def test_a_cancelled_task_of_ours_is_not_an_end() -> None:
    """If somebody else cancels the run's task, the loop does not end as if all were done."""

    async def main() -> None:
        network = FakeNetwork(ids(500), pace=fast())
        async with network.run() as run:
            await anext(run)
            (task,) = [t for t in asyncio.all_tasks() if t.get_name() == "fcasync.bulk.run"]
            task.cancel()
            await run.finish()

    with pytest.raises(RuntimeError, match="cancelled from outside"):
        virtually(main())


def test_what_settles_is_counted_beside_what_is_done(tmp_path: Path) -> None:
    """Waiting accounts are not part of the requests in flight."""
    network = FakeNetwork(ids(30), pace=fast(), settle_seconds=100.0)

    async def main() -> Any:
        async with network.run(wait=True) as run:
            await asyncio.sleep(10.0)
            return run.progress

    progress = virtually(main())
    assert (progress.settling, progress.in_flight, progress.requests) == (30, 0, 30)
    assert "sent 30, waiting for banks 30" in str(progress)
