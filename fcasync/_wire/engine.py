"""One call: limiter, attempt, interpretation, and a retry loop around them.

The first attempt runs inline. Only when it failed with something retryable does tenacity drive
the rest, with an object of its own per call: shared ones mix up concurrent tasks.
"""

import logging
import sys
from collections.abc import Coroutine
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from fcasync._facts.clock import Clock
from fcasync._rules.interpret import interpret, is_replay, retry_after
from fcasync._rules.pace import Limiter
from fcasync._rules.request import Answer, Options, Request, Response
from fcasync._rules.retry import RetryQuota
from fcasync._wire.transport import Transport
from fcasync.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    DeadlineExceededError,
    FCError,
    IdempotencyError,
    ProtocolError,
    RateLimitError,
    ServerError,
)
from fcasync.hooks import (
    AttemptFinished,
    CallFinished,
    CallStarted,
    Hook,
    HookEvent,
    LimiterWaiting,
    RetryScheduled,
)

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")

logger = logging.getLogger("fcasync")


class Engine:
    """Carries out calls; what they share is the connections, the limiter and the retry quota."""

    def __init__(
        self,
        transport: Transport,
        *,
        clock: Clock,
        limiter: Limiter,
        hooks: tuple[Hook, ...] = (),
        quota: RetryQuota | None = None,
    ) -> None:
        self.transport = transport
        self.clock = clock
        self.limiter = limiter
        self.quota = RetryQuota() if quota is None else quota
        self._hooks = hooks

    async def call(self, request: Request[T], options: Options) -> Response[T]:
        """Carry out one call and return its result.

        Raises:
            FCError: What went wrong; a POST's error carries its idempotency key.
        """
        run = _Run(self, request, options)
        return run.response(await run.run())

    def value(self, request: Request[T], options: Options) -> Coroutine[Any, Any, T]:
        """Carry out one call, as :meth:`call` does, for those who want its value only."""
        return _Run(self, request, options).run()

    async def attempt(self, request: Request[T], options: Options) -> Response[T]:
        """Send *request* once: no limiter, no retry, no event.

        For callers with a schedule of their own, such as bulk jobs.
        """
        run = _Run(self, request, options)
        return run.response(await run.attempt(run.started))

    def emit(self, event: HookEvent) -> None:
        """Hand *event* to every hook; one that fails is logged and does no harm."""
        for hook in self._hooks:
            try:
                hook(event)
            except Exception:
                logger.exception("hook %r failed on %s", hook, type(event).__name__)

    @property
    def listens(self) -> bool:
        """Whether anybody wants events, so that nobody builds them in vain."""
        return bool(self._hooks)


