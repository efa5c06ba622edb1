"""Virtual time: an event loop whose clock jumps to the next timer when nothing else is ready."""

import asyncio
import random
import selectors
import time
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from fcasync.testing import FakeClock

T = TypeVar("T")

EPOCH = 1_760_000_000.0
"""The Unix time at which virtual time begins."""


class Stoppable:
    """Real time for `FakeClock(paced_by=...)` until it is stopped; from then on nothing is due."""

    def __init__(self) -> None:
        self._stopped_at: float | None = None

    def __call__(self) -> float:
        return time.monotonic() if self._stopped_at is None else self._stopped_at

    def stop(self) -> None:
        """Let no more time pass."""
        self._stopped_at = time.monotonic()


class _NoWaiting(selectors.SelectSelector):
    """Polls the sockets without waiting; the wait is added to the loop's time instead."""

    waited = 0.0

    def select(self, timeout: float | None = None) -> Any:
        if timeout is None:
            raise RuntimeError("deadlock: this loop has no timer and nothing ready")
        self.waited += max(timeout, 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """Timers fire immediately and in order; executors run inline, so that no thread takes time."""

    def __init__(self) -> None:
        self._no_waiting = _NoWaiting()
        super().__init__(self._no_waiting)

    def time(self) -> float:
        return self._no_waiting.waited

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., T], *args: Any
    ) -> asyncio.Future[T]:
        future: asyncio.Future[T] = self.create_future()
        try:
            future.set_result(func(*args))
        except Exception as error:
            future.set_exception(error)
        return future


def virtual_clock() -> FakeClock:
    """Return a clock of the running loop's time; its draws are seeded."""
    return FakeClock(
        EPOCH, random.Random(0).random, paced_by=lambda: asyncio.get_running_loop().time()
    )


def run(main: Coroutine[Any, Any, T]) -> T:
    """Run *main* in virtual time, like ``asyncio.run``."""
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(main)
