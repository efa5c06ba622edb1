"""One competitor in its own process: it reads jobs from standard input and prints their costs.

Each line of input and output is a JSON object; the input has the name of a job and its arguments.
With ``warm_up`` the job first runs that many times without being measured, because the caches of a
process that waited for its turn are cold.
"""

import asyncio
import gc
import json
import sys
import time
import tracemalloc
from collections.abc import Callable, Coroutine
from functools import cache, partial
from importlib import import_module
from typing import Any

from benchmarks import data
from benchmarks.memory import peak_kib

_page = cache(data.page)


async def refresh(peer: Any, *, times: int, concurrency: int) -> None:
    """Refresh *times* accounts, *concurrency* at a time."""
    numbers = iter(range(times))

    async def work() -> None:
        for number in numbers:
            assert await peer.refresh(data.account_id(number)) == "active"

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


async def bulk(peer: Any, *, times: int, concurrency: int) -> None:
    """Refresh *times* accounts as one job; a peer that knows no jobs gets a pool of workers."""
    if not hasattr(peer, "refresh_all"):
        await refresh(peer, times=times, concurrency=concurrency)
        return
    accounts = (data.account_id(number) for number in range(times))
    assert await peer.refresh_all(accounts, concurrency) == times


async def walk(peer: Any, *, times: int) -> None:
    """List *times* accounts."""
    assert await peer.walk(f"cus_{times}") == times


async def decode(decoder: Any, *, times: int) -> None:
    """Decode *times* accounts, one page at a time."""
    body = _page()
    for _ in range(times // data.PAGE):
        decoder.decode(body)


async def keep(decoder: Any, *, times: int) -> float:
    """Decode *times* accounts, keep them, and return the bytes that each takes."""
    bodies = [data.page(first) for first in range(0, times, data.PAGE)]
    decoder.decode(bodies[0])
    gc.collect()
    tracemalloc.start()
    kept = [decoder.decode(body) for body in bodies]
    gc.collect()
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert len(kept) == len(bodies)
    return held / times


JOBS: dict[str, Callable[..., Coroutine[Any, Any, float | None]]] = {
    "refresh": refresh,
    "bulk": bulk,
    "walk": walk,
    "decode": decode,
    "keep": keep,
}


def _job(name: str, competitor: Any) -> Callable[..., Coroutine[Any, Any, float | None]]:
    """Return a job; one that a single competitor knows is a method of it."""
    return partial(JOBS[name], competitor) if name in JOBS else getattr(competitor, name)


def _cost(runner: asyncio.Runner, job: Coroutine[Any, Any, float | None]) -> dict[str, Any]:
    """Run *job* and return its processor time, wall time and memory."""
    wall, cpu = time.perf_counter(), time.process_time()
    held = runner.run(job)
    cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
    return {"cpu": cpu, "wall": wall, "held": held, "peak_kib": peak_kib()}


def _serve(module: Any, url: str, loop_factory: Any) -> None:
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        competitor = runner.run(module.connect(url))
        print(json.dumps({"ready": True}), flush=True)
        for line in sys.stdin:
            order = json.loads(line)
            job, warm_up = _job(order.pop("job"), competitor), order.pop("warm_up", 0)
            if warm_up:
                runner.run(job(**{**order, "times": warm_up}))
            print(json.dumps(_cost(runner, job(**order))), flush=True)
        runner.run(competitor.aclose())


def main(module: str, url: str, loop: str) -> None:
    try:
        factory = import_module(loop).new_event_loop
        competitor = import_module(module)
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": error.name}), flush=True)
    else:
        _serve(competitor, url, factory)


if __name__ == "__main__":
    main(*sys.argv[1:])
