"""A bar for ``progress=True``: rich draws it, in a terminal and in a notebook."""

import asyncio
from collections.abc import Callable
from typing import Any

from fcasync.bulk._report import Progress, duration

REDRAW = 0.2
"""Seconds between two looks at the figures."""


def make(console: Any = None) -> Any:
    """Return a bar that is not shown yet.

    Args:
        console: The rich console to draw on; None is standard output, or the notebook.

    Raises:
        ImportError: rich is not installed.
    """
    try:
        from rich.progress import (  # noqa: PLC0415 - an extra
            BarColumn,
            TextColumn,
            TimeElapsedColumn,
        )
        from rich.progress import Progress as Bar  # noqa: PLC0415
    except ImportError as error:
        raise ImportError(
            "progress=True draws with rich, which is not installed: pip install 'fcasync[cli]'"
        ) from error
    return Bar(
        TextColumn("{task.description}"),
        BarColumn(),
        TextColumn("{task.fields[count]}"),
        TextColumn("{task.fields[facts]}", style="dim"),
        TimeElapsedColumn(),
        console=console,
    )


async def draw(bar: Any, name: str, progress: Callable[[], Progress]) -> None:
    """Keep *bar* up to date until cancelled."""
    with bar:
        task = bar.add_task(name, total=None, count="", facts="")
        try:
            while True:
                _update(bar, task, progress())
                await asyncio.sleep(REDRAW)
        finally:
            _update(bar, task, progress())


def _update(bar: Any, task: int, now: Progress) -> None:
    total = "?" if now.total is None else now.total
    bar.update(
        task,
        completed=now.done,
        total=now.total,
        count=f"{now.done} of {total}",
        facts=facts(now),
    )


def facts(now: Progress) -> str:
    """Return what stands behind the bar."""
    found = [f"sent {now.requests}", f"{now.rate:.0f} requests/s"]
    if now.limit is not None:
        found.append(f"limit {now.limit:.0f}/s")
    if now.settling:
        found.append(f"waiting for banks {now.settling}")
    if now.skipped:
        found.append(f"{now.skipped} skipped")
    if now.failed:
        found.append(f"{now.failed} failed")
    if now.eta:
        found.append(f"{duration(now.eta)} left")
    return ", ".join(found)
