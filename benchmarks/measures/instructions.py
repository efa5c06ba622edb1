"""Instructions and page faults per call: counts, which neither a busy machine nor luck can move.

Instructions are those of user space, counted by ``valgrind --tool=callgrind`` as the difference of
two runs; page faults are the kernel's. Without valgrind only the faults are counted.
"""

import re
import resource
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks import lab, peers

CONCURRENCY = 32
NAMES = ("fcasync", "raw", "plain", "minimal")
JOBS = (("refresh", "refresh", 5), ("walk", "account of a walk", 25))
BULK = {
    "bulk": "fcasync's bulk refresh, without a journal",
    "bulk_journal": "the same with a journal",
    "raw": f"{peers.LABELS['raw']}, by a pool of workers",
}
BULK_SCALE = 4
"""A bulk job begins and ends as well, and its costs are spread over more refreshes."""
_TOTAL = re.compile(r"Collected : (\d+)")


def run(size: lab.Size) -> lab.Result:
    lines: list[lab.Line] = []
    notes: list[str] = []
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        notes.append("instructions are left out: valgrind is not installed")
    with lab.serving() as url:
        for name in {*NAMES, *BULK}:
            _faults(name, url, 1)  # compiles what was not compiled yet
        if valgrind is not None:
            counter = Counter(valgrind, url, size.counted)
            for job, unit, scale in JOBS:
                costs = {name: counter.count(name, job, scale) for name in NAMES}
                group = f"1000 instructions per {unit}"
                lines += [
                    lab.Line(peers.LABELS[name], cost, group, ratio=costs["fcasync"] / cost)
                    for name, cost in costs.items()
                ]
            costs = {name: counter.count(name, "bulk", BULK_SCALE) for name in BULK}
            lines += [
                lab.Line(
                    BULK[name],
                    cost,
                    "1000 instructions per account in bulk",
                    ratio=cost / costs["raw"],
                )
                for name, cost in costs.items()
            ]
            notes.append("in bulk, ratios are to the pool of workers")
        for name in NAMES:
            faults = _faults(name, url, size.calls[""])
            lines.append(lab.Line(peers.LABELS[name], faults, "page faults per refresh"))
    title = f"Counts: instructions and page faults, {CONCURRENCY} refreshes at a time"
    return lab.Result("instructions", title, "counts", lines, notes)


class Counter:
    """Counts instructions as the difference of two runs, which leaves out start and end.

    Args:
        valgrind: Its path.
        url: Of the server.
        times: How much work the two runs do.
    """

    def __init__(self, valgrind: str, url: str, times: tuple[int, int]) -> None:
        self._valgrind = valgrind
        self._url = url
        self._times = times

    def count(self, name: str, job: str, scale: int) -> float:
        """Return the thousands of instructions that one unit of *job* takes."""
        few, many = (times * scale for times in self._times)
        first, last = (
            _instructions(self._valgrind, name, self._url, job, times) for times in (few, many)
        )
        return (last - first) / (many - few) / 1000


def _arguments(name: str, url: str, job: str, times: int) -> list[str]:
    return [sys.executable, "-m", "benchmarks.measures.instructions", name, url, job, str(times)]


def _instructions(valgrind: str, name: str, url: str, job: str, times: int) -> int:
    command = [valgrind, "--tool=callgrind", "--callgrind-out-file=/dev/null"]
    done = subprocess.run(
        [*command, *_arguments(name, url, job, times)],
        check=True,
        capture_output=True,
        text=True,
        cwd=Path(__file__).parents[2],
        env={"PYTHONHASHSEED": "0", "PATH": "/usr/bin:/bin"},
    )
    found = _TOTAL.search(done.stderr)
    assert found is not None, done.stderr
    return int(found[1])


def _faults(name: str, url: str, times: int) -> float:
    few, many = (
        int(
            subprocess.run(
                _arguments(name, url, "refresh", number),
                check=True,
                capture_output=True,
                text=True,
                cwd=Path(__file__).parents[2],
            ).stdout
        )
        for number in (CONCURRENCY, CONCURRENCY + times)
    )
    return max(many - few, 0) / times


def main(name: str, url: str, job: str, times: str) -> None:
    """Run one job and print the page faults of this process."""
    import asyncio
    from importlib import import_module

    from benchmarks.worker import bulk, walk

    async def work() -> None:
        peer = await import_module(f"benchmarks.peers.{name}").connect(url)
        if job == "walk":
            await walk(peer, times=int(times))
        else:
            await bulk(peer, times=int(times), concurrency=CONCURRENCY)
        await peer.aclose()

    asyncio.run(work())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)


if __name__ == "__main__":
    main(*sys.argv[1:])
