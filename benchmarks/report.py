"""Results as tables on the terminal and as files."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import chart, machine
from benchmarks.lab import Line, Result, Size, figure


def show(result: Result, console: Console) -> None:
    """Print *result* as a table."""
    table = Table(title=f"{result.title}\n{result.unit}", title_justify="left")
    table.add_column("")
    for column in ("CPU" if "CPU" in result.unit else "", "wall", "fcasync / it", "quartiles"):
        table.add_column(column, justify="right")
    group = ""
    for line in result.lines:
        if line.group != group:
            group = line.group
            table.add_section()
            table.add_row(f"[dim]{group}[/dim]")
        table.add_row(*_cells(line))
    console.print(table)
    for note in result.notes:
        console.print(f"  {note}", style="dim", highlight=False)


def _cells(line: Line) -> tuple[str, ...]:
    spread = f"{line.spread[0]:.2f} to {line.spread[1]:.2f}" if line.spread else ""
    return (
        line.label,
        figure(line.value),
        "" if line.wall is None else figure(line.wall),
        "" if line.ratio is None else f"{line.ratio:.3f}",
        spread,
    )


def save(result: Result, size: Size, folder: Path) -> None:
    """Write ``name.json`` and ``name.svg`` into *folder*."""
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "measure": result.name,
        "title": result.title,
        "unit": result.unit,
        "size": size.name,
        "lines": [line._asdict() for line in result.lines],
        "notes": result.notes,
        "machine": machine.describe(),
    }
    (folder / f"{result.name}.json").write_text(json.dumps(content, indent=2) + "\n")
    (folder / f"{result.name}.svg").write_text(chart.draw(result))
