"""One call: a slot under the rate limit, an attempt, and retries if need be.

The first attempt runs inline; what only retries need is made after a failure.
"""

from typing import Generic, Protocol, TypeVar

from fcasync._facts.clock import Clock
from fcasync._rules.limiter import Limiter
from fcasync._rules.request import Request, Response
from fcasync._rules.retry_policy import RetryQuota
from fcasync._wire.attempts import Attempts, overdue
from fcasync._wire.line import Lines
from fcasync._wire.protocol import Transport
from fcasync._wire.reads import COUNTING
from fcasync._wire.reporting import Reporter
from fcasync._wire.retries import Retries
from fcasync.errors import APIStatusError, FCError, IdempotencyError, RateLimitError

T = TypeVar("T")


class Client(Protocol):
    """What a call needs of its client."""

    transport: Transport
    clock: Clock
    limiter: Limiter
    lines: Lines
    quota: RetryQuota
    reporter: Reporter


class Call(Generic[T]):
    """The state of one call."""

    __slots__ = ("_attempts", "_client", "_pace", "_request", "_retries")

    def __init__(self, client: Client, request: Request[T]) -> None:
        self._client = client
        self._request = request
        self._attempts = Attempts(request, client.transport, client.clock, client.reporter)
        self._retries: Retries | None = None  # made after the first failure
        options, operation = request.options, request.operation
        self._pace = client.limiter.pace(options.acting_for, operation.name)

    def response(self, value: T) -> Response[T]:
        """Return *value* with what its answer said about itself."""
        return self._attempts.response(value)

    async def run(self) -> T:
        """Carry it out, retries included, and return the value."""
        client = self._client
        try:
            if client.reporter.has_hooks:
                client.reporter.started(self._request)
            try:
                value = await self._paced_attempt()
            except FCError as failure:
                if not failure.retryable:
                    raise
                value = await self._retry(failure)
        except BaseException as error:
            if self._retries is not None:
                self._retries.ended()
            self._finish(error)
            raise
        if self._retries is None:
            client.quota.release()
        else:
            self._retries.succeeded()
        self._finish(None)
        return value

    async def _retry(self, failure: FCError) -> T:
        client, policy = self._client, self._request.options.retry
        self._retries = retries = Retries(policy, client.quota, client.clock, self._attempts)

        def report(failure: FCError) -> None:
            client.reporter.retrying(self._request, self._attempts.count, retries.wait, failure)

        try:
            return await retries.drive(failure, self._paced_attempt, report)
        except IdempotencyError as error:
            if not self._attempts.is_still_executing:
                raise
            # There is no time left to ask for the result of the attempt whose answer was lost.
            raise self._attempts.complete(error, overdue(self._request)) from error

    async def _paced_attempt(self) -> T:
        """Wait for a slot under the rate limit, send, and report to the limiter how it went."""
        pace = self._pace
        # The first attempt begins with the call: one look at the clock serves both.
        now = self._attempts.started if self._retries is None else self._client.clock.monotonic()
        if pace.operation.is_free and pace.tenant.is_free and now < self._attempts.deadline:
            pace.reserve(now)
        else:
            now = await self._slot(now)
        if self._retries is not None:
            self._retries.sent()
        try:
            value = await self._attempts.once(now)
        except APIStatusError as error:
            is_limited = isinstance(error, RateLimitError)
            reason = _scope(error) if isinstance(error, RateLimitError) else None
            pace.answered(now, self._attempts.ended, limited=is_limited, reason=reason)
            raise
        except BaseException:
            pace.lost()
            raise
        pace.answered(now, self._attempts.ended, limited=False)
        return value

    async def _slot(self, now: float) -> float:
        """Wait for a slot and return the time then.

        Raises:
            RateLimitError: None begins before the deadline.
            DeadlineExceededError: The deadline has passed already.
        """
        attempts, pace, lines = self._attempts, self._pace, self._client.lines
        if now >= attempts.deadline:
            raise attempts.complete(overdue(self._request))
        line = lines.get(pace)
        try:
            wait = line.certain_wait(now, attempts.deadline)
            if wait is not None:
                raise attempts.complete(self._no_slot(wait))
            wait = pace.wait_for(now)
            if wait or not line.is_empty:
                self._client.reporter.waiting(self._request, wait)
            begins = await line.wait(attempts.started, attempts.deadline)
        finally:
            lines.forget_empty(pace)
        if begins is None:
            wait = max(pace.wait_for(now), attempts.deadline - self._client.clock.monotonic())
            raise attempts.complete(self._no_slot(wait))
        return begins

    def _no_slot(self, wait: float) -> RateLimitError:
        sent = (
            f"sent {self._attempts.count} time(s) before"
            if self._attempts.count
            else "nothing was sent"
        )
        return RateLimitError(
            f"{self._request.operation.name} has no slot under the rate limit for another "
            f"{wait:.1f} s, longer than this call's deadline; {sent}",
            status=429,
            retryable=False,
            retry_after=wait,
        )

    def _finish(self, error: BaseException | None) -> None:
        """Count the end of the call, and report it."""
        reporter, attempts = self._client.reporter, self._attempts
        if self._request.method == "GET" and (reads := COUNTING.get()) is not None:
            reads.count += attempts.count
        if reporter.wants_end(error, attempts.count):
            now = attempts.ended if error is None else self._client.clock.monotonic()
            reporter.finished(
                self._request,
                attempts.answer if error is None else None,
                attempts=attempts.count,
                elapsed=now - attempts.started,
                error=error,
            )


def _scope(error: RateLimitError) -> str | None:
    return "resource-specific" if error.is_about_one_object else error.reason
