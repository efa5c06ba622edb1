"""The cost of the layers around a successful request."""

import json
import statistics
import subprocess
import sys
from pathlib import Path

from benchmarks import lab


def run(size: lab.Size) -> lab.Result:
    times = max(size.loops // size.rounds, 10)
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks.layers", str(times), str(size.rounds)],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    costs: dict[str, list[float]] = json.loads(done.stdout)

    def more(name: str) -> float:
        pairs = zip(costs[name], costs["bare"], strict=True)
        return statistics.median(cost - bare for cost, bare in pairs) * 1e6

    lines = [
        lab.Line("make the request: path, form, key, headers", _median(costs["request"])),
        lab.Line("limiter, deadline, retry layer, unused events", more("engine")),
        lab.Line("for comparison: a tenacity loop around it", more("tenacity")),
        lab.Line("read the answer: JSON to a typed account", _median(costs["bare"])),
    ]
    title = "The layers of one call that succeeds at the first attempt"
    return lab.Result("layers", title, "µs of CPU per call", lines, [])


def _median(costs: list[float]) -> float:
    return statistics.median(costs) * 1e6
