"""The loop of one client: started when it is needed, and again after ``close()`` or a fork."""

import atexit
import os
import threading
import warnings
import weakref
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import NoReturn, ParamSpec, TypeVar

from fcasync.blocking._loop import Loop, live, refuse_in_a_loop

P = ParamSpec("P")
T = TypeVar("T")

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
        self._loops: list[Loop] = []
        """Of those that are not over, the first is the client's; the others came too late."""

    def current(self) -> Loop:
        """Return the loop, and start it if none is running.

        No lock is held, for the reason that :class:`Loop` gives: two threads may start two at once,
        of which both take the first.

        Raises:
            RuntimeError: This thread runs an event loop, which a wait would block.
        """
        refuse_in_a_loop()
        if (loop := self._first()) is not None:
            return loop
        started = Loop(self._aclose)
        started.finalizer = weakref.finalize(self, _abandon, started, self._owner)
        started.finalizer.atexit = False  # see _end_all
        self._loops.append(started)
        first = self._first() or started
        if first is not started:
            self._end(started)
        return first

    def _first(self) -> Loop | None:
        for loop in self._loops:
            if not loop.is_over:
                return loop
        return None

    def _end(self, loop: Loop) -> None:
        loop.stop()
        if loop.finalizer is not None:
            loop.finalizer.detach()
        with suppress(ValueError):  # another thread closes the client, too
            self._loops.remove(loop)

    def run(self, method: Callable[P, Awaitable[T]], *args: P.args, **kwargs: P.kwargs) -> T:
        """Return what *method* returns on the loop; block until it does."""
        return self.current().run(method, *args, **kwargs)

    def close(self) -> None:
        """End the loop, and with an error what threads wait for; the next call starts another."""
        loops = [loop for loop in self._loops if not loop.is_over]
        if loops:
            refuse_in_a_loop()
        for loop in loops:
            self._end(loop)
        for loop in loops:
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
