"""Runs competitors, each in its own process, in turns over several rounds."""

import json
import os
import random
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any, NamedTuple, Self

from benchmarks import data

Sample = dict[str, float]
"""The cost of one job: ``cpu`` and ``wall`` in seconds, ``peak_kib``, ``held`` in bytes."""


WARM_UP = {"refresh": 40, "bulk": 40, "walk": data.PAGE, "decode": data.PAGE}


class Size(NamedTuple):
    """The size of each measure."""

    name: str
    rounds: int
    calls: Mapping[str, int]
    """Refreshes per round and peer; expensive peers get fewer."""
    concurrencies: tuple[int, ...]
    walk: int
    walks: int
    mirrored: tuple[int, ...]
    """Transactions of each run; an account has 100 of them."""
    decodes: int
    kept: int
    imports: int
    loops: int
    totals: tuple[int, ...]
    counted: tuple[int, int]
    """Refreshes, or pages, of the two runs whose difference is counted."""
    bulk: int
    recorded: int
    resumed: int


FULL = Size(
    name="full",
    rounds=17,
    calls={"stripe_aiohttp": 120, "stripe_httpx": 40, "": 400},
    concurrencies=(1, 32, 256),
    walk=10_000,
    walks=3,
    mirrored=(100_000, 1_000_000),
    decodes=2_000,
    kept=10_000,
    imports=11,
    loops=20_000,
    totals=(1_000, 10_000, 100_000, 1_000_000),
    counted=(100, 400),
    bulk=2_000,
    recorded=100_000,
    resumed=1_000_000,
)
QUICK = Size(
    name="quick",
    rounds=3,
    calls={"stripe_httpx": 16, "": 32},
    concurrencies=(1, 32),
    walk=300,
    walks=1,
    mirrored=(1_000,),
    decodes=200,
    kept=200,
    imports=1,
    loops=200,
    totals=(100, 1_000),
    counted=(32, 40),
    bulk=100,
    recorded=1_000,
    resumed=1_000,
)


class Competitor:
    """A process that runs jobs on request."""

    def __init__(
        self, module: str, url: str = "", loop: str = "asyncio", **environment: str
    ) -> None:
        arguments = (f"benchmarks.{module}", url, loop)
        self._process = _start("benchmarks.worker", *arguments, **environment)

    @cached_property
    def missing(self) -> str | None:
        """The library that is not installed, or None; waits until the process is ready."""
        return self._answer().get("missing")

    def run(self, job: str, **arguments: int) -> Sample:
        """Run one job and return its cost."""
        assert not self.missing
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"job": job, **arguments}) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a competitor ended with exit code {self._process.wait()}")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        _stop(self._process)


def _start(module: str, *arguments: str, **environment: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[1],
        env={**os.environ, "PYTHONHASHSEED": "0", **environment},
    )


def _stop(process: "subprocess.Popen[str]") -> None:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.close()
    process.wait(30)
    process.stdout.close()


@contextmanager
def serving(certificate: str | None = None) -> Iterator[str]:
    """Run the server of canned answers and yield its URL.

    Args:
        certificate: File of a private key and its certificates, for TLS.
    """
    process = _start("benchmarks.server", *([] if certificate is None else [certificate]))
    assert process.stdout is not None
    try:
        yield process.stdout.readline().strip()
    finally:
        _stop(process)


class Line(NamedTuple):
    """One line of a table: the medians of a competitor's costs."""

    label: str
    value: float
    """The measured value, in the unit of the measure."""
    group: str = ""
    wall: float | None = None
    ratio: float | None = None
    """The median over all rounds of the cost of fcasync divided by the cost of this competitor."""
    spread: tuple[float, float] | None = None
    """The first and the third quartile of the ratios."""


def figure(value: float) -> str:
    """Return *value* as text with as many digits as a noisy measurement has: two, or three."""
    return f"{float(f'{value:.3g}'):,.0f}" if value >= 100 else f"{value:.2g}"


class Result(NamedTuple):
    """The result of a measure."""

    name: str
    title: str
    unit: str
    lines: list[Line]
    notes: list[str]


def compare(
    competitors: Mapping[str, Competitor],
    rounds: int,
    job: str,
    arguments: Mapping[str, Mapping[str, int]],
) -> dict[str, list[Sample]]:
    """Return the samples of each competitor; every competitor runs the job once per round.

    The order is shuffled in each round, so that none always runs after an expensive one.
    """
    samples: dict[str, list[Sample]] = {name: [] for name in competitors}
    rng, order = random.Random(0), list(competitors.items())
    for number in range(rounds):
        rng.shuffle(order)
        for name, competitor in order:
            job_arguments = arguments[name]
            # In the first round it also opens all connections.
            warm_up = (
                WARM_UP[job] if number else max(data.PAGE, job_arguments.get("concurrency", 0))
            )
            sample = competitor.run(job, warm_up=warm_up, **job_arguments)
            sample["cpu"], sample["wall"] = (
                sample[clock] / job_arguments["times"] for clock in ("cpu", "wall")
            )
            samples[name].append(sample)
    return samples


def lines(
    samples: Mapping[str, list[Sample]],
    labels: Mapping[str, str],
    *,
    scale: float = 1e6,
    group: str = "",
    ours: str = "fcasync",
) -> list[Line]:
    """Return a line for each competitor, with its processor time per unit of work."""
    own_costs = [sample["cpu"] for sample in samples[ours]]
    lines = []
    for name, theirs in samples.items():
        ratios = [own / sample["cpu"] for own, sample in zip(own_costs, theirs, strict=True)]
        lines.append(
            Line(
                label=labels[name],
                value=statistics.median(sample["cpu"] for sample in theirs) * scale,
                group=group,
                wall=statistics.median(sample["wall"] for sample in theirs) * scale,
                ratio=statistics.median(ratios),
                spread=quartiles(ratios),
            )
        )
    return lines


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return the first and the third quartile."""
    if len(values) < 2:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third


@contextmanager
def present(modules: Mapping[str, Competitor], notes: list[str]) -> Iterator[dict[str, Competitor]]:
    """Yield the competitors whose libraries are installed; note the others, and end all."""
    try:
        for name, competitor in modules.items():
            if competitor.missing:
                notes.append(f"{name} is left out: {competitor.missing} is not installed")
        yield {name: each for name, each in modules.items() if not each.missing}
    finally:
        for competitor in modules.values():
            competitor.__exit__()
