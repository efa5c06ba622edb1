"""The retries of one call: the only file that imports tenacity."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any, TypeVar

from fcasync._facts.clock import Clock
from fcasync._rules.interpret import retry_after
from fcasync._rules.retry_policy import RetryPolicy, RetryQuota
from fcasync._wire.attempts import Attempts
from fcasync.errors import APIStatusError, FCError, RateLimitError

if TYPE_CHECKING:
    import tenacity

T = TypeVar("T")

LEAST_PAUSE = 0.25
"""Seconds between two questions whether a request is through, also without any backoff."""

QUOTA_EMPTY = "not retried: this client's retry quota is empty, as in an outage"


class Retries:
    """Decides about each retry of one call, and makes tenacity carry them out.

    Made after the first failure, with a tenacity object of its own per call: shared ones mix up
    concurrent tasks.

    Args:
        policy: How often and after how long.
        quota: The retries that all calls of the client may still make.
        clock: Time, sleep and jitter.
        attempts: How many requests were sent, and by when the call must be over.
    """

    def __init__(
        self, policy: RetryPolicy, quota: RetryQuota, clock: Clock, attempts: Attempts[Any]
    ) -> None:
        self._policy = policy
        self._quota = quota
        self._clock = clock
        self._attempts = attempts
        # Attempts that the policy does not bound: those that met a 429 about the rate, and those
        # that asked for the result of one that was still being executed.
        self._slots = self._polls = 0
        self._tokens = 1  # what a success gives back to the quota
        self._unspent = 0  # tokens of a retry that was not sent yet
        self.wait = 0.0
        """Seconds until the retry that was just granted."""

    def grant(self, failure: BaseException) -> bool:
        """Decide about another attempt; if there is one, set its wait and take its tokens."""
        policy = self._policy
        if not isinstance(failure, FCError) or not failure.retryable or policy.attempts == 1:
            return False
        hint = retry_after(failure.headers) if isinstance(failure, APIStatusError) else None
        wait = self._wait_without_failure(failure, hint)
        if wait is not None:
            self.wait = wait
            return self._is_in_time()
        failures = self._attempts.count - self._slots - self._polls
        if failures >= policy.attempts:
            return False
        is_limited = isinstance(failure, RateLimitError)
        draw = self._clock.draw()
        self.wait = policy.wait(failures, draw, rate_limited=is_limited, retry_after=hint)
        if not self._is_in_time():
            return False
        tokens = self._quota.acquire(rate_limited=is_limited)
        if tokens is None:
            failure.not_retried = QUOTA_EMPTY
            return False
        self._tokens = self._unspent = tokens
        return True

    def _wait_without_failure(self, failure: FCError, hint: float | None) -> float | None:
        """Return the wait after what only the deadline bounds; None after a failure."""
        policy = self._policy
        if isinstance(failure, RateLimitError) and not failure.is_about_one_object:
            # Like all calls it waits for its next slot.
            self._slots += 1
            return min(hint or 0.0, policy.retry_after_slack)
        if self._attempts.is_still_executing:
            # Only an answer was lost: ask for it until the request is through.
            self._polls += 1
            draw = self._clock.draw()
            wait = policy.wait(self._polls, draw, rate_limited=False, retry_after=hint)
            return max(wait, LEAST_PAUSE)
        return None

    def _is_in_time(self) -> bool:
        return self._clock.monotonic() + self.wait < self._attempts.deadline

    async def drive(
        self, first: FCError, attempt: Callable[[], Awaitable[T]], report: Callable[[FCError], None]
    ) -> T:
        """Return what a later attempt returns.

        Args:
            first: The failure of the first attempt.
            attempt: Makes one attempt.
            report: Called with each failure before the wait that follows it.

        Raises:
            FCError: The last failure, when no further attempt was granted.
        """
        import tenacity  # noqa: PLC0415 - most programs begin without a failure

        if not self.grant(first):
            raise first
        report(first)
        await self._clock.sleep(self.wait)
        retrying = tenacity.AsyncRetrying(
            sleep=self._clock.sleep,
            retry=tenacity.retry_if_exception(self.grant),
            wait=lambda _: self.wait,
            before_sleep=lambda state: report(_failure(state)),
        )
        return await retrying(attempt)

    def sent(self) -> None:
        """Note that the retry that was granted was sent: its tokens are spent."""
        self._unspent = 0

    def succeeded(self) -> None:
        """Give back what the last retry took."""
        self._quota.release(self._tokens)

    def ended(self) -> None:
        """Give back the tokens of a retry that was never sent."""
        self._quota.release(self._unspent)


def _failure(state: "tenacity.RetryCallState") -> FCError:
    assert state.outcome is not None  # noqa: S101 - tenacity asks after an attempt only
    failure = state.outcome.exception()
    assert isinstance(failure, FCError)  # noqa: S101 - nothing else is retried
    return failure
