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
_TOTAL = re.compile(r"Collected : (\d+)")


def run(size: lab.Size) -> lab.Result:
    lines: list[lab.Line] = []
    notes: list[str] = []
    valgrind = shutil.which("valgrind")
    if valgrind is None:
        notes.append("instructions are left out: valgrind is not installed")
    few, many = size.counted
    with lab.serving() as url:
        for name in NAMES:
            _faults(name, url, 1)  # compiles what was not compiled yet
        for job, unit, scale in (("refresh", "refresh", 5), ("walk", "account of a walk", 25)):
            costs = {}
            for name in NAMES:
                if valgrind is not None:
                    first, last = (
                        _instructions(valgrind, name, url, job, times * scale)
                        for times in (few, many)
                    )
                    costs[name] = (last - first) / ((many - few) * scale)
            for name, cost in costs.items():
                lines.append(
                    lab.Line(
                        label=peers.LABELS[name],
                        value=cost / 1000,
                        group=f"1000 instructions per {unit}",
                        ratio=costs["fcasync"] / cost,
                    )
                )
        for name in NAMES:
            faults = _faults(name, url, size.calls[""])
            lines.append(lab.Line(peers.LABELS[name], faults, "page faults per refresh"))
    title = f"Counts: instructions and page faults, {CONCURRENCY} refreshes at a time"
    return lab.Result("instructions", title, "counts", lines, notes)


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

    from benchmarks.worker import refresh, walk

    async def work() -> None:
        peer = await import_module(f"benchmarks.peers.{name}").connect(url)
        if job == "refresh":
            await refresh(peer, times=int(times), concurrency=CONCURRENCY)
        else:
            await walk(peer, times=int(times))
        await peer.aclose()

    asyncio.run(work())
    print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt)


if __name__ == "__main__":
    main(*sys.argv[1:])
