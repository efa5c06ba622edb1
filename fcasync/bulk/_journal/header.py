"""What a journal is for: the one row that describes the job."""

from pathlib import Path
from uuid import uuid4

import attrs

from fcasync.errors import JournalError


@attrs.frozen(kw_only=True)
class Header:
    """The job of a journal."""

    id: str = attrs.field(factory=lambda: uuid4().hex)
    operation: str
    features: str
    """Sorted, with commas."""
    api_key: str
    """Mode and fingerprint of the key, never the key."""
    stripe_account: str | None
    stripe_version: str
    created: int
    """The server's Unix time."""


@attrs.frozen(kw_only=True)
class Standing:
    """How far the job of a journal has come; it changes while the header does not."""

    is_whole: bool = True
    """Whether the last run closed the journal."""
    rows: int = 0
    """Accounts in it."""
    acknowledged: int = 0
    """Number of the last outcome that the caller has certainly seen."""
    finished_at: int | None = None
    """The server's Unix time at which nothing was left to do."""


_COMPARED = {
    "operation": "operation",
    "features": "features",
    "api_key": "API key",
    "stripe_account": "stripe_account",
    "stripe_version": "stripe_version",
}


MANY = "many"
"""What stands for the connected account in the journal of a job over many."""


def compare(path: Path, found: Header, wanted: Header, *, is_named: bool = False) -> None:
    """Make sure that the journal at *path* is for the job that is *wanted*.

    Args:
        path: For the message.
        found: What the journal says.
        wanted: The job at hand.
        is_named: Whether its id follows from its name.

    Raises:
        JournalError: It is for another job.
    """
    if is_named and found.id != wanted.id:
        raise JournalError(
            f"{path} is the journal of a job with another name, or none; name another file, or "
            "repeat the call that made it",
            path=str(path),
        )
    for name, word in _COMPARED.items():
        ours, theirs = getattr(wanted, name), getattr(found, name)
        if ours != theirs:
            raise JournalError(
                f"{path} is the journal of another job ({word}: {theirs or 'none'}, not "
                f"{ours or 'none'}); name another file, or repeat the call that made it",
                path=str(path),
            )
