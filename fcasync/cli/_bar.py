"""Progress of a bulk job on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

import click
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from fcasync.bulk import BulkRun
from fcasync.models import Account

REDRAW = 0.1
LINE_EVERY = 10.0


class ProgressBar:
    """Shows how *run* gets on, for as long as the context is open."""

    def __init__(self, run: "BulkRun[Account]") -> None:
        self._run = run
        console = Console(stderr=True)
        self._bar = _bar(console) if console.is_terminal else None
        self._task = asyncio.create_task(self._watch(), name="fcasync-progress")

    async def __aenter__(self) -> Self:
        if self._bar:
            self._bar.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._task.cancel()
        with suppress(asyncio.CancelledError):
            await self._task
        if self._bar:
            self._draw(self._bar)
            self._bar.stop()

    async def _watch(self) -> None:
        if self._bar is None:
            while True:
                await asyncio.sleep(LINE_EVERY)
                click.echo(f"fcasync: {self._run.progress}", err=True)
        self._bar.add_task("refresh", total=None)
        while True:
            self._draw(self._bar)
            await asyncio.sleep(REDRAW)

    def _draw(self, bar: Progress) -> None:
        if not bar.tasks:
            return
        progress = self._run.progress
        rate = f"{progress.rate:.0f}/s"
        limit = f"limit {progress.limit:.0f}/s" if progress.limit else ""
        eta = f"eta {progress.eta:.0f} s" if progress.eta is not None else ""
        bar.update(
            bar.tasks[0].id,
            completed=progress.done,
            total=progress.total,
            facts="  ".join(fact for fact in (rate, limit, eta) if fact),
        )


def _bar(console: Console) -> Progress:
    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[facts]}", style="dim"),
        TimeElapsedColumn(),
        console=console,
        auto_refresh=True,
    )
