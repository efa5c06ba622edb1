"""Waiting for what must come to its end, however often the waiter is cancelled."""

import asyncio
from collections.abc import Awaitable, Collection
from typing import Any, TypeVar

T = TypeVar("T")


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


async def to_its_end(step: Awaitable[T]) -> T:
    """Return what *step* returns; cancelling the caller takes effect only when it is done."""
    task = named_task(step, "fcasync.uninterrupted")
    await until_done([task])
    return task.result()


async def cancelled_once(step: Awaitable[T]) -> T:
    """Return what *step* returns; however often the caller is cancelled, *step* is so once.

    It is given the time to clean up after itself: a library that is cancelled again in the middle
    of that leaves tasks and connections behind.
    """
    task = named_task(step, "fcasync.cancelled_once")
    try:
        await asyncio.wait([task])
    except asyncio.CancelledError:
        task.cancel()
        try:
            await until_done([task])
        finally:
            if not task.cancelled():
                task.exception()  # looked at: the cancellation is what is raised
        raise
    return task.result()


def named_task(step: Awaitable[T], name: str) -> "asyncio.Task[T]":
    """Return a task that waits for *step*, which may be any awaitable."""
    return asyncio.create_task(_wait_for(step), name=name)


async def _wait_for(step: Awaitable[T]) -> T:
    return await step
