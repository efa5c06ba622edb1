"""One coroutine on the loop, and the thread that waits for it."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from contextvars import Context, ContextVar, copy_context
from queue import Empty, SimpleQueue
from typing import Any, Generic, TypeAlias, TypeVar

from fcasync.errors import APIConnectionError
from fcasync.hooks import CallStarted, HookEvent

T = TypeVar("T")

Post: TypeAlias = Callable[[Callable[[], object]], bool]
"""Has the loop call something; False if it never will, because the loop is over."""
Errand: TypeAlias = Callable[[Post], object]
"""What the loop has done by the thread that waits."""
Inbox: TypeAlias = SimpleQueue[Errand]

LOOK = 1.0
"""Seconds after which a thread that waits looks for signals. One that arrives in the instant before
a thread falls asleep does not wake it, and on Windows Ctrl-C wakes no thread that waits for a lock.
"""

_job: "ContextVar[Job[Any]]" = ContextVar("fcasync.blocking.job")


class Job(Generic[T]):
    """A call that a thread waits for.

    The coroutine runs in a copy of the thread's context, so that it belongs to the same trace.

    Args:
        call: Starts the coroutine, on the loop.
        inbox: Where the loop leaves what the thread has to do meanwhile; None if there is nothing.
    """

    def __init__(self, call: Callable[[], Awaitable[T]], inbox: Inbox | None = None) -> None:
        self._begin: tuple[Callable[[], Awaitable[T]], Context] | None = (call, copy_context())
        """Given up at the start: timers of the loop may keep the context, and so this object."""
        self._inbox: Inbox = SimpleQueue() if inbox is None else inbox
        self.task: asyncio.Task[T] | None = None
        """None before the start and after the end."""
        self._ended: SimpleQueue[None] = SimpleQueue()
        """Empty until the end. An Event has a lock of its own, which the thread may hold when a
        signal handler interrupts its wait, and then waits for the loop."""
        self._results: list[T] = []
        """The value, until it is taken; empty if there is an error."""
        self._error: BaseException | None = None
        self._is_cut_short = False
        """Whether the loop ended while the call was in flight."""
        self._key: str | None = None
        """The latest idempotency key that was, or may have been, sent."""

    # The loop's side.

    def start(self) -> asyncio.Task[T]:
        """Start the coroutine."""
        assert self._begin is not None  # noqa: S101 - started once
        (call, context), self._begin = self._begin, None
        context.run(_job.set, self)
        self.task = task = asyncio.get_running_loop().create_task(
            _awaited(call), name="fcasync.blocking", context=context
        )
        task.add_done_callback(self._settle)
        return task

    def interrupt(self) -> None:
        """Cancel the coroutine: its thread was interrupted, and waits for the end alone."""
        if self.task is None:
            self._ended.put(None)  # it was never started, or is over
        else:
            # Behind its first step: a coroutine that is cancelled before that runs no line at
            # all, not even those that leave a block in good order.
            asyncio.get_running_loop().call_soon(self.task.cancel)

    def cut_short(self) -> None:
        """Cancel it because the client is closed, which is an error for the thread that waits."""
        self._is_cut_short = True
        if self.task is not None:
            self.task.cancel()

    def refuse(self) -> None:
        """End it because the client is closed, unless it has ended: it came too late to start."""
        if self._ended.empty() and self._error is None and not self._results:
            self._error = closed("the client was closed while this call was in flight", self._key)
            self._ended.put(None)
            self._inbox.put(_wake)

    def forsake(self) -> None:
        """Cancel it because the interpreter exits, and let the thread, a daemon, go on waiting."""
        if self.task is not None:
            self.task.remove_done_callback(self._settle)
            self.task.cancel()

    def _settle(self, task: asyncio.Task[T]) -> None:
        if not task.cancelled():
            self._error = task.exception()
        elif self._is_cut_short:
            self._error = closed("the client was closed while this call was in flight", self._key)
        else:
            self._error = asyncio.CancelledError()
        if self._error is None:
            self._results.append(task.result())
        self.task = None
        self._ended.put(None)
        self._inbox.put(_wake)

    # The thread's side.

    def serve(self, post: Post) -> None:
        """Wait for the end, and do what the loop asks for meanwhile."""
        while self._ended.empty():
            _taken(self._inbox)(post)

    def wait(self) -> None:
        """Wait for the end and do nothing else."""
        _taken(self._ended)

    def result(self) -> T:
        """Return the value, or raise what the coroutine raised."""
        if self._error is None:
            return self._results.pop()
        error, self._error = self._error, None
        try:
            raise error
        finally:
            del error  # or the error and this frame would keep each other alive

    def note(self, idempotency_key: str | None) -> None:
        """Take note of the key of a request that is about to be sent."""
        self._key = idempotency_key or self._key


async def _awaited(call: Callable[[], Awaitable[T]]) -> T:
    return await call()


def _taken(queue: SimpleQueue[T]) -> T:
    """Wait for an item of *queue*, and let a signal handler run at least once per `LOOK`."""
    while True:
        with suppress(Empty):
            return queue.get(timeout=LOOK)


def closed(sentence: str, idempotency_key: str | None = None) -> APIConnectionError:
    """Return the error of what cannot go on because its loop is over.

    Args:
        sentence: What happened.
        idempotency_key: That of a POST that may have reached Stripe.
    """
    error = APIConnectionError(
        sentence, may_have_executed=idempotency_key is not None, retryable=False
    )
    error.idempotency_key = idempotency_key
    return error


def note_key(event: HookEvent, /) -> None:
    """Let the job that an event belongs to know the idempotency key: a hook."""
    job = _job.get(None)
    if job is not None and isinstance(event, CallStarted):
        job.note(event.call.idempotency_key)


def _wake(_: Post) -> None:
    """Do nothing: the thread looks again whether its job has ended."""
