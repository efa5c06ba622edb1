"""A thread with an event loop, for a sandbox whose user does not run one."""

import asyncio
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

T = TypeVar("T")


class LoopThread:
    """Runs coroutines for callers on other threads, until it is closed."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        # A daemon: a user who forgets to close the sandbox can still leave the interpreter.
        self._thread = threading.Thread(
            target=self._loop.run_forever, name="fcasync.sandbox", daemon=True
        )
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        """Return what *work* returns; block until it does."""
        return asyncio.run_coroutine_threadsafe(_named(work), self._loop).result()

    def close(self) -> None:
        """Cancel what is left on the loop, stop it, and wait for the thread to end."""
        self.run(_end_others())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


async def _end_others() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    if others:
        await asyncio.wait(others)
    for _ in range(5):
        await asyncio.sleep(0)  # transports are closed a turn after they are asked to


async def _named(work: Coroutine[Any, Any, T]) -> T:
    # run_coroutine_threadsafe has no argument for it.
    task = asyncio.current_task()
    assert task is not None  # noqa: S101 - coroutines run in tasks
    task.set_name("fcasync.sandbox.control")
    return await work
