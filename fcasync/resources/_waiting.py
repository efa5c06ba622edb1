"""Waits until Stripe has completed a refresh that it accepted."""

from collections.abc import Awaitable, Callable, Sequence
from typing import TypeAlias

from fcasync._facts.clock import Clock
from fcasync.errors import DeadlineExceededError, FCError
from fcasync.models import Account
from fcasync.resources._polling import attempted_at, poll_intervals, unsettled

Send: TypeAlias = Callable[[float], Awaitable[Account]]
"""Sends a request that ends within the seconds it is passed."""


async def refreshed(
    refresh: Send, look: Send, *, clock: Clock, features: Sequence[str], timeout: float, key: str
) -> Account:
    """Send the refresh, then look at the account until none of *features* is pending.

    Args:
        refresh: Requests the refresh.
        look: Retrieves the account.
        clock: The source of time, sleep and jitter.
        features: What is refreshed.
        timeout: Seconds from now until it gives up.
        key: The idempotency key of the refresh, for errors.

    Raises:
        DeadlineExceededError: The refresh is still pending after *timeout*.
        FCError: A request failed.
    """
    ends = clock.monotonic() + timeout
    seen = await refresh(timeout)
    # A poll may be answered with an older state, which shows how another refresh ended.
    since = {feature: attempted_at(seen, feature) for feature in features}
    try:
        for interval in poll_intervals():
            if not (waiting := unsettled(seen, features, since)):
                return seen
            left = ends - clock.monotonic()
            if left <= 0:
                raise _still_pending(waiting, seen, timeout)
            # Half of the interval is jitter, so that a thousand waiters do not poll at once.
            await clock.sleep(min(left, interval * (0.5 + clock.draw() / 2)))
            seen = await look(ends - clock.monotonic())
    except FCError as error:
        _after_the_post(error, key, seen)
        raise
    raise AssertionError("poll_intervals() never ends")


def _still_pending(
    features: Sequence[str], account: Account, timeout: float
) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"the refresh of {' and '.join(features)} of {account.id} is still pending after "
        f"{timeout:g} s; it continues at Stripe: retrieve the account later, or use webhooks",
        account=account,
    )


def _after_the_post(error: FCError, key: str, seen: Account) -> None:
    """Record in the error of a poll that the refresh before it was accepted."""
    error.idempotency_key, error.may_have_executed = key, True
    if isinstance(error, DeadlineExceededError):
        error.account = seen
