"""Results as a table on the terminal and as files."""

import json
from collections.abc import Callable
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.goodput import chart
from benchmarks.goodput.measure import BIN, Found, Score
from benchmarks.goodput.peers import FIRST_WAIT, LONGEST_WAIT
from benchmarks.goodput.schedule import BURST, LATENCY, Phase

TITLE = "Bulk refresh at a rate limit that is not known"
UNIT = "accounts refreshed a second, divided by the limit"


def show(found: Found, console: Console) -> None:
    """Print *found* as a table, with a column for each competitor."""
    scores = list(found.scores.values())
    table = Table(title=f"{TITLE}\n{UNIT}", title_justify="left", box=box.SIMPLE)
    table.add_column("", no_wrap=True)
    for score in scores:
        table.add_column(score.label, justify="right")
    for label, cell in _rows(found).items():
        table.add_row(label, *map(cell, scores))
    console.print(table)
    for note in found.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def _rows(found: Found) -> dict[str, Callable[[Score], str]]:
    """Return the label of each row, with the function that formats its cells."""
    return {
        "goodput": lambda score: f"{score.goodput:.2f}",
        **{
            f"  {phase.label}, {phase.seconds:g} s": _phase(phase)
            for phase in found.schedule.phases
        },
        "requests / account": lambda score: f"{score.per_account:.2f}",
        "429s": lambda score: f"{score.refused:.1%}",
        "others refused": lambda score: f"{score.others_refused:.1%}",
        f"first {found.schedule.goal:,} accounts": _until_goal,
        "given up": lambda score: f"{score.given_up:,}",
    }


def _phase(phase: Phase) -> Callable[[Score], str]:
    return lambda score: f"{score.by_phase[phase.label]:.2f}"


def _until_goal(score: Score) -> str:
    return "never" if score.until_goal is None else f"{score.until_goal:.1f} s"


def save(found: Found, folder: Path) -> None:
    """Write ``goodput.json`` and ``goodput.svg`` into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "measure": "goodput",
        "title": TITLE,
        "unit": UNIT,
        "size": found.schedule.name,
        "phases": [phase._asdict() for phase in found.schedule.phases],
        "burst": BURST,
        "latency": LATENCY,
        "backoff": f"{FIRST_WAIT} s x 2**n, at most {LONGEST_WAIT} s, of which 50 to 100 %",
        "goal": found.schedule.goal,
        "bin": BIN,
        "scores": {name: score._asdict() for name, score in found.scores.items()},
        "notes": found.notes,
        "machine": machine.describe(),
    }
    (folder / "goodput.json").write_text(json.dumps(content, indent=2) + "\n")
    (folder / "goodput.svg").write_text(chart.draw(found))
