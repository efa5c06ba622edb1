"""Results as a table on the terminal and as files."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import machine
from benchmarks.goodput import chart
from benchmarks.goodput.measure import BIN, Found, Score
from benchmarks.goodput.peers import FIRST_WAIT, LONGEST_WAIT
from benchmarks.goodput.schedule import BURST, LATENCY

TITLE = "Bulk refresh at a rate limit that is not known"
UNIT = "accounts refreshed a second, divided by the limit"


def show(found: Found, console: Console) -> None:
    """Print *found* as a table."""
    table = Table(title=f"{TITLE}\n{UNIT}", title_justify="left")
    table.add_column("", no_wrap=True)
    phases = [phase.label for phase in found.schedule.phases]
    for column in ("all", *phases, "requests\n/ account", "429s", *_goal(found), "given up"):
        table.add_column(column, justify="right")
    for score in found.scores.values():
        table.add_row(*_cells(score))
    console.print(table)
    for note in found.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def _goal(found: Found) -> tuple[str]:
    return (f"first {found.schedule.goal:,}\naccounts",)


def _cells(score: Score) -> tuple[str, ...]:
    return (
        score.label,
        f"{score.goodput:.3f}",
        *(f"{value:.3f}" for value in score.by_phase.values()),
        f"{score.per_account:.2f}",
        f"{score.refused:.1%}",
        "not reached" if score.until_goal is None else f"{score.until_goal:.1f} s",
        f"{score.given_up:,}",
    )


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
