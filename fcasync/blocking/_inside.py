"""What happens on the loop of a blocking client, and how it ends in good order."""

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any, TypeVar

from fcasync._wire.uninterrupted import until_done
from fcasync.blocking._job import Job

T = TypeVar("T")


class Inside:
    """The calls, walks and runs of one loop. All of it is used on the loop's own thread.

    Args:
        aclose: Closes what the client has opened on the loop; called at the end.
    """

    def __init__(self, aclose: Callable[[], Awaitable[None]]) -> None:
        self._aclose = aclose
        self._is_closing = False
        """Whether nothing is started any more."""
        self._jobs: set[Job[Any]] = set()
        """What threads wait for."""
        self._closing: set[asyncio.Task[None]] = set()
        """Closes walks that were left half-way."""
        self.at_end: dict[object, Callable[[], Awaitable[None]]] = {}
        """What has to be ended in good order, should the loop end first."""

    def start(self, job: Job[Any]) -> None:
        """Start what a thread waits for."""
        if self._is_closing:
            job.refuse()
            return
        self._jobs.add(job)
        job.start().add_done_callback(lambda _: self._jobs.discard(job))

    async def step(self, steps: AsyncGenerator[T]) -> T | None:
        """Return what *steps* yields next; None at its end."""
        # asyncio closes all generators at once, those inside others too, which then fails.
        self.at_end[steps] = steps.aclose
        item = await anext(steps, None)
        if item is None:
            del self.at_end[steps]
        return item

    def discard(self, steps: AsyncGenerator[Any]) -> None:
        """Close *steps*."""
        self.at_end.pop(steps, None)
        task = asyncio.get_running_loop().create_task(_close(steps), name="fcasync.blocking.close")
        self._closing.add(task)
        task.add_done_callback(self._closing.discard)

    async def shut_down(self, *, is_exit: bool) -> None:
        """End everything: first what threads wait for, then walks and runs, then the rest.

        Args:
            is_exit: Whether the interpreter exits: threads that still wait are daemons, whose
                errors nobody could act upon.
        """
        self._is_closing = True
        tasks = [job.task for job in self._jobs if job.task is not None]
        for job in self._jobs:
            if is_exit:
                job.forsake()
            else:
                job.cut_short()
        await until_done(tasks)
        for end in list(self.at_end.values()):
            await end()
        left = asyncio.all_tasks() - {asyncio.current_task()}
        for task in left:
            task.cancel()
        await until_done(left)
        try:
            await self._aclose()
        finally:
            await asyncio.get_running_loop().shutdown_asyncgens()


async def _close(steps: AsyncGenerator[Any]) -> None:
    await steps.aclose()
