"""What a call reports: events for hooks, and log lines, which are a hook like any other."""

import logging
from collections.abc import Callable
from typing import Any

from fcasync._rules.acting import methods
from fcasync._rules.interpret import is_replay, request_id
from fcasync._rules.request import Answer, Request
from fcasync._wire.acting import Acting
from fcasync._wire.everywhere import EVERYWHERE
from fcasync.errors import FCError
from fcasync.hooks import (
    AttemptFinished,
    CallFinished,
    CallStarted,
    Hook,
    HookEvent,
    LimiterWaiting,
    RetryScheduled,
    Run,
)

logger = logging.getLogger("fcasync")


class Reporter:
    """Builds the events of calls for hooks and the log; an event without a reader is not built.

    A hook that fails is logged and does no harm.
    """

    __slots__ = ("__weakref__", "_closing", "_hooks", "_own", "acting", "has_hooks")

    def __init__(self, hooks: tuple[Hook, ...]) -> None:
        self._own = hooks
        self._hooks: tuple[Hook, ...] = ()  # the own ones, and those of all clients
        self._closing: tuple[Hook, ...] = ()  # the same, the last one first
        self.has_hooks: bool = False
        """Whether anybody reads the events that are never logged."""
        self.acting: Acting | None = None
        """Lets hooks add headers; None if none of them does."""
        EVERYWHERE.join(self)

    def update(self) -> None:
        """Take over the hooks of all clients, except where this one has its own of that type."""
        hooks = self._own
        for hook in EVERYWHERE.hooks:
            if not any(isinstance(each, type(hook)) for each in hooks):
                hooks = (*hooks, hook)
        self._hooks, self._closing = hooks, hooks[::-1]
        self.has_hooks = bool(hooks)
        self.acting = Acting.of(hooks)

    def run_started(self, run: Run) -> None:
        """Report that a bulk job or a sync begins."""
        for hook in self._hooks:
            if (method := methods(hook).get("run_started")) is not None:
                _call(hook, method, "run_started", run)

    def run_finished(self, run: Run, error: BaseException | None) -> None:
        """Report that it is over."""
        for hook in self._closing:
            if (method := methods(hook).get("run_finished")) is not None:
                _call(hook, method, "run_finished", run, error)

    def started(self, request: Request[Any]) -> None:
        """Report that a call begins."""
        self._emit(CallStarted(call=request.call))

    def waiting(self, request: Request[Any], wait: float) -> None:
        """Report that an attempt waits *wait* seconds or more under the rate limit."""
        if self._is_read(logging.DEBUG):
            self._emit(LimiterWaiting(call=request.call, wait=wait))

    def retrying(self, request: Request[Any], attempt: int, wait: float, error: FCError) -> None:
        """Report that *attempt* failed and another follows in *wait* seconds."""
        if self._is_read(logging.DEBUG):
            call = request.call
            self._emit(RetryScheduled(call=call, attempt=attempt, wait=wait, error=error))

    def attempted(
        self,
        request: Request[Any],
        answer: Answer | None,
        *,
        attempt: int,
        elapsed: float,
        error: BaseException | None,
    ) -> None:
        """Report the end of an attempt."""
        self._emit(
            AttemptFinished(
                call=request.call,
                attempt=attempt,
                elapsed=elapsed,
                status=answer.status if answer else None,
                request_id=request_id(answer.headers) if answer else None,
                error=error,
            )
        )

    def wants_end(self, error: BaseException | None, attempts: int) -> bool:
        """Whether anybody reads the end of a call that took *attempts* and ended in *error*."""
        return self.has_hooks or logger.isEnabledFor(_level(error, attempts))

    def finished(
        self,
        request: Request[Any],
        answer: Answer | None,
        *,
        attempts: int,
        elapsed: float,
        error: BaseException | None,
    ) -> None:
        """Report the end of a call: its *answer*, or the *error* that it raises."""
        self._emit(
            CallFinished(
                call=request.call,
                attempts=attempts,
                elapsed=elapsed,
                status=answer.status if answer else getattr(error, "status", None),
                request_id=(
                    request_id(answer.headers) if answer else getattr(error, "request_id", None)
                ),
                idempotent_replayed=bool(answer and is_replay(answer.headers)),
                error=error,
            )
        )

    def _is_read(self, level: int) -> bool:
        return self.has_hooks or logger.isEnabledFor(level)

    def _emit(self, event: HookEvent) -> None:
        log(event)
        is_end = isinstance(event, AttemptFinished | CallFinished)
        for hook in self._closing if is_end else self._hooks:
            _call(hook, hook, type(event).__name__, event)


def _call(hook: Hook, method: Callable[..., None], what: str, *args: object) -> None:
    """Call a method of *hook*; if it fails, that is logged."""
    try:
        method(*args)
    except Exception:
        logger.exception("hook %r failed on %s", hook, what)


def _level(error: BaseException | None, attempts: int) -> int:
    return logging.DEBUG if error is None and attempts == 1 else logging.INFO


def log(event: HookEvent) -> None:
    """Write the line of *event*, if it has one: INFO for what was not smooth, else DEBUG."""
    match event:
        case LimiterWaiting():
            logger.debug("%s: waits %.3f s under the rate limit", event.call.operation, event.wait)
        case RetryScheduled():
            logger.debug(
                "%s: attempt %d failed with %s; next in %.3f s",
                event.call.operation,
                event.attempt,
                type(event.error).__name__,
                event.wait,
            )
        case CallFinished():
            logger.log(
                _level(event.error, event.attempts),
                "%s: %s after %d attempt(s) in %.3f s (%s)",
                event.call.operation,
                event.status if event.error is None else type(event.error).__name__,
                event.attempts,
                event.elapsed,
                event.request_id,
            )
        case _:
            pass  # the end of the call says as much, in one line
