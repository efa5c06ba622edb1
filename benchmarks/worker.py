"""One competitor in a process of its own: jobs come in on standard input, costs go out.

Each line is a JSON object with the name of a job and its arguments; each answer is one, too.
"""

import asyncio
import json
import sys
import time
from collections.abc import Coroutine
from typing import Any

from benchmarks import data, peers


def _cost(runner: asyncio.Runner, work: Coroutine[Any, Any, object]) -> dict[str, float]:
    """Run *work* and return the seconds it took: of the processor, and of the clock."""
    wall, cpu = time.perf_counter(), time.process_time()
    runner.run(work)
    return {"cpu": time.process_time() - cpu, "wall": time.perf_counter() - wall}


async def refresh(peer: peers.Peer, *, calls: int, concurrency: int) -> None:
    """Refresh *calls* accounts, *concurrency* at a time."""
    numbers = iter(range(calls))

    async def work() -> None:
        for number in numbers:
            assert await peer.refresh(data.account_id(number)) == "active"

    async with asyncio.TaskGroup() as group:
        for _ in range(concurrency):
            group.create_task(work())


async def walk(peer: peers.Peer, *, accounts: int) -> None:
    """Walk through *accounts* accounts."""
    assert await peer.walk(f"cus_{accounts}") == accounts


JOBS: dict[str, Any] = {"refresh": refresh, "walk": walk}


def main(name: str, url: str, loop: str = "asyncio") -> None:
    factory = None
    try:
        if loop == "uvloop":
            import uvloop

            factory = uvloop.new_event_loop
        with asyncio.Runner(loop_factory=factory) as runner:
            peer = runner.run(peers.connect(name, url))
            print(json.dumps({"ready": name}), flush=True)
            for line in sys.stdin:
                order = json.loads(line)
                job = JOBS[order.pop("job")]
                print(json.dumps(_cost(runner, job(peer, **order))), flush=True)
            runner.run(peer.aclose())
    except ModuleNotFoundError as error:
        print(json.dumps({"missing": error.name}), flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
