"""Waits for a refresh: Stripe accepts it immediately and completes it later."""

from collections.abc import Iterable, Iterator

from fcasync.models import Account, RefreshStatus

REFRESH_FIELDS = {
    "balance": "balance_refresh",
    "ownership": "ownership_refresh",
    "transactions": "transaction_refresh",
}
"""The field of an account that holds the refresh of each feature."""

FIRST_POLL = 2.0
POLL_GROWTH = 1.6
LONGEST_POLL = 60.0


def pending(account: Account, features: Iterable[str]) -> list[str]:
    """Return the *features* whose refresh is still pending."""
    return [feature for feature in features if _status(account, feature) == RefreshStatus.PENDING]


def _status(account: Account, feature: str) -> str | None:
    refresh = getattr(account, REFRESH_FIELDS.get(feature, ""), None)
    return None if refresh is None else refresh.status


def poll_intervals() -> Iterator[float]:
    """Yield the seconds between polls, without jitter: 2, growing by a factor of 1.6 up to 60."""
    interval = FIRST_POLL
    while True:
        yield interval
        interval = min(interval * POLL_GROWTH, LONGEST_POLL)
