"""Tasks that work together: the first failure ends all of them, and is what is raised."""

import asyncio
import re
from collections.abc import Callable, Coroutine, Iterable
from contextvars import Context, copy_context
from functools import lru_cache, partial
from typing import Any

Job = Callable[..., Coroutine[Any, Any, None]]


class Crew:
    """The tasks of one run."""

    def __init__(self) -> None:
        self._group = asyncio.TaskGroup()
        self._context = Context()  # that of the run, whoever it is that starts another task
        self._failure: Exception | None = None  # what ended the run

    async def run(self, loops: Iterable[Job], main: Job) -> None:
        """Run *main* to its end, and meanwhile *loops* that have none.

        Raises:
            Exception: The first that one of the tasks raised, exactly as it was raised.
        """
        self._context = copy_context()
        try:
            async with self._group as group:
                tasks = [
                    group.create_task(self._watched(loop), name=name_of(loop)) for loop in loops
                ]
                await self._watched(main)
                for task in tasks:
                    task.cancel()
        except BaseExceptionGroup:
            # What the others met on the way out does not matter.
            if self._failure is None:
                raise
        if self._failure is not None:
            raise self._failure

    def start(self, job: Job, *args: Any) -> None:
        """Start one more task, which ends with the run."""
        self.task(job, *args)

    def task(self, job: Job, *args: Any) -> asyncio.Task[None]:
        """Do the same, and return the task, which may be cancelled without ending the run."""
        return self._group.create_task(
            self._watched(job, *args), name=name_of(job), context=self._context.copy()
        )

    async def _watched(self, job: Job, *args: Any) -> None:
        try:
            await job(*args)
        except Exception as error:
            if self._failure is None:
                self._failure = error
            raise


def name_of(job: Job) -> str:
    """Return what the task that runs *job* is called, such as ``fcasync.bulk.dispatcher.serve``.

    It names code, never what the code works on: everybody on the loop can read it.
    """
    while isinstance(job, partial):
        job = job.func
    return _name(job.__module__, job.__qualname__)


@lru_cache(maxsize=256)
def _name(module: str, qualname: str) -> str:
    package = ".".join(module.split(".")[:2])
    words = (word.strip("_") for word in qualname.split(".") if word != "<locals>")
    return ".".join([package, *(re.sub(r"(?<!^)(?=[A-Z])", "_", word).lower() for word in words)])
