"""What became of one account."""

from datetime import datetime
from typing import Any

import attrs

from fcasync._facts.word import Word
from fcasync.errors import FCError
from fcasync.models import Account


class OutcomeStatus(Word):
    """How an account of a bulk job ended."""

    ACCEPTED = "accepted"
    """Stripe accepted the refresh and the bank has not answered yet: a refresh without
    ``wait=True``. ``outcome.account`` still holds the old balance."""
    SUCCEEDED = "succeeded"
    """Stripe carried out the operation; of a refresh, the bank has answered as well."""
    FAILED = "failed"
    """It was refused, could not be confirmed, or (``wait=True``) the bank reported a failure."""
    SKIPPED = "skipped"
    """The account cannot take the operation; nothing was done."""
    DEFERRED = "deferred"
    """A refresh is possible only later; nothing was done. The same job takes it up then."""
    PENDING = "pending"
    """Accepted, but the bank had not answered within ``wait_timeout``."""


@attrs.frozen(kw_only=True)
class Outcome:
    """What became of one account; on disk before it is seen."""

    account_id: str
    status: OutcomeStatus
    account: Account | None = None
    """As last seen; None when nothing came back, and in outcomes read from a journal."""
    error: FCError | None = None
    """Why it failed."""
    reason: str | None = None
    """A machine-readable reason, for grouping: Stripe's error code or one of fcasync's."""
    attempts: int = 0
    """Requests sent for it in the run that finished it; 429s do not count."""
    replayed: bool = False
    """Whether Stripe answered with the stored result of an earlier request of this job."""
    available_at: datetime | None = None
    """When a deferred account can be refreshed (UTC)."""
    again: bool = False
    """Whether an earlier run finished it, and may have handed it out already."""
    stripe_account: str | None = None
    """The connected account it belongs to; None for the job's own."""

    def to_dict(self) -> dict[str, Any]:
        """Return the outcome as plain data, for JSON and data frames.

        The error is its message, ``available_at`` is ISO 8601; the account is left out, which
        :func:`fcasync.to_dict` takes.
        """
        return {
            "account_id": self.account_id,
            "stripe_account": self.stripe_account,
            "status": str(self.status),
            "reason": self.reason,
            "error": None if self.error is None else str(self.error),
            "attempts": self.attempts,
            "replayed": self.replayed,
            "available_at": None if self.available_at is None else self.available_at.isoformat(),
            "again": self.again,
        }
