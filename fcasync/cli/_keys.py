"""Keys in the place of an id: they would be sent, printed, and written into a journal."""

from collections.abc import Iterable

from fcasync._facts.redact import without_secrets
from fcasync.cli._common import USAGE, Failure


def refuse_keys(words: Iterable[object], where: str | None = None) -> None:
    """Check that none of *words* looks like a secret; what is not text is left to others.

    Args:
        words: What is to be an id, or a file.
        where: The file and the line that they come from; None for the command itself.

    Raises:
        Failure: One does; the message shows no more of it than its kind.
    """
    for word in words:
        if not isinstance(word, str) or (shown := without_secrets(word)) == word:
            continue
        if where is not None:
            raise Failure(f"{where}: not an id; it looks like a secret", USAGE)
        raise Failure(
            f"{shown} looks like a secret, where an id or a file is expected; "
            "a key goes into STRIPE_API_KEY or --api-key",
            USAGE,
        )
