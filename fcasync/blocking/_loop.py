"""An event loop on a thread of its own."""

import asyncio
import threading
import weakref
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import suppress
from functools import partial
from typing import Any, ParamSpec, TypeVar

from fcasync.blocking._inside import Inside
from fcasync.blocking._job import LOOK, Inbox, Job, closed
from fcasync.errors import FCError

P = ParamSpec("P")
T = TypeVar("T")

FORK_TIMEOUT = 1.0
"""Seconds that a fork waits until a loop is between two callbacks."""


class Loop:
    """One loop on one daemon thread, from its start to its end.

    No thread holds a lock while it hands something over: a signal handler may interrupt it there,
    and wait for the loop, close the client, or raise, which would leave the lock locked. Instead,
    what comes too late for the loop is ended after it.

    Args:
        aclose: Closes what the client has opened on the loop; called at the end.
    """

    def __init__(self, aclose: Callable[[], Awaitable[None]]) -> None:
        self.inside: Inside = Inside(aclose)
        """The loop thread's side."""
        self._loop = asyncio.new_event_loop()
        self._waiting: set[Job[Any]] = set()
        """What threads wait for."""
        self.is_over: bool = False
        """Whether nothing is to be posted any more."""
        self._is_closed = False
        """Whether nothing that was posted is carried out any more."""
        self._is_stopping = False
        """Whether the loop has been told to stop; used on its thread."""
        self.was_inherited: bool = False
        """Whether the thread is that of the parent, which this forked process does not have."""
        self.finalizer: weakref.finalize[..., Any] | None = None
        """Ends the loop when its client is collected."""
        self._is_exit = False
        """Whether it ends because the interpreter does."""
        self._thread = threading.Thread(target=self._main, name="fcasync.blocking", daemon=True)
        live.add(self)
        try:
            self._thread.start()
        except BaseException:
            if self._thread.ident is None:  # no thread could be started, or it has not begun
                live.discard(self)
                self._loop.close()
            else:
                self.stop()  # a signal handler has raised, and the thread runs
            raise

    def run(self, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *method* returns on the loop; block until it does.

        Whatever interrupts the wait, such as Ctrl-C or a signal handler that raises, cancels the
        call, and is raised when that has come to its end.

        Raises:
            RuntimeError: This thread runs an event loop, which would be blocked.
            APIConnectionError: The loop is over.
        """
        return self.wait(Job(partial(method, *args, **kwargs)))

    def serve(self, inbox: Inbox, method: Callable[[], Awaitable[T]]) -> T:
        """Do the same, and meanwhile what the loop leaves in *inbox*."""
        return self.wait(Job(method, inbox))

    def wait(self, job: Job[T]) -> T:
        """Return the result of *job*."""
        refuse_in_a_loop()
        self._waiting.add(job)
        try:
            is_posted = self.post(partial(self.inside.start, job))
            if self._is_closed:  # perhaps since it was posted
                job.refuse()
            if is_posted:
                job.serve(self.post)
        except BaseException:
            # A second interrupt ends this wait; the loop goes on without it.
            if self.post(job.interrupt) and not self._is_closed:
                job.wait()
            raise
        finally:
            self._waiting.discard(job)
        if not is_posted:
            raise self.gone()
        return job.result()

    def step(self, steps: AsyncGenerator[T]) -> T | None:
        """Return what *steps* yields next; None at its end."""
        return self.run(self.inside.step, steps)

    def gone(self) -> FCError:
        """Return the error of what began on this loop and cannot go on."""
        return closed(
            "this was begun before a fork, in the parent process; begin it again in this one"
            if self.was_inherited
            else "this was begun before the client was closed; begin it again"
        )

    def discard(self, steps: AsyncGenerator[Any]) -> None:
        """Have *steps* closed soon, without waiting for it: also where threads must not wait."""
        self.post(partial(self.inside.discard, steps))

    def post(self, callback: Callable[[], object]) -> bool:
        """Have the loop call *callback*, unless it ends just now; False if it has ended."""
        if self.is_over:
            return False
        try:
            self._loop.call_soon_threadsafe(callback)
        except RuntimeError:  # it was closed meanwhile
            return False
        return True

    def is_mine(self) -> bool:
        """Whether the caller is on the loop's own thread."""
        return threading.get_ident() == self._thread.ident

    def stop(self, *, is_exit: bool = False) -> None:
        """End the loop, without waiting for it.

        Args:
            is_exit: Whether the interpreter exits.
        """
        self._is_exit |= is_exit and not self.is_over
        self.is_over = True
        with suppress(RuntimeError):  # it was closed already
            self._loop.call_soon_threadsafe(self._stop)

    def _stop(self) -> None:
        # Only once: what is ended in good order then runs on the same loop.
        if not self._is_stopping:
            self._is_stopping = True
            self._loop.stop()

    def join(self, timeout: float | None = None) -> None:
        """Wait until the thread has ended."""
        while timeout is None and self._thread.is_alive():
            self._thread.join(LOOK)
        self._thread.join(timeout)

    def rest(self, until: threading.Event) -> None:
        """Return when the loop rests between two callbacks, which it does *until* that is set."""
        reached = threading.Event()

        def pause() -> None:
            reached.set()
            until.wait()

        if not self.is_mine() and self.post(pause):
            reached.wait(FORK_TIMEOUT)

    def disown(self) -> None:
        """Let go of a loop whose thread is the parent's."""
        self.is_over = self.was_inherited = True

    def _main(self) -> None:
        if self._loop.is_closed():  # its start was interrupted
            return
        try:
            self._loop.run_forever()
        finally:
            self.is_over = self._is_stopping = True
            try:
                self._loop.run_until_complete(self.inside.shut_down(is_exit=self._is_exit))
            finally:
                self._loop.close()
                self._is_closed = True
                if not self._is_exit:
                    for job in self._waiting.copy():
                        job.refuse()
                live.discard(self)


live: set[Loop] = set()
"""The loops of this process."""


def refuse_in_a_loop() -> None:
    """Raise RuntimeError if this thread runs an event loop, which a wait would block."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise RuntimeError(
        "this thread runs an event loop, which fcasync.blocking would block; "
        "use fcasync.Client in async code"
    )
