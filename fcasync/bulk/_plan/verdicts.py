"""What an account object tells about an operation on it."""

from collections.abc import Sequence
from datetime import UTC, datetime

import attrs

from fcasync.bulk._outcome import OutcomeStatus
from fcasync.models import Account
from fcasync.resources._polling import REFRESH_FIELDS, pending

PERMISSIONS = {"balance": "balances", "ownership": "ownership", "transactions": "transactions"}
"""The permission that each feature needs."""


@attrs.frozen
class Verdict:
    """An end that follows from the account alone."""

    status: OutcomeStatus
    reason: str | None = None
    available_at: datetime | None = None


def precheck(
    operation: str, features: Sequence[str], account: Account, now: float
) -> Verdict | None:
    """Return how the operation ends without being sent, or None if it should be sent.

    Args:
        operation: ``refresh``, ``subscribe``, ``unsubscribe`` or ``disconnect``.
        features: What it is asked for.
        account: As it was handed in or last seen.
        now: The server's Unix time.
    """
    if account.status == "disconnected":
        return Verdict(OutcomeStatus.SKIPPED, "disconnected")
    if operation not in ("refresh", "subscribe"):
        return None
    if account.status not in (None, "active"):
        return Verdict(OutcomeStatus.SKIPPED, str(account.status))
    if not _permitted(features, account):
        return Verdict(OutcomeStatus.SKIPPED, "permission_missing")
    return _too_early(features, account, now) if operation == "refresh" else None


def is_under_way(operation: str, features: Sequence[str], account: Account) -> bool:
    """Tell whether a refresh of every one of *features* is pending already."""
    return operation == "refresh" and len(pending(account, features)) == len(features)


def has_run(operation: str, features: Sequence[str], account: Account, since: float) -> bool:
    """Tell whether *account* shows that the operation was carried out.

    A refresh shows when it was last attempted, so one not before *since* (Unix time) is taken for
    ours. The others show in what the account is now.
    """
    match operation:
        case "refresh":
            return all(_attempted_at(account, feature) >= since for feature in features)
        case "subscribe":
            return set(features) <= set(account.subscriptions or ())
        case "unsubscribe":
            return set(features).isdisjoint(account.subscriptions or ())
        case _:
            return account.status == "disconnected"


def settled(features: Sequence[str], account: Account) -> Verdict | None:
    """Return how the refresh of *features* ended at the bank, or None if one is still pending."""
    if pending(account, features):
        return None
    failed = [name for name in features if _refresh_status(account, name) == "failed"]
    if failed:
        return Verdict(OutcomeStatus.FAILED, f"{'_and_'.join(failed)}_refresh_failed")
    return Verdict(OutcomeStatus.SUCCEEDED)


def _permitted(features: Sequence[str], account: Account) -> bool:
    if account.permissions is None:
        return True
    return {PERMISSIONS.get(name, name) for name in features} <= set(account.permissions)


def _too_early(features: Sequence[str], account: Account, now: float) -> Verdict | None:
    opens = [when for name in features if (when := _opens_at(account, name))]
    if not opens or max(opens) <= datetime.fromtimestamp(now, UTC):
        return None
    return Verdict(OutcomeStatus.DEFERRED, "too_early", max(opens))


def _opens_at(account: Account, feature: str) -> datetime | None:
    refresh = getattr(account, REFRESH_FIELDS.get(feature, ""), None)
    return None if refresh is None else refresh.next_refresh_available_at


def _attempted_at(account: Account, feature: str) -> float:
    refresh = getattr(account, REFRESH_FIELDS.get(feature, ""), None)
    if refresh is None or refresh.last_attempted_at is None:
        return 0.0
    attempted: datetime = refresh.last_attempted_at
    return attempted.timestamp()


def _refresh_status(account: Account, feature: str) -> str | None:
    refresh = getattr(account, REFRESH_FIELDS.get(feature, ""), None)
    return None if refresh is None else refresh.status
