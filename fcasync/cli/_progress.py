"""Progress of a bulk job on stderr: a bar on a terminal, a line every ten seconds elsewhere."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Protocol

import click
from rich.console import Console

from fcasync.bulk import Progress
from fcasync.bulk._work import bar

LINE_EVERY = 10.0


class Run(Protocol):
    """A job that says how far it has come."""

    @property
    def progress(self) -> Progress:
        """How far it has come."""


@asynccontextmanager
async def shown(run: Run, name: str, *, is_quiet: bool) -> AsyncIterator[None]:
    """Show the progress of *run* while the context is open."""
    if is_quiet:
        yield
        return
    console = Console(stderr=True)
    if console.is_terminal:
        watching = bar.draw(bar.make(console), name, lambda: run.progress)
    else:
        watching = _print_lines(run)
    task = asyncio.create_task(watching, name="fcasync.cli.progress")
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def _print_lines(run: Run) -> None:
    while True:
        await asyncio.sleep(LINE_EVERY)
        click.echo(f"fcasync: {run.progress}", err=True)
