"""One call: limiter, attempt, interpretation, and a retry loop around them.

The first attempt runs inline. Only when it failed with something retryable does tenacity drive
the rest, with an object of its own per call: shared ones mix up concurrent tasks.
"""

import logging
import sys
from typing import Generic, TypeVar

import tenacity

from fcasync._clock import Clock
from fcasync._interpret import interpret, is_replay, retry_after
from fcasync._limit import Limiter, Pace
from fcasync._retry import RetryQuota
from fcasync._transport import Transport
from fcasync._wire import Answer, Options, Request, Response
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
        return await _Run(self, request, options).run()

    async def attempt(self, request: Request[T], options: Options) -> Response[T]:
        """Send *request* once: no limiter, no retry, no event.

        For callers with a schedule of their own, such as bulk jobs.
        """
        return await _Run(self, request, options).attempt(self.clock.monotonic())

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
        self._started = engine.clock.monotonic()
        self._deadline = self._started + options.deadline
        self._attempts = 0
        self._may_have_executed = False
        self._tokens = 1
        self._unspent = 0
        self._pace = engine.limiter.pace(options.stripe_account, request.operation.name)

    async def run(self) -> Response[T]:
        engine = self._engine
        try:
            if engine.listens:
                engine.emit(CallStarted(call=self._request.call))
            response = await self._first_and_rest()
        except BaseException as error:
            engine.quota.release(self._unspent)
            self._finish(error)
            raise
        engine.quota.release(self._tokens)
        self._finish(None, response)
        return response

    async def _first_and_rest(self) -> Response[T]:
        try:
            return await self._paced_attempt()
        except FCError as failure:
            if not failure.retryable or self._options.retry.attempts == 1:
                raise
            return await self._retry(failure)

    async def _paced_attempt(self) -> Response[T]:
        """Wait for a slot under the rate limit, send, and tell the limiter how it went."""
        pace = self._pace
        sent = await self._slot(pace)
        try:
            response = await self.attempt(sent)
        except APIStatusError as error:
            is_limited = isinstance(error, RateLimitError)
            reason = error.reason if isinstance(error, RateLimitError) else None
            now = self._engine.clock.monotonic()
            pace.answered(sent, now, limited=is_limited, reason=reason)
            raise
        pace.answered(sent, self._engine.clock.monotonic(), limited=False)
        return response

    async def _slot(self, pace: Pace) -> float:
        clock = self._engine.clock
        now = clock.monotonic()
        if now + pace.wait_for(now) >= self._deadline:
            raise self._no_slot(pace.wait_for(now))
        wait = pace.reserve(now)
        if not wait:
            return now
        operation = self._request.call.operation
        logger.debug("%s: waits %.3f s under the rate limit", operation, wait)
        if self._engine.listens:
            self._engine.emit(LimiterWaiting(call=self._request.call, wait=wait))
        try:
            await clock.sleep(wait)
        except BaseException:
            pace.release(now + wait)
            raise
        return clock.monotonic()

    def _no_slot(self, wait: float) -> RateLimitError:
        sent = f"sent {self._attempts} time(s) before" if self._attempts else "nothing was sent"
        error = RateLimitError(
            f"no slot for {self._request.call.operation} under the rate limit for another "
            f"{wait:.1f} s, which is past this call's deadline; {sent}",
            status=429,
        )
        error.retryable = False
        error.retry_after = wait
        error.attempts = self._attempts
        error.idempotency_key = self._request.idempotency_key
        return error

    async def attempt(self, now: float) -> Response[T]:
        """Send the request once, within both its timeout and what is left of the deadline."""
        left = self._deadline - now
        self._attempts += 1
        self._unspent = 0
        answer: Answer | None = None
        outer = sys.exception()
        try:
            timeout = min(self._options.timeout, left)
            answer = await self._engine.transport.send(self._request, timeout)
            value = interpret(self._request, answer)
        except FCError as error:
            failure = self._explain(error, left)
            self._tell_attempt(now, answer, failure)
            _forget_frames(error, outer)
            if failure is error:
                raise
            raise failure from error
        except BaseException as error:
            self._tell_attempt(now, answer, error)
            raise
        self._tell_attempt(now, answer, None)
        return self._response(value, answer)

    def _response(self, value: T, answer: Answer) -> Response[T]:
        return Response(
            value=value,
            status=answer.status,
            headers=answer.headers,
            request_id=answer.headers.get("Request-Id"),
            idempotency_key=self._request.idempotency_key,
            idempotent_replayed=is_replay(answer.headers),
            attempts=self._attempts,
            elapsed=self._engine.clock.monotonic() - self._started,
        )

    def _explain(self, error: FCError, left: float) -> FCError:
        """Return *error* with what only the call knows written into it."""
        if isinstance(error, APITimeoutError) and left <= self._options.timeout:
            error = DeadlineExceededError(
                f"{self._request.call.operation} took longer than its deadline of "
                f"{self._options.deadline:g} s",
                may_have_executed=error.may_have_executed,
            )
        if isinstance(error, APIConnectionError | ProtocolError):
            # A later attempt that never reached Stripe says nothing about an earlier one.
            self._may_have_executed |= error.may_have_executed
            error.may_have_executed = self._may_have_executed
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

    async def _retry(self, first: FCError) -> Response[T]:
        failures = [first]

        async def replay_the_first_then_attempt() -> Response[T]:
            if failures:
                raise failures.pop()
            return await self._paced_attempt()

        retrying = tenacity.AsyncRetrying(
            sleep=self._engine.clock.sleep,
            retry=tenacity.retry_if_exception(_is_retryable),
            wait=self._wait,
            stop=self._stop,
            before_sleep=self._before_sleep,
            reraise=True,
        )
        return await retrying(replay_the_first_then_attempt)

    def _wait(self, state: tenacity.RetryCallState) -> float:
        failure = _failure(state)
        hint = retry_after(failure.headers) if isinstance(failure, APIStatusError) else None
        return self._options.retry.wait(
            self._attempts,
            self._engine.clock.draw(),
            rate_limited=isinstance(failure, RateLimitError),
            retry_after=hint,
        )

    def _stop(self, state: tenacity.RetryCallState) -> bool:
        if self._attempts >= self._options.retry.attempts:
            return True
        if self._engine.clock.monotonic() + state.upcoming_sleep >= self._deadline:
            return True
        is_limited = isinstance(_failure(state), RateLimitError)
        tokens = self._engine.quota.acquire(rate_limited=is_limited)
        if tokens is not None:
            self._tokens = self._unspent = tokens
        return tokens is None

    def _before_sleep(self, state: tenacity.RetryCallState) -> None:
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

    def _tell_attempt(
        self, sent: float, answer: Answer | None, error: BaseException | None
    ) -> None:
        if self._engine.listens:
            self._engine.emit(
                AttemptFinished(
                    call=self._request.call,
                    attempt=self._attempts,
                    elapsed=self._engine.clock.monotonic() - sent,
                    status=answer.status if answer else None,
                    request_id=answer.headers.get("Request-Id") if answer else None,
                    error=error,
                )
            )

    def _finish(self, error: BaseException | None, response: Response[T] | None = None) -> None:
        """Log and tell the end of the call."""
        elapsed = self._engine.clock.monotonic() - self._started
        status = response.status if response else getattr(error, "status", None)
        request_id = response.request_id if response else getattr(error, "request_id", None)
        logger.log(
            logging.DEBUG if error is None and self._attempts == 1 else logging.INFO,
            "%s: %s after %d attempt(s) in %.3f s (%s)",
            self._request.call.operation,
            status if error is None else type(error).__name__,
            self._attempts,
            elapsed,
            request_id,
        )
        if self._engine.listens:
            self._engine.emit(
                CallFinished(
                    call=self._request.call,
                    attempts=self._attempts,
                    elapsed=elapsed,
                    status=status,
                    request_id=request_id,
                    idempotent_replayed=bool(response and response.idempotent_replayed),
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


def _failure(state: tenacity.RetryCallState) -> FCError:
    assert state.outcome is not None  # noqa: S101 - tenacity asks after an attempt only
    failure = state.outcome.exception()
    assert isinstance(failure, FCError)  # noqa: S101 - nothing else is retried
    return failure
