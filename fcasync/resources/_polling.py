"""Waiting for a refresh: Stripe accepts it at once and reads the bank in its own time."""

from collections.abc import Iterable, Iterator

from fcasync.models import Account, RefreshStatus

REFRESH_FIELDS = {
    "balance": "balance_refresh",
    "ownership": "ownership_refresh",
    "transactions": "transaction_refresh",
}
"""Which field of an account tells how the refresh of a feature stands."""

FIRST_POLL = 2.0
POLL_GROWTH = 1.6
LONGEST_POLL = 60.0


def pending(account: Account, features: Iterable[str]) -> list[str]:
    """Return those of *features* whose refresh is still under way."""
    return [feature for feature in features if _status(account, feature) == RefreshStatus.PENDING]


def _status(account: Account, feature: str) -> str | None:
    refresh = getattr(account, REFRESH_FIELDS.get(feature, ""), None)
    return None if refresh is None else refresh.status


def poll_intervals() -> Iterator[float]:
    """Yield the seconds between polls: 2, growing by 1.6 up to 60, before jitter."""
    interval = FIRST_POLL
    while True:
        yield interval
        interval = min(interval * POLL_GROWTH, LONGEST_POLL)
