"""The MAC behind a ``Stripe-Signature`` header: scheme ``v1`` of Stripe's webhooks."""

import hashlib
import hmac


def compute(payload: bytes, secret: str, timestamp: int) -> str:
    """Return the hexadecimal HMAC-SHA256 of ``{timestamp}.{payload}``.

    The key is the whole secret string, including ``whsec_``
    (https://docs.stripe.com/webhooks#verify-manually).
    """
    message = b"%d." % timestamp + payload
    return hmac.new(secret.encode(), message, hashlib.sha256).hexdigest()


def header(payload: bytes, secret: str, timestamp: int) -> str:
    """Return the ``Stripe-Signature`` header value for *payload*."""
    return f"t={timestamp},v1={compute(payload, secret, timestamp)}"
