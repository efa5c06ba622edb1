"""The attempts of one call: send, interpret, and complete what went wrong."""

import sys
from typing import Generic, TypeVar

from fcasync._facts.clock import Clock
from fcasync._facts.frames import forget_frames
from fcasync._rules.interpret import interpret, is_replay, request_id
from fcasync._rules.request import Answer, Request, Response
from fcasync._wire.protocol import Transport
from fcasync._wire.reporting import Reporter
from fcasync.errors import (
    APIConnectionError,
    APITimeoutError,
    DeadlineExceededError,
    FCError,
    IdempotencyError,
    InvalidArgumentError,
    ProtocolError,
    ServerError,
)

T = TypeVar("T")


class Attempts(Generic[T]):
    """Sends one request any number of times, and keeps what the call must know of it.

    Args:
        request: What to send.
        transport: Sends it.
        clock: Monotonic time.
        reporter: Hears of the end of each attempt.
    """

    __slots__ = (
        "_clock",
        "_may_have_executed",
        "_reporter",
        "_request",
        "_sent",
        "_transport",
        "answer",
        "count",
        "deadline",
        "ended",
        "is_still_executing",
        "started",
    )

    def __init__(
        self, request: Request[T], transport: Transport, clock: Clock, reporter: Reporter
    ) -> None:
        self._request = request
        self._transport = transport
        self._clock = clock
        self._reporter = reporter
        self._may_have_executed = False  # whether a request that was sent may have taken effect
        self.answer: Answer | None = None
        """That of the latest attempt; None if it had none."""
        self.count = 0
        """Requests sent."""
        self.is_still_executing = False
        """Whether Stripe says that an attempt whose answer was lost is still being carried out."""
        self.started = self.ended = self._sent = clock.monotonic()
        """When the call began, and when its latest attempt ended."""
        self.deadline = self.started + request.options.deadline
        """When the call must be over."""

    async def once(self, now: float) -> T:
        """Send the request once, within both its timeout and what is left of the deadline."""
        left = self.deadline - now
        timeout = min(self._request.options.timeout, left)
        self.count += 1
        self.answer = None
        outer = sys.exception()
        try:
            self.answer = answer = await self._send(now, timeout)
            value = interpret(self._request, answer)
        except FCError as error:
            is_overdue = isinstance(error, APITimeoutError) and timeout == left
            if self.answer is not None and isinstance(error, ProtocolError):
                self.answer.discard()  # nothing else is to be read from that connection
            failure = self.complete(error, overdue(self._request) if is_overdue else None)
            self._end(now, failure)
            if isinstance(error, InvalidArgumentError) and self.answer is None:
                self._not_sent(error)
            forget_frames(error, outer)
            if failure is error:
                raise
            raise failure from error
        except BaseException as error:
            self._end(now, error)
            raise
        self._end(now, None)
        return value

    async def _send(self, now: float, timeout: float) -> Answer:
        """Send, and once more at once if the connection was closed while it was idle.

        The server had closed it before our bytes arrived, and the idempotency key covers the case
        in which it had not. It counts as an attempt, and costs no wait and no tokens.
        """
        request = self._request
        if (acting := self._reporter.acting) is not None:
            request = await acting.prepare(request, self._transport, self.count)
        try:
            return await self._transport.send(request, timeout)
        except APIConnectionError as error:
            left = now + timeout - self._clock.monotonic()
            if not error.is_stale or left <= 0 or self.count >= request.options.retry.attempts:
                raise
            self._may_have_executed |= error.may_have_executed
            self._end(now, error)
            self._sent = self.ended
            self.count += 1
        if acting is not None:
            request = await acting.prepare(self._request, self._transport, self.count)
        return await self._transport.send(request, left)

    def _not_sent(self, error: InvalidArgumentError) -> None:
        """Take note that the latest attempt was refused before anything was sent."""
        self.count -= 1
        error.attempts = self.count
        if self.count:
            error.not_retried = f"{self.count} request(s) were sent before"

    def complete(self, error: FCError, instead: FCError | None = None) -> FCError:
        """Add to *error* what only the call knows; nothing else does.

        Args:
            error: What went wrong.
            instead: The error to raise in its place, if it is another one.
        """
        is_in_use = isinstance(error, IdempotencyError) and error.status == 409
        if isinstance(error, IdempotencyError):
            # A key that is in use by our own earlier attempt, whose answer was lost: its result
            # is what the caller wants, so wait for it, unless Stripe says that it is no use.
            is_advised_against = error.headers.get("Stripe-Should-Retry") == "false"
            is_ours = is_in_use and self._may_have_executed
            self.is_still_executing = is_ours and not is_advised_against
            error.retryable |= self.is_still_executing
        else:
            self.is_still_executing = False
            is_broken = isinstance(error, ServerError) and self._request.has_effect
            self._may_have_executed |= error.may_have_executed or is_broken
        failure = error if instead is None else instead
        # A later attempt that never reached Stripe says nothing about an earlier one; and whoever
        # uses the key, the request under it may take effect.
        in_doubt = is_in_use and self._request.has_effect
        failure.may_have_executed = self._may_have_executed or in_doubt
        failure.attempts = self.count
        failure.idempotency_key = self._request.idempotency_key
        return failure

    def response(self, value: T) -> Response[T]:
        """Return *value* with what its answer said about itself."""
        answer = self.answer
        assert answer is not None  # noqa: S101 - there is no value without one
        return Response(
            value=value,
            status=answer.status,
            headers=answer.headers,
            request_id=request_id(answer.headers),
            idempotency_key=self._request.idempotency_key,
            idempotent_replayed=is_replay(answer.headers),
            attempts=self.count,
            elapsed=self.ended - self.started,
        )

    def _end(self, sent: float, error: BaseException | None) -> None:
        """Note the time, and report the end of an attempt."""
        self.ended = now = self._clock.monotonic()
        if self._reporter.has_hooks:
            elapsed = now - max(sent, self._sent)
            self._reporter.attempted(
                self._request, self.answer, attempt=self.count, elapsed=elapsed, error=error
            )


def overdue(request: Request[T]) -> DeadlineExceededError:
    """Return the error of a call whose time is up."""
    return DeadlineExceededError(
        f"{request.operation.name} took longer than its deadline of {request.options.deadline:g} s"
    )
