"""Idempotency keys that a restarted job computes again instead of remembering them."""

from base64 import b32encode
from collections.abc import Iterable
from hashlib import sha256


def idempotency_key(
    job_id: str, account_id: str, operation: str, features: Iterable[str], generation: int
) -> str:
    """Return the key of one account in one job: ``fca1-`` and 40 characters.

    The same arguments give the same key in every process, so a repeat is recognized by Stripe
    for the 24 hours that it remembers keys (how long one may be used, `decisions.py` says).
    *generation* counts up when a key is spent.
    """
    text = "|".join((job_id, account_id, operation, ",".join(features), str(generation)))
    # 25 bytes are exactly 40 characters of base32, and more than enough to never collide.
    return "fca1-" + b32encode(sha256(text.encode()).digest()[:25]).decode("ascii")
