"""A bar for ``progress=True``: rich draws it in a terminal, the browser in a notebook."""

import asyncio
import sys
from collections.abc import Callable
from typing import Any, Protocol, Self

from fcasync._facts.html import escape
from fcasync.bulk._report import Progress
from fcasync.bulk._work.facts import count, facts, fitted

REDRAW = 0.2
"""Seconds between two looks at the figures."""


class Bar(Protocol):
    """Something that shows progress while its context is open."""

    def __enter__(self) -> Self: ...

    def __exit__(self, *exc_info: object) -> None: ...

    def show(self, name: str, now: Progress) -> None:
        """Show how far the job called *name* is."""


def make(console: Any = None) -> Bar:
    """Return a bar that is not shown yet.

    Args:
        console: The rich console to draw on; None is the notebook, or else standard output.

    Raises:
        ImportError: It would be drawn in a terminal, and rich is not installed.
    """
    if console is None and (display := _notebook_display()):
        return NotebookBar(display)
    return TerminalBar(console)


def start(bar: Bar, name: str, progress: Callable[[], Progress]) -> "asyncio.Task[None]":
    """Return a task that keeps *bar* up to date until it is cancelled."""
    return asyncio.create_task(draw(bar, name, progress), name="fcasync.bulk.bar")


async def draw(bar: Bar, name: str, progress: Callable[[], Progress]) -> None:
    """Keep *bar* up to date until cancelled."""
    with bar:
        try:
            while True:
                bar.show(name, progress())
                await asyncio.sleep(REDRAW)
        finally:
            bar.show(name, progress())


class TerminalBar:
    """A bar that rich draws."""

    def __init__(self, console: Any) -> None:
        try:
            from rich.progress import (  # noqa: PLC0415 - an extra
                BarColumn,
                TextColumn,
                TimeElapsedColumn,
            )
            from rich.progress import Progress as RichProgress  # noqa: PLC0415
        except ImportError as error:
            raise ImportError(
                "progress=True draws with rich, which is not installed: pip install 'fcasync[cli]'"
            ) from error
        self._bar = BarColumn(style="dim", complete_style="default", finished_style="default")
        self._rich = RichProgress(
            TextColumn("{task.description}"),
            self._bar,
            TextColumn("{task.fields[count]}"),
            TextColumn("{task.fields[facts]}", style="dim"),
            TimeElapsedColumn(),
            console=console,
        )
        self._task: Any = None  # the only row, from the first figures on

    def __enter__(self) -> Self:
        self._rich.start()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self._rich.stop()

    def show(self, name: str, now: Progress) -> None:
        """Draw the bar; of an unknown total it stays empty."""
        if self._task is None:
            self._task = self._rich.add_task("", count="", facts="")
        row = fitted(name, now, self._rich.console.width)
        self._bar.bar_width = row.bar
        self._rich.update(
            self._task,
            description=row.name,
            # A bar without a total would be drawn full where nothing can be animated.
            completed=0 if now.total is None else now.done,
            total=now.total or 1,
            count=row.count,
            facts=row.facts,
        )


class NotebookBar:
    """A bar in the output of a notebook's cell, without any widget."""

    def __init__(self, display: Any) -> None:
        self._display = display
        self._handle: Any = None  # the output, from the first figures on

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        pass

    def show(self, name: str, now: Progress) -> None:
        """Draw the bar, in place of the one before."""
        output = _Html(html(name, now), f"{name} {now}")
        if self._handle is None:
            self._handle = self._display(output, display_id=True)
        else:
            self._handle.update(output)


class _Html:
    """What a notebook shows, and what is left of it in plain text."""

    def __init__(self, html: str, text: str) -> None:
        self._html, self._text = html, text

    def __repr__(self) -> str:
        return self._text

    def _repr_html_(self) -> str:
        return self._html


def html(name: str, now: Progress) -> str:
    """Return the bar as HTML; of an unknown total it moves without an end."""
    length = "" if now.total is None else f' value="{now.done}" max="{max(now.total, 1)}"'
    return (
        f'<div>{escape(name)} <progress{length} style="vertical-align: middle"></progress> '
        f'{count(now)} <span style="opacity: 0.6">{escape(facts(now))}</span></div>'
    )


def _notebook_display() -> Any:
    """Return IPython's ``display`` if this is a notebook, which a kernel shows, else None."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython is not None else None
    if ipython is None or getattr(shell, "kernel", None) is None:
        return None
    return ipython.display.display
