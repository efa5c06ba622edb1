"""What an account object shows about an operation on it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs

from fcasync.bulk._outcome import OutcomeStatus
from fcasync.models import Account, RefreshFeature
from fcasync.resources._polling import attempted_at, opens_at, pending

PERMISSIONS = {"balance": "balances", "ownership": "ownership", "transactions": "transactions"}
"""The permission that each feature needs."""
_REFRESHED = frozenset(str(feature) for feature in RefreshFeature)
CLOCK_SLACK = 300
"""Dates of one server may differ by this much, in seconds."""


@attrs.frozen
class Verdict:
    """An end that follows from the account alone."""

    status: OutcomeStatus
    reason: str | None = None
    available_at: datetime | None = None

    @classmethod
    def too_early(cls, opens: datetime) -> "Verdict":
        """Return that a refresh is possible only when it *opens*."""
        return cls(OutcomeStatus.DEFERRED, "too_early", opens)


SUCCEEDED = Verdict(OutcomeStatus.SUCCEEDED)
ACCEPTED = Verdict(OutcomeStatus.ACCEPTED)
FRESH = Verdict(OutcomeStatus.SKIPPED, "fresh")
DRY_RUN = Verdict(OutcomeStatus.SKIPPED, "dry_run")


def disconnected(features: Sequence[str], account: Account, now: float) -> Verdict | None:
    """Skip an account that was disconnected, and no other."""
    if account.status == "disconnected":
        return Verdict(OutcomeStatus.SKIPPED, "disconnected")
    return None


def unusable(features: Sequence[str], account: Account, now: float) -> Verdict | None:
    """Skip an account that is not active or lacks a permission."""
    if account.status not in (None, "active"):
        return Verdict(OutcomeStatus.SKIPPED, str(account.status))
    if not _permitted(features, account):
        return Verdict(OutcomeStatus.SKIPPED, "permission_missing")
    return None


def not_refreshable(features: Sequence[str], account: Account, now: float) -> Verdict | None:
    """Skip an unusable account; defer one that takes its next refresh only after *now*."""
    return unusable(features, account, now) or _too_early(features, account, now)


def is_refreshing(features: Sequence[str], account: Account) -> bool:
    """Return whether a refresh of every one of *features* is pending already."""
    return len(pending(account, features)) == len(features)


def was_attempted(features: Sequence[str], account: Account, since: float) -> bool:
    """Return whether a refresh of every one of *features* was attempted not before *since*."""
    return all(attempted_at(account, feature) >= since for feature in features)


def refresh_began(features: Sequence[str], account: Account, sent_at: int) -> int:
    """Return the Unix time before which the refresh that *account* shows as accepted cannot be.

    Args:
        features: What is refreshed.
        account: As Stripe showed it when it accepted the refresh.
        sent_at: When the refresh was asked for.
    """
    attempted = min((attempted_at(account, name) for name in _known(features)), default=0.0)
    if is_refreshing(features, account) or attempted >= sent_at - CLOCK_SLACK:
        return int(attempted)
    return sent_at - CLOCK_SLACK


def refresh_settled(features: Sequence[str], account: Account, since: float) -> Verdict | None:
    """Return how the refresh of *features* ended at the bank, or None if *account* cannot show it.

    It cannot while one is pending, and not if one was last attempted before *since*.
    """
    known = _known(features)
    if pending(account, known) or not was_attempted(known, account, since):
        return None
    failed = [name for name in known if _refresh_status(account, name) == "failed"]
    if failed:
        return Verdict(OutcomeStatus.FAILED, f"{'_and_'.join(failed)}_refresh_failed")
    return SUCCEEDED


def is_fresh(features: Sequence[str], account: Account, since: float) -> bool:
    """Return whether the latest refresh of every one of *features* succeeded not before *since*."""
    return was_attempted(features, account, since) and all(
        _refresh_status(account, name) == "succeeded" for name in features
    )


def at_once(features: Sequence[str], account: Account, since: float) -> Verdict | None:
    """Return that the operation has succeeded: no bank takes part in it."""
    return SUCCEEDED


def _known(features: Sequence[str]) -> list[str]:
    """Return those of *features* whose refresh an account shows; Stripe may add others."""
    return [name for name in features if name in _REFRESHED]


def _permitted(features: Sequence[str], account: Account) -> bool:
    if account.permissions is None:
        return True
    return {PERMISSIONS.get(name, name) for name in features} <= set(account.permissions)


def _too_early(features: Sequence[str], account: Account, now: float) -> Verdict | None:
    opens = opens_at(account, features, datetime.fromtimestamp(now, UTC))
    return None if opens is None else Verdict.too_early(opens)


def _refresh_status(account: Account, feature: str) -> str | None:
    refresh = account.refresh_of(feature)
    return None if refresh is None else refresh.status
