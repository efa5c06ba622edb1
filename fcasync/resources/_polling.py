"""Waits for a refresh: Stripe accepts it immediately and completes it later."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import datetime

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


def unsettled(account: Account, features: Iterable[str], since: Mapping[str, float]) -> list[str]:
    """Return the *features* whose refresh *account* does not show the end of.

    It is pending, or what is shown is an earlier refresh: last attempted before *since*, which
    holds a Unix time for each feature.
    """
    return [
        feature
        for feature in features
        if _is_pending(account, feature) or attempted_at(account, feature) < since[feature]
    ]


def attempted_at(account: Account, feature: str) -> float:
    """Return the Unix time of the latest refresh of *feature*; 0.0 if *account* shows none."""
    refresh = account.refresh_of(feature)
    if refresh is None or refresh.last_attempted_at is None:
        return 0.0
    return refresh.last_attempted_at.timestamp()


def opens_at(account: Account, features: Iterable[str], now: datetime) -> datetime | None:
    """Return when all of *features* can be refreshed again; None if they can *now*.

    None also stands for an account that does not say so.
    """
    refreshes = [account.refresh_of(feature) for feature in features]
    opens = [each.next_refresh_available_at for each in refreshes if each is not None]
    last = max((when for when in opens if when is not None), default=now)
    return last if last > now else None


def poll_intervals() -> Iterator[float]:
    """Yield the seconds between polls, without jitter: 2, growing by a factor of 1.6 up to 60."""
    interval = FIRST_POLL
    while True:
        yield interval
        interval = min(interval * POLL_GROWTH, LONGEST_POLL)
