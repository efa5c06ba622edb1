"""Waits for a refresh: Stripe accepts it immediately and completes it later."""

from collections.abc import Iterable, Iterator

from fcasync.models import Account, RefreshStatus

FIRST_POLL = 2.0
POLL_GROWTH = 1.6
LONGEST_POLL = 60.0


def pending(account: Account, features: Iterable[str]) -> list[str]:
    """Return the *features* whose refresh is still pending."""
    return [feature for feature in features if _is_pending(account, feature)]


def _is_pending(account: Account, feature: str) -> bool:
    refresh = account.refresh_of(feature)
    return refresh is not None and refresh.status == RefreshStatus.PENDING


def poll_intervals() -> Iterator[float]:
    """Yield the seconds between polls, without jitter: 2, growing by a factor of 1.6 up to 60."""
    interval = FIRST_POLL
    while True:
        yield interval
        interval = min(interval * POLL_GROWTH, LONGEST_POLL)
