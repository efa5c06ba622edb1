"""The loop of one client: started when it is needed, and again after ``close()`` or a fork."""

import atexit
import os
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable
from typing import Any, NoReturn, ParamSpec, TypeVar

from fcasync._facts.locks import lock_across_forks
from fcasync.blocking._loop import Loop, live, refuse_in_a_loop

P = ParamSpec("P")
T = TypeVar("T")

_STARTING = lock_across_forks()
"""Around starts and ends. Loops never take it: a signal handler that waits for one may have
interrupted a thread that holds it."""

EXIT_TIMEOUT = 5.0
"""Seconds that the interpreter's exit waits for connections to be closed in good order."""


class Loops:
    """The loop of one client in this process.

    Args:
        aclose: Closes what the client has opened on the running loop.
        owner: How a warning names the client.
    """

    def __init__(self, aclose: Callable[[], Awaitable[None]], owner: str) -> None:
        self._aclose = aclose
        self._owner = owner
        self._loop: Loop | None = None
        self._finalizer: weakref.finalize[Any, Any] | None = None
        """Ends the loop when the client is collected."""

    def current(self) -> Loop:
        """Return the loop, and start it if none is running.

        Raises:
            RuntimeError: This thread runs an event loop, which a wait would block.
        """
        refuse_in_a_loop()
        loop = self._loop
        if loop is not None and not loop.is_over:
            return loop
        with _STARTING:
            if self._loop is not None and not self._loop.is_over:
                return self._loop
            started = Loop(self._aclose)
            loop = self._loop
            if loop is not None and not loop.is_over:  # a signal handler was quicker
                started.stop()
                return loop
            self._loop = started
            self._finalizer = weakref.finalize(self, _abandon, started, self._owner)
            self._finalizer.atexit = False  # see _end_all
            return started

    def run(self, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *method* returns on the loop; block until it does."""
        return self.current().run(method, *args, **kwargs)

    def close(self) -> None:
        """End the loop, and with an error what threads wait for; the next call starts another."""
        with _STARTING:
            loop, finalizer = self._loop, self._finalizer
            if loop is None or finalizer is None or loop.is_over:
                return
            refuse_in_a_loop()
            loop.stop()
            finalizer.detach()
            if self._loop is loop:  # a signal handler may have started another
                self._loop = None
        loop.join()

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a blocking Client and what it made cannot be pickled, because they hold a key, "
            "sockets and a thread; build a Client per process"
        )


def _abandon(loop: Loop, owner: str) -> None:
    if not loop.is_over:
        loop.stop()
        warnings.warn(f"unclosed {owner}", ResourceWarning, stacklevel=2, source=loop)


@atexit.register
def _end_all() -> None:
    """Close connections in good order, and journals: a daemon thread is otherwise cut off."""
    loops = list(live)
    for loop in loops:
        loop.stop(is_exit=True)
    for loop in loops:
        loop.join(EXIT_TIMEOUT)


# A fork copies one thread, and with it what the others were in the middle of. So it happens while
# the loops rest between two callbacks: none of them is then parsing, importing or inside OpenSSL.

_fork = threading.local()
_inherited: list[Loop] = []  # kept for ever: their selectors are shared with the parent's


def _rest_all() -> None:
    _fork.is_over = threading.Event()
    for loop in list(live):
        loop.rest(_fork.is_over)


def _go_on_all() -> None:
    _fork.is_over.set()


def _disown_all() -> None:
    for loop in live:
        loop.disown()
    _inherited.extend(live)
    live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_rest_all, after_in_parent=_go_on_all, after_in_child=_disown_all)
