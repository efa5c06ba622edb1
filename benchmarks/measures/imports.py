"""What importing costs, with the bytecode of all modules at hand."""

import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from benchmarks import lab

STATEMENTS = {
    "fcasync": "from fcasync import Client",
    "aiohttp": "import aiohttp",
    "stripe": "import stripe",
}
PROGRAM = """
import json, time
from benchmarks.memory import peak_kib
cpu, wall = time.process_time(), time.perf_counter()
{statement}
cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
print(json.dumps([cpu, wall, peak_kib()]))
"""


def _sample(statement: str, cache: str) -> lab.Sample | None:
    env = {**os.environ, "PYTHONPYCACHEPREFIX": cache}
    env.pop("PYTHONDONTWRITEBYTECODE", None)
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM.format(statement=statement)],
        capture_output=True,
        text=True,
        check=False,
        cwd=Path(__file__).parents[2],
        env=env,
    )
    if done.returncode:
        return None
    cpu, wall, peak = json.loads(done.stdout)
    return {"cpu": cpu, "wall": wall, "peak_kib": peak}


def run(size: lab.Size) -> lab.Result:
    samples: dict[str, list[lab.Sample]] = {}
    with tempfile.TemporaryDirectory() as cache:
        known = [name for name, text in STATEMENTS.items() if _sample(text, cache)]
        for _ in range(size.imports):
            for name in known:
                if sample := _sample(STATEMENTS[name], cache):
                    samples.setdefault(name, []).append(sample)
    notes = [f"{name} is not installed" for name in STATEMENTS.keys() - known]
    pairs = zip(samples["fcasync"], samples["aiohttp"], strict=True)
    more = statistics.median(ours["cpu"] - theirs["cpu"] for ours, theirs in pairs)
    notes.append(f"fcasync takes {more * 1e3:.0f} ms more than the aiohttp it is built on")
    notes += [
        f"{STATEMENTS[name]}: {statistics.median(s['peak_kib'] for s in each) / 1024:.1f} MiB"
        for name, each in samples.items()
    ]
    lines = lab.lines(samples, STATEMENTS, scale=1e3)
    return lab.Result("imports", "Import", "ms of CPU", lines, notes)
