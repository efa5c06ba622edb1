"""Reports one run to hooks: when it begins, and how it ends."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from contextvars import Context, copy_context
from typing import Any, Literal

from fcasync._wire.reporting import Reporter
from fcasync.hooks import Figures, Run

_MISSING: Any = object()


class Announcer:
    """Reports a run to hooks, in a context of its own that its tasks are to inherit.

    What a hook puts there, such as a current span, reaches all that the run does, and nothing of
    what its caller does meanwhile.
    """

    def __init__(
        self,
        reporter: Reporter,
        kind: Literal["bulk", "mirror"],
        operation: str,
        figures: Callable[[], Figures],
    ) -> None:
        self._reporter = reporter
        self._run = Run(kind=kind, operation=operation, figures=figures)
        self._is_at_work = False  # its begin was reported to hooks, and its end was not
        self._context = Context()  # of all tasks of the run, once it has begun

    @contextmanager
    def beginning(self) -> Iterator[None]:
        """Report that the run begins, and in the block let the caller's task inherit, too."""
        self._context, self._is_at_work = copy_context(), True
        self._context.run(self._reporter.run_started, self._run)
        tokens = [
            (variable, variable.set(value))
            for variable, value in self._context.items()
            if variable.get(_MISSING) is not value
        ]
        try:
            yield
        except BaseException as error:
            self.end(error)
            raise
        finally:
            for variable, token in tokens:
                variable.reset(token)

    def named_task(self, work: Coroutine[Any, Any, None], name: str) -> "asyncio.Task[None]":
        """Return a task of the run."""
        return asyncio.create_task(work, name=name, context=self._context)

    @contextmanager
    def ending(self, error: BaseException | None) -> Iterator[None]:
        """Report, after the block, that the run is over.

        Args:
            error: What has ended it; one that the block raises takes its place.
        """
        try:
            yield
        except BaseException as failure:
            self.end(failure)
            raise
        self.end(error)

    def end(self, error: BaseException | None) -> None:
        """Report that the run is over, once."""
        if self._is_at_work:
            self._is_at_work = False
            self._context.run(self._reporter.run_finished, self._run, error)