class _Run(Generic[T]):
    """The state of one call."""

    def __init__(self, engine: Engine, request: Request[T], options: Options) -> None:
        self._engine = engine
        self._request = request
        self._options = options
        self.started = self._ended = engine.clock.monotonic()
        self._deadline = self.started + options.deadline
        self._answer: Answer | None = None
        self._attempts = 0
        self._may_have_executed = False
        self._tokens = 1
        self._unspent = 0
        self._pace = engine.limiter.pace(options.acting_for, request.operation.name)

    async def run(self) -> T:
        engine = self._engine
        try:
            if engine.listens:
                engine.emit(CallStarted(call=self._request.call))
            try:
                value = await self._paced_attempt(self.started)
            except FCError as failure:
                if not failure.retryable or self._options.retry.attempts == 1:
                    raise
                value = await self._retry(failure)
        except BaseException as error:
            engine.quota.release(self._unspent)
            self._finish(error)
            raise
        engine.quota.release(self._tokens)
        self._finish(None)
        return value

    async def _paced_attempt(self, now: float) -> T:
        """Wait for a slot under the rate limit, send, and tell the limiter how it went."""
        pace = self._pace
        if now + pace.wait_for(now) >= self._deadline:
            raise self._too_late(pace.wait_for(now))
        wait = pace.reserve(now)
        sent = await self._slot(now, wait) if wait else now
        try:
            value = await self.attempt(sent)
        except APIStatusError as error:
            is_limited = isinstance(error, RateLimitError)
            reason = error.reason if isinstance(error, RateLimitError) else None
            pace.answered(sent, self._ended, limited=is_limited, reason=reason)
            raise
        pace.answered(sent, self._ended, limited=False)
        return value

    async def _slot(self, now: float, wait: float) -> float:
        """Wait for a slot that begins in *wait* seconds, and return the time then."""
        clock, operation = self._engine.clock, self._request.operation.name
        logger.debug("%s: waits %.3f s under the rate limit", operation, wait)
        if self._engine.listens:
            self._engine.emit(LimiterWaiting(call=self._request.call, wait=wait))
        try:
            await clock.sleep(wait)
        except BaseException:
            self._pace.release(now + wait)
            raise
        return clock.monotonic()

    def _too_late(self, wait: float) -> FCError:
        """Return the error of an attempt that would begin past the deadline, in *wait* seconds."""
        error = self._no_slot(wait) if wait else self._overdue()
        error.attempts = self._attempts
        error.idempotency_key = self._request.idempotency_key
        return error

    def _overdue(self) -> DeadlineExceededError:
        return DeadlineExceededError(
            f"{self._request.call.operation} took longer than its deadline of "
            f"{self._options.deadline:g} s",
            may_have_executed=self._may_have_executed,
        )

    def _no_slot(self, wait: float) -> RateLimitError:
        sent = f"sent {self._attempts} time(s) before" if self._attempts else "nothing was sent"
        error = RateLimitError(
            f"no slot for {self._request.call.operation} under the rate limit for another "
            f"{wait:.1f} s, which is past this call's deadline; {sent}",
            status=429,
        )
        error.retryable = False
        error.retry_after = wait
        return error

    async def attempt(self, now: float) -> T:
        """Send the request once, within both its timeout and what is left of the deadline."""
        left = self._deadline - now
        self._attempts += 1
        self._unspent = 0
        self._answer = None
        outer = sys.exception()
        try:
            timeout = min(self._options.timeout, left)
            self._answer = answer = await self._engine.transport.send(self._request, timeout)
            value = interpret(self._request, answer)
        except FCError as error:
            failure = self._explain(error, left)
            self._end_attempt(now, failure)
            _forget_frames(error, outer)
            if failure is error:
                raise
            raise failure from error
        except BaseException as error:
            self._end_attempt(now, error)
            raise
        self._end_attempt(now, None)
        return value

    def response(self, value: T) -> Response[T]:
        """Return *value* with what its answer said about itself."""
        answer = self._answer
        assert answer is not None  # noqa: S101 - there is no value without one
        return Response(
            value=value,
            status=answer.status,
            headers=answer.headers,
            request_id=answer.headers.get("Request-Id"),
            idempotency_key=self._request.idempotency_key,
            idempotent_replayed=is_replay(answer.headers),
            attempts=self._attempts,
            elapsed=self._ended - self.started,
        )

    def _explain(self, error: FCError, left: float) -> FCError:
        """Return *error* with what only the call knows written into it."""
        if isinstance(error, APIConnectionError | ProtocolError):
            # A later attempt that never reached Stripe says nothing about an earlier one.
            self._may_have_executed |= error.may_have_executed
            error.may_have_executed = self._may_have_executed
            if isinstance(error, APITimeoutError) and left <= self._options.timeout:
                error = self._overdue()
        elif isinstance(error, ServerError):
            self._may_have_executed |= self._request.has_effect
        elif isinstance(error, IdempotencyError) and error.status == 409:
            # The key is in use by our own earlier attempt, whose answer was lost: its result
            # is what the caller wants, so wait for it, unless Stripe says that it is no use.
            is_advised_against = error.headers.get("Stripe-Should-Retry") == "false"
            error.retryable |= self._may_have_executed and not is_advised_against
        error.attempts = self._attempts
        error.idempotency_key = self._request.idempotency_key
        return error

    async def _retry(self, first: FCError) -> T:
        import tenacity  # noqa: PLC0415 - most programs begin without a failure

        failures = [first]

        async def replay_the_first_then_attempt() -> T:
            if failures:
                raise failures.pop()
            return await self._paced_attempt(self._engine.clock.monotonic())

        retrying = tenacity.AsyncRetrying(
            sleep=self._engine.clock.sleep,
            retry=tenacity.retry_if_exception(_is_retryable),
            wait=self._wait,
            stop=self._stop,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        return await retrying(replay_the_first_then_attempt)

    def _wait(self, state: "tenacity.RetryCallState") -> float:
        failure = _failure(state)
        hint = retry_after(failure.headers) if isinstance(failure, APIStatusError) else None
        return self._options.retry.wait(
            self._attempts,
            self._engine.clock.draw(),
            rate_limited=isinstance(failure, RateLimitError),
            retry_after=hint,
        )

    def _stop(self, state: "tenacity.RetryCallState") -> bool:
        if self._attempts >= self._options.retry.attempts:
            return True
        if self._engine.clock.monotonic() + state.upcoming_sleep >= self._deadline:
            return True
        is_limited = isinstance(_failure(state), RateLimitError)
        tokens = self._engine.quota.acquire(rate_limited=is_limited)
        if tokens is not None:
            self._tokens = self._unspent = tokens
        return tokens is None

    def _before_sleep(self, state: "tenacity.RetryCallState") -> None:
        failure = _failure(state)
        logger.debug(
            "%s: attempt %d failed with %s; next in %.3f s",
            self._request.call.operation,
            self._attempts,
            type(failure).__name__,
            state.upcoming_sleep,
        )
        if self._engine.listens:
            self._engine.emit(
                RetryScheduled(
                    call=self._request.call,
                    attempt=self._attempts,
                    wait=state.upcoming_sleep,
                    error=failure,
                )
            )

    def _end_attempt(self, sent: float, error: BaseException | None) -> None:
        """Note the time, and tell the end of an attempt."""
        self._ended = self._engine.clock.monotonic()
        answer = self._answer
        if self._engine.listens:
            self._engine.emit(
                AttemptFinished(
                    call=self._request.call,
                    attempt=self._attempts,
                    elapsed=self._ended - sent,
                    status=answer.status if answer else None,
                    request_id=answer.headers.get("Request-Id") if answer else None,
                    error=error,
                )
            )

    def _finish(self, error: BaseException | None) -> None:
        """Log and tell the end of the call, if anybody wants to know."""
        level = logging.DEBUG if error is None and self._attempts == 1 else logging.INFO
        if self._engine.listens or logger.isEnabledFor(level):
            self._report(level, error)

    def _report(self, level: int, error: BaseException | None) -> None:
        now = self._ended if error is None else self._engine.clock.monotonic()
        answer = self._answer if error is None else None
        status = answer.status if answer else getattr(error, "status", None)
        request_id = (
            answer.headers.get("Request-Id") if answer else getattr(error, "request_id", None)
        )
        logger.log(
            level,
            "%s: %s after %d attempt(s) in %.3f s (%s)",
            self._request.call.operation,
            status if error is None else type(error).__name__,
            self._attempts,
            now - self.started,
            request_id,
        )
        if self._engine.listens:
            self._engine.emit(
                CallFinished(
                    call=self._request.call,
                    attempts=self._attempts,
                    elapsed=now - self.started,
                    status=status,
                    request_id=request_id,
                    idempotent_replayed=bool(answer and is_replay(answer.headers)),
                    error=error,
                )
            )


def _is_retryable(error: BaseException) -> bool:
    return isinstance(error, FCError) and error.retryable


def _forget_frames(error: BaseException, outer: BaseException | None) -> None:
    """Drop the frames of *error* and of what led to it, up to *outer*, which is the caller's.

    Their local variables hold the raw request and answer, which rich and error reporters print;
    what went wrong is all in the messages.
    """
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and link is not outer and link.__traceback__ is not None:
            link.__traceback__ = None
            links += [link.__cause__, link.__context__]


def _failure(state: "tenacity.RetryCallState") -> FCError:
    assert state.outcome is not None  # noqa: S101 - tenacity asks after an attempt only
    failure = state.outcome.exception()
    assert isinstance(failure, FCError)  # noqa: S101 - nothing else is retried
    return failure
