"""Runs the competitors one after another and scores each of them by the server's ledger."""

import json
import subprocess
import sys
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.goodput.peers import LABELS
from benchmarks.goodput.schedule import Schedule

BIN = 0.5
"""The seconds that one point of the chart covers."""

Row = tuple[float, str | None, int]
"""A request: seconds since the first request, the account (or None), the status."""


Look = tuple[float, bool]
"""Seconds since the first request, and whether another request would have been refused then."""


class Ledger(NamedTuple):
    """What the server recorded."""

    rows: list[Row]
    looks: list[Look]


class Score(NamedTuple):
    """The score of a competitor."""

    label: str
    accounts: int
    """Accounts refreshed before the schedule ended."""
    goodput: float
    """Accounts per second relative to the limit; the burst lets the ideal exceed 1."""
    by_phase: dict[str, float]
    """The goodput in each phase."""
    requests: int
    per_account: float
    """Requests per refreshed account."""
    refused: float
    """The share of requests that were answered with 429."""
    others_refused: float
    """The share of time in which another request with the same key would have got a 429."""
    until_goal: float | None
    """Seconds until the schedule's goal of accounts was reached; None if it was not."""
    given_up: int
    """Accounts on which the competitor gave up."""
    done: list[int]
    """Accounts refreshed in each bin of time."""
    limited: list[int]
    """The 429s in each bin of time."""


class Result(NamedTuple):
    """The result of the measure."""

    schedule: Schedule
    scores: dict[str, Score]
    notes: list[str]


def run(schedule: Schedule) -> Result:
    """Run all competitors on *schedule*, one after another."""
    scores, notes = {}, []
    for name, label in LABELS.items():
        ledger, counts = _compete(name, schedule)
        if "missing" in counts:
            notes.append(f"{label} is left out: {counts['missing']} is not installed")
        else:
            scores[name] = score(label, ledger, counts["given_up"], schedule)
    return Result(schedule, scores, notes)


def score(label: str, ledger: Ledger, given_up: int, schedule: Schedule) -> Score:
    """Score a competitor by the requests that reached the server before the schedule ended."""
    within = [row for row in ledger.rows if row[0] < schedule.seconds]
    looks = [is_empty for at, is_empty in ledger.looks if at < schedule.seconds]
    done = sorted(_first_success(within).values())
    limited = [at for at, _, status in within if status == 429]
    return Score(
        label=label,
        accounts=len(done),
        goodput=len(done) / schedule.capacity,
        by_phase=_by_phase(done, schedule),
        requests=len(within),
        per_account=len(within) / max(len(done), 1),
        refused=len(limited) / max(len(within), 1),
        others_refused=sum(looks) / max(len(looks), 1),
        until_goal=done[schedule.goal - 1] if len(done) >= schedule.goal else None,
        given_up=given_up,
        done=_bins(done, schedule),
        limited=_bins(limited, schedule),
    )


def _first_success(rows: Sequence[Row]) -> Mapping[str, float]:
    first: dict[str, float] = {}
    for at, account, status in rows:
        if account is not None and status == 200:
            first.setdefault(account, at)
    return first


def _by_phase(done: list[float], schedule: Schedule) -> dict[str, float]:
    return {
        phase.label: (bisect_left(done, begin + phase.seconds) - bisect_left(done, begin))
        / (phase.seconds * phase.rate)
        for begin, phase in schedule.spans()
    }


def _bins(times: Sequence[float], schedule: Schedule) -> list[int]:
    counts = [0] * max(1, round(schedule.seconds / BIN))
    for at in times:
        counts[min(int(at / BIN), len(counts) - 1)] += 1
    return counts


def _compete(name: str, schedule: Schedule) -> tuple[Ledger, dict[str, Any]]:
    ledger = Ledger([], [])
    with _serving(schedule, ledger) as where:
        done = subprocess.run(
            [sys.executable, "-m", "benchmarks.goodput.peers", name, schedule.name],
            input=where,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            cwd=Path(__file__).parents[2],
        )
    return ledger, json.loads(done.stdout)


@contextmanager
def _serving(schedule: Schedule, ledger: Ledger) -> Iterator[str]:
    """Run the server, yield the line that it prints, and fill *ledger* at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "benchmarks.goodput.server", schedule.name],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=Path(__file__).parents[2],
    ) as process:
        assert process.stdout is not None
        yield process.stdout.readline()
        written = json.loads(process.communicate(timeout=30)[0])
        ledger.rows.extend((at, account, status) for at, account, status in written["rows"])
        ledger.looks.extend((at, is_empty) for at, is_empty in written["looks"])
