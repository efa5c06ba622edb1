"""Reading a source on the thread that waits for the run, and not on the loop's.

A query of Django, a session of SQLAlchemy or a cursor of sqlite3 belongs to its thread, and a
generator may call the client itself. So while a thread waits for an outcome, it reads what the loop
asks for.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Generator, Iterable, Iterator
from functools import partial
from queue import SimpleQueue
from threading import RLock
from typing import Any, Generic, TypeVar

from fcasync.blocking._job import Inbox, Post
from fcasync.blocking._lists import Paginator
from fcasync.blocking._loops import Loops

T = TypeVar("T")

IN_MEMORY = (list, tuple, set, frozenset, dict, deque)
"""What any thread may read."""
_END = object()


class Desk:
    """Where the loop asks the thread that waits for a run to read the source.

    Args:
        loops: Where lists of the same client are walked without a thread's help.
    """

    def __init__(self, loops: Loops) -> None:
        self._loops = loops
        self.inbox: Inbox = SimpleQueue()
        """What the loop has asked for."""
        self._open: set[_Errand[Any]] = set()
        """What the loop still waits for."""
        self.turn: RLock = RLock()
        """Held by the one thread that serves."""
        self._iterators: list[Iterator[Any]] = []
        """What was begun here, and has to be let go of here."""

    def reading(self, source: Any) -> Any:
        """Return *source* as the loop may read it."""
        from fcasync.bulk import Tenants  # noqa: PLC0415 - half of the import time

        return (
            source.through(self._reading) if isinstance(source, Tenants) else self._reading(source)
        )

    def recall(self) -> None:
        """Put back what an interrupted call may not have begun, or not answered.

        To be called before serving: after an interrupt, another one could prevent it.
        """
        for errand in list(self._open):
            self.inbox.put(errand)

    def clear(self) -> None:
        """Let go of the sources, and of what was asked for in vain; generators are closed."""
        with self.turn:
            self.inbox = SimpleQueue()
            while self._iterators:
                items = self._iterators.pop()
                if isinstance(items, Generator):
                    items.close()

    def _reading(self, source: Any) -> Any:
        if isinstance(source, Paginator) and source._loops is self._loops:
            return source._async
        is_safe = isinstance(source, AsyncIterable | str | bytes) or type(source) in IN_MEMORY
        if is_safe or not isinstance(source, Iterable):
            return source
        return self._read(source)

    async def _read(self, source: Iterable[Any]) -> AsyncGenerator[Any]:
        def begin() -> Iterator[Any]:
            self._iterators.append(items := iter(source))
            return items

        items = await self._ask(begin)
        while (item := await self._ask(partial(next, items, _END))) is not _END:
            yield item

    async def _ask(self, work: Callable[[], T]) -> T:
        answer: asyncio.Future[T] = asyncio.get_running_loop().create_future()
        errand = _Errand(work, answer)
        self._open.add(errand)
        self.inbox.put(errand)
        try:
            return await answer
        finally:
            self._open.discard(errand)


class _Errand(Generic[T]):
    """Something to do on the thread that waits, once, and the answer that the loop waits for."""

    def __init__(self, work: Callable[[], T], answer: "asyncio.Future[T]") -> None:
        self._work = work
        self._settle: partial[None] | None = None
        """Lets the loop know what came of it; None before it is begun."""
        self.answer = answer

    def __call__(self, post: Post) -> None:
        """Do it, unless it was done, and let the loop know what came of it.

        An interrupt may have come just before the loop was told, so it is told each time.
        """
        try:
            if self._settle is None:
                self._settle = partial(self._fail, RuntimeError("the source was interrupted"))
                self._settle = self._attempt()
        finally:
            if self._settle is not None:
                post(self._settle)

    def _attempt(self) -> "partial[None]":
        try:
            return partial(self._succeed, self._work())
        except Exception as error:  # noqa: BLE001 - it ends the run, which raises it
            return partial(self._fail, error)

    def _succeed(self, result: T) -> None:
        if not self.answer.done():
            self.answer.set_result(result)

    def _fail(self, error: Exception) -> None:
        if isinstance(error, StopIteration):  # which a future does not take
            error = RuntimeError("the source raised StopIteration")
        if not self.answer.done():
            self.answer.set_exception(error)
