"""Waiting for what must come to its end, however often the waiter is cancelled."""

import asyncio
from collections.abc import Collection
from typing import Any


async def until_done(tasks: "Collection[asyncio.Future[Any]]") -> None:
    """Return when all *tasks* are done; what cancelled the wait is raised only then."""
    cancelled: asyncio.CancelledError | None = None
    while pending := [task for task in tasks if not task.done()]:
        try:
            await asyncio.wait(pending)
        except asyncio.CancelledError as error:
            cancelled = error
    if cancelled is not None:
        raise cancelled
