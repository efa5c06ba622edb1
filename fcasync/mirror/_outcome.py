"""What became of one account."""

import attrs

from fcasync._facts.word import Word
from fcasync.bulk import Outcome
from fcasync.errors import FCError
from fcasync.models import Account


class SyncStatus(Word):
    """How an account ended."""

    SYNCED = "synced"
    """Everything that Stripe listed is in the tables."""
    SKIPPED = "skipped"
    """It was disconnected, or another mirror took it over; its rows stay as they are."""
    FAILED = "failed"
    """A request failed; the next run goes on from what is stored."""


@attrs.frozen(kw_only=True)
class SyncOutcome:
    """What became of one account; its rows are stored before it is seen."""

    account_id: str
    status: SyncStatus
    account: Account | None = None
    """As it was read before its transactions."""
    error: FCError | None = None
    """Why it failed."""
    reason: str | None = None
    """A machine-readable reason, for grouping: ``disconnected``, ``taken_over``, Stripe's error
    code; of a synced account ``not_refreshed`` (there has been no successful refresh yet) or
    ``permission_missing`` (only the account and its balance were stored)."""
    new: int = 0
    """Transactions that were added."""
    updated: int = 0
    """Transactions that changed."""
    void: int = 0
    """How many of both are void now."""
    refresh: Outcome | None = None
    """What became of the refresh; None if none was asked for."""
    stripe_account: str | None = None
    """The connected account it belongs to; None for the key's own."""
