"""Results as a table on the terminal and as files."""

import json
from collections.abc import Callable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.goodput import chart
from benchmarks.goodput.measure import BIN, Result, Score
from benchmarks.goodput.peers import FIRST_WAIT, LONGEST_WAIT
from benchmarks.goodput.schedule import BURST, LATENCY, Phase

TITLE = "Bulk refresh at a rate limit that is not known"
UNIT = "accounts refreshed a second, divided by the limit"


def show(result: Result, console: Console) -> None:
    """Print *result* as a table, with a column for each competitor."""
    scores = list(result.scores.values())
    table = Table(title=f"{TITLE}\n{UNIT}", title_justify="left", box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for score in scores:
        table.add_column(score.label, justify="right")
    for label, cell in _rows(result).items():
        table.add_row(label, *map(cell, scores))
    console.print(table)
    for note in result.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def _rows(result: Result) -> dict[str, Callable[[Score], str]]:
    """Return the label of each row, with the function that formats its cells."""
    return {
        "goodput": lambda score: f"{score.goodput:.2f}",
        **{
            f"  {phase.label}, {phase.seconds:g} s": _phase(phase)
            for phase in result.schedule.phases
        },
        "requests / account": lambda score: f"{score.per_account:.2f}",
        "429s": lambda score: f"{score.refused:.1%}",
        "others refused": lambda score: f"{score.others_refused:.1%}",
        f"first {result.schedule.goal:,} accounts": _until_goal,
        "given up": lambda score: f"{score.given_up:,}",
    }


def _phase(phase: Phase) -> Callable[[Score], str]:
    return lambda score: f"{score.by_phase[phase.label]:.2f}"


def _until_goal(score: Score) -> str:
    return "never" if score.until_goal is None else f"{score.until_goal:.1f} s"


def save(result: Result, folder: Path) -> None:
    """Write ``goodput.json`` and ``goodput.svg`` into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "measure": "goodput",
        "title": TITLE,
        "unit": UNIT,
        "size": result.schedule.name,
        "phases": [phase._asdict() for phase in result.schedule.phases],
        "burst": BURST,
        "latency": LATENCY,
        "backoff": f"{FIRST_WAIT} s x 2**n, at most {LONGEST_WAIT} s, of which 50 to 100 %",
        "goal": result.schedule.goal,
        "bin": BIN,
        "scores": {name: score._asdict() for name, score in result.scores.items()},
        "notes": result.notes,
        "machine": machine.describe(),
    }
    (folder / "goodput.json").write_text(json.dumps(content, indent=2) + "\n")
    (folder / "goodput.svg").write_text(chart.draw(result))
