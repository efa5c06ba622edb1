"""A bulk job that is entered, iterated and left without ``await``."""

from collections.abc import Awaitable, Callable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Self, TypeVar

from fcasync.blocking._desk import Desk
from fcasync.blocking._job import closed
from fcasync.blocking._loop import Loop
from fcasync.blocking._loops import Loops
from fcasync.errors import APIConnectionError, InvalidArgumentError

if TYPE_CHECKING:
    from fcasync import bulk

P = ParamSpec("P")
T = TypeVar("T")


class BulkRun:
    """A running bulk job.

    ::

        with client.bulk.refresh(ids, features=["balance"], journal="refresh.sqlite") as run:
            for outcome in run:
                ...
        print(run.report)

    Requests are sent while your code works on an outcome. A source that is not a plain list is read
    by the thread that waits for outcomes, and only while it does: a query of an ORM or a generator
    stays on its own thread. All the rest is as in :class:`fcasync.bulk.BulkRun`; Ctrl-C stops the
    run, and the same call with the same journal goes on from there.
    """

    def __init__(self, loops: Loops, wrapped: "bulk.BulkRun", desk: Desk) -> None:
        self._loops = loops
        self._async = wrapped
        self._desk = desk
        self._loop: Loop | None = None
        """That on which it runs; None before the block is entered."""
        self._failure: Exception | None = None
        """What ended the run when the client was closed."""

    def __repr__(self) -> str:
        return repr(self._async)

    def __enter__(self) -> Self:
        loop = self._loops.current()
        try:
            loop.run(self._begin, loop)
        except BaseException as error:
            # An interrupt may come when the run has begun already, and no block is entered then.
            self._loop = loop
            self.__exit__(type(error), error, None)
            raise
        self._loop = loop
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        loop = self._entered()
        if loop.was_inherited:
            return  # the run is the parent's
        try:
            if not loop.is_over:
                loop.run(self._end, loop, exc_type)
        finally:
            self._desk.clear()
        if exc_type is None and self._failure is not None:
            raise self._failure

    def __iter__(self) -> "Iterator[bulk.Outcome]":
        return self

    def __next__(self) -> "bulk.Outcome":
        """Return the next outcome.

        Raises:
            FCError: What ended the run: a bad key, a full disk, or a network that is down; an
                error of the source is raised as it is. What had finished before is on disk.
        """
        outcome = self._serve(self._next)
        if outcome is None:
            raise StopIteration
        return outcome

    def finish(self) -> "bulk.Report":
        """Process everything without looking at the outcomes, and return the report."""
        return self._serve(self._async.finish)

    def stop(self) -> bool:
        """Stop in good order, and return whether the run was at work.

        Nothing more is sent, and what is finished is still handed out; iteration ends after that.
        May be called at any time, from any thread, and from a signal handler.
        """
        return self._is_at_work and self._look(self._async.stop)

    def observe(self, event: Any) -> bool:
        """Take note of a webhook event, so that its account need not be polled (``wait=True``).

        It never raises, and may be called from any thread. A thin event makes the account be read
        at once. Returns whether the run was waiting for the account.
        """
        return self._is_at_work and self._look(lambda: self._async.observe(event))

    @property
    def progress(self) -> "bulk.Progress":
        """How far the run has come; may be read at any time."""
        return self._look(lambda: self._async.progress)

    @property
    def report(self) -> "bulk.Report":
        """What the job has done so far; final once the block was left."""
        return self._look(lambda: self._async.report)

    @property
    def _is_at_work(self) -> bool:
        return self._loop is not None and not self._loop.is_over

    def _entered(self) -> Loop:
        if self._loop is None:
            raise InvalidArgumentError("enter the run first: with client.bulk...() as run")
        return self._loop

    def _serve(self, method: Callable[[], Awaitable[T]]) -> T:
        loop = self._entered()
        if loop.is_over:
            raise loop.gone()
        with self._desk.turn:
            self._desk.recall()
            return loop.serve(self._desk.inbox, method)

    def _look(self, read: Callable[[], T]) -> T:
        """Return what *read* returns on the loop, where nothing changes meanwhile."""
        loop = self._loop
        if loop is None or loop.is_over or loop.is_mine():
            return read()

        async def on_the_loop() -> T:
            return read()

        return loop.run(on_the_loop)

    async def _begin(self, loop: Loop) -> None:
        await self._async.__aenter__()
        loop.inside.at_end[self] = self._cut_short

    async def _next(self) -> "bulk.Outcome | None":
        return await anext(self._async, None)

    async def _end(self, loop: Loop, exc_type: type[BaseException] | None) -> None:
        if loop.inside.at_end.pop(self, None) is not None:
            await self._async.__aexit__(exc_type, None, None)

    async def _cut_short(self) -> None:
        """Leave the block because the client is closed: the journal is closed in good order."""
        if self._async.stop():
            self._failure = closed(
                "the client was closed while this run was at work; the same call resumes it"
            )
        try:
            await self._async.__aexit__(APIConnectionError, None, None)
        except Exception as error:  # noqa: BLE001 - raised when the block is left
            self._failure = error


def begun(
    loops: Loops,
    method: "Callable[Concatenate[Any, P], bulk.BulkRun]",
    source: object,
    *args: P.args,
    **kwargs: P.kwargs,
) -> BulkRun:
    """Return the blocking run that *method* makes of *source*."""
    desk = Desk(loops)
    return BulkRun(loops, method(desk.reading(source), *args, **kwargs), desk)
