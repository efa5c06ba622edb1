"""Waits for a refresh: Stripe accepts it immediately and completes it later."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime
from typing import Any

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


def unsettled(account: Account, features: Iterable[str], since: Mapping[str, float]) -> list[str]:
    """Return the *features* whose refresh *account* does not show the end of.

    It is pending, or what is shown is an earlier refresh: last attempted before *since*, which
    holds a Unix time for each feature.
    """
    return [
        feature
        for feature in features
        if _status(account, feature) == RefreshStatus.PENDING
        or attempted_at(account, feature) < since[feature]
    ]


def attempted_at(account: Account, feature: str) -> float:
    """Return the Unix time of the latest refresh of *feature*; 0.0 if *account* shows none."""
    refresh = refresh_of(account, feature)
    if refresh is None or refresh.last_attempted_at is None:
        return 0.0
    attempted: datetime = refresh.last_attempted_at
    return attempted.timestamp()


def refresh_of(account: Account, feature: str) -> Any:
    """Return the latest refresh of *feature*; None if there is none, or none is known."""
    return getattr(account, REFRESH_FIELDS.get(feature, ""), None)


def _status(account: Account, feature: str) -> str | None:
    refresh = refresh_of(account, feature)
    return None if refresh is None else refresh.status


def poll_intervals() -> Iterator[float]:
    """Yield the seconds between polls, without jitter: 2, growing by a factor of 1.6 up to 60."""
    interval = FIRST_POLL
    while True:
        yield interval
        interval = min(interval * POLL_GROWTH, LONGEST_POLL)
