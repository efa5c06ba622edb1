"""Timeouts for many attempts at once, by a single timer of their loop."""

import asyncio
import math
from types import TracebackType


class Watch:
    """Ends what takes too long, on one event loop.

    ``asyncio.timeout`` sets a timer of the loop and cancels it again for every attempt, which
    costs more than all the rest that fcasync adds to a call. Here one timer is set for the end
    that comes first; by the time it goes off that attempt is usually long over, and the timer is
    set for the one that is first then.
    """

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop = loop
        self._running: set[Timeout] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._rings_at = math.inf

    def add(self, timeout: "Timeout") -> None:
        """Watch *timeout* from now on."""
        self._running.add(timeout)
        if timeout.ends < self._rings_at:
            self._set(timeout.ends)

    def discard(self, timeout: "Timeout") -> None:
        """Watch *timeout* no longer."""
        self._running.discard(timeout)

    def _set(self, when: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._rings_at = when
        self._timer = None if when == math.inf else self.loop.call_at(when, self._ring)

    def _ring(self) -> None:
        now, first = self.loop.time(), math.inf
        for timeout in self._running:
            if timeout.ends <= now:
                timeout.expire()
            else:
                first = min(first, timeout.ends)
        self._set(first)


class Timeout:
    """A block that raises TimeoutError when it takes too long.

    It cancels its task the way ``asyncio.timeout`` does, so that the two can be nested and so
    that whoever else cancels the task is heard.

    Args:
        watch: That of the running loop.
        seconds: How long the block may take, from now on.
    """

    __slots__ = ("_cancelling", "_has_expired", "_task", "_watch", "ends")

    def __init__(self, watch: Watch, seconds: float) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        self._task = task
        self._watch = watch
        self._cancelling = task.cancelling()
        self._has_expired = False
        self.ends = watch.loop.time() + seconds

    def expire(self) -> None:
        """Cancel the block, once."""
        if not self._has_expired:
            self._has_expired = True
            self._task.cancel()

    def __enter__(self) -> None:
        self._watch.add(self)

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._watch.discard(self)
        if not self._has_expired:
            return
        # When somebody else has cancelled the task as well, theirs is the one that counts.
        is_ours = self._task.uncancel() <= self._cancelling
        if is_ours and kind is asyncio.CancelledError:
            raise TimeoutError from error
