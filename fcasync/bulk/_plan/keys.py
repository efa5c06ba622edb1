"""Idempotency keys that a restarted job computes again instead of remembering them."""

from collections.abc import Iterable
from hashlib import sha256

_ALPHABET = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".ljust(256)
"""Of base32 (RFC 4648, section 6), by the value of a character."""


def idempotency_key(
    job_id: str,
    account_id: str,
    operation: str,
    features: Iterable[str],
    generation: int,
    stripe_account: str = "",
) -> str:
    """Return the key of one account in one job: ``fca1-`` and 40 characters.

    The same arguments give the same key in every process, so a repeat is recognized by Stripe
    for the 24 hours that it remembers keys (how long one may be used, `decisions.py` says).
    *generation* counts up when a key is spent. *stripe_account* is the tenant of a job over many,
    and no part of the text in a job for one account.
    """
    parts = (job_id, account_id, operation, ",".join(features), str(generation))
    text = "|".join((stripe_account, *parts) if stripe_account else parts)
    # 25 bytes are exactly 40 characters of base32, and more than enough to never collide.
    return "fca1-" + base32(sha256(text.encode()).digest()[:25])


def base32(data: bytes) -> str:
    """Return the base32 of 25 bytes, as `base64.b32encode` does in three times the time.

    Seen as one number, its 40 groups of five bits are spread over 40 bytes, all at once: the upper
    half of the groups moves to where it belongs, then the upper half of each half, and so on.
    """
    number = int.from_bytes(data, "big")
    for lower, upper, distance in _SPREAD:
        number = (number & lower) | ((number & upper) << distance)
    return number.to_bytes(40, "big").translate(_ALPHABET).decode("ascii")


def _spread() -> Iterable[tuple[int, int, int]]:
    """Yield, for blocks of 64, 32, ... 2 groups: both halves of each block, and how far to move."""
    half = 32
    while half:
        ones = (1 << 5 * half) - 1
        lower = sum(ones << place for place in range(0, 8 * 64, 8 * 2 * half))
        yield lower, lower << 5 * half, 3 * half
        half //= 2


_SPREAD = tuple(_spread())
