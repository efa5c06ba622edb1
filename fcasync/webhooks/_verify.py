"""Verifies a ``Stripe-Signature`` and parses the event that it signs."""

import hmac
import re
import sys
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._facts.frames import forgets_frames
from fcasync._facts.signature import compute, header
from fcasync.errors import (
    InvalidArgumentError,
    SignatureVerificationError,
    describe,
)
from fcasync.models.thin_event import AnyEvent
from fcasync.webhooks._read import read

MAX_BODY: Final = 1024 * 1024
"""The longest accepted body, in bytes; Stripe's events are a few kilobytes."""

MAX_HEADER: Final = 4096
"""The longest accepted ``Stripe-Signature``, in characters."""

MAX_SIGNATURES: Final = 16
"""The most accepted ``v1`` signatures; Stripe sends one per secret in rotation."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SECRET: Final = re.compile(r"(?!(?:sk|pk|rk)_)[\x21-\x7e]+")

Payload: TypeAlias = bytes | bytearray | memoryview | str


@forgets_frames
def construct_event(
    payload: Payload,
    sig_header: str | None,
    secret: str | Sequence[str],
    tolerance: float = 300,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> AnyEvent:
    """Verify the signature of a webhook and return its event.

    Args:
        payload: The raw body of the request. A body that was parsed and serialised again no longer
            matches the signature.
        sig_header: The value of the ``Stripe-Signature`` header.
        secret: The endpoint's ``whsec_...`` secret, or several while one replaces another.
        tolerance: The most seconds between Stripe's clock and this one, in either direction.
        clock: The source of the current time.

    Returns:
        The event: an `Event`, with an `Account` or `Authorization` in ``.data.object``, or with a
        dict if its type is not one of `EventType`; or a `ThinEvent`, if the endpoint gets those.

    Raises:
        InvalidArgumentError: A secret is empty, the payload is not the raw body, and the like.
        SignatureVerificationError: Stripe did not send this body, or did not send it just now.
        WebhookPayloadError: Stripe signed the body, but it is not an event.
    """
    body = _raw(payload)
    secrets = check_secrets(secret)
    check_tolerance(tolerance)
    if len(body) > MAX_BODY:
        raise SignatureVerificationError(f"body is longer than {MAX_BODY} bytes")
    timestamp, signatures = _parse(sig_header)
    _check_mac(body, secrets, timestamp, signatures)
    # The MAC covers the timestamp, so from here on it can be trusted.
    _check_age(clock.time() - timestamp, tolerance)
    return read(body)


@forgets_frames
def sign(payload: Payload, secret: str, timestamp: int | None = None) -> str:
    """Return the ``Stripe-Signature`` header that Stripe would send with *payload*.

    Args:
        payload: The body to be sent.
        secret: The endpoint's ``whsec_...`` secret.
        timestamp: When it is sent, as a Unix time in whole seconds; None for now.

    Raises:
        InvalidArgumentError: An argument is invalid, such as an empty secret.
    """
    check_secrets(secret)
    if timestamp is None:
        timestamp = int(SYSTEM_CLOCK.time())
    if type(timestamp) is not int or timestamp < 0:
        raise InvalidArgumentError(
            f"timestamp must be a Unix time in whole seconds, not {describe(timestamp)}"
        )
    return header(_raw(payload), secret, timestamp)


def _raw(payload: object) -> bytes:
    if isinstance(payload, str):
        # A lone surrogate cannot come from the wire; however it is encoded, the MAC will not match.
        return payload.encode(errors="surrogatepass")
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    raise InvalidArgumentError(
        f"payload must be the raw body that Stripe signed, not {type(payload).__name__}; pass the "
        "bytes of the request, before any JSON parser"
    )


def check_secrets(secret: object) -> list[str]:
    """Return the secrets as a list.

    Raises:
        InvalidArgumentError: There is none, or one cannot be a secret.
    """
    secrets = list(secret) if isinstance(secret, list | tuple) else [secret]
    # Anyone can sign with an empty secret, so a single one makes the list unsafe.
    if not secrets or not all(
        isinstance(each, str) and _SECRET.fullmatch(each) for each in secrets
    ):
        raise InvalidArgumentError(
            "webhook secret is missing, empty, an API key, or holds characters that are invalid in "
            "a secret; expected whsec_..."
        )
    return cast(list[str], secrets)


def check_tolerance(tolerance: object) -> float:
    """Return *tolerance*; it must be a number of seconds from 0."""
    if isinstance(tolerance, int | float) and 0 <= tolerance <= sys.float_info.max:
        return tolerance
    raise InvalidArgumentError(
        f"tolerance must be a number of seconds from 0, not {describe(tolerance)}"
    )


def _parse(value: object) -> tuple[int, list[bytes]]:
    """Return the timestamp and the ``v1`` signatures of a ``Stripe-Signature`` header."""
    if not isinstance(value, str) or not value:
        raise SignatureVerificationError("the request has no Stripe-Signature header")
    if len(value) > MAX_HEADER:
        raise SignatureVerificationError(f"Stripe-Signature is longer than {MAX_HEADER} characters")
    pairs = [pair.partition("=") for pair in value.split(",")]
    times = [entry for scheme, _, entry in pairs if scheme == "t"]
    # Other schemes are ignored: accepting them would let an attacker choose the weakest.
    signatures = [entry for scheme, _, entry in pairs if scheme == "v1"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]):
        raise SignatureVerificationError(
            "Stripe-Signature does not have exactly one timestamp (t=)"
        )
    if not 0 < len(signatures) <= MAX_SIGNATURES:
        raise SignatureVerificationError(
            f"Stripe-Signature has {len(signatures)} signatures of scheme v1, expected 1 to "
            f"{MAX_SIGNATURES}"
        )
    return int(times[0]), [entry.encode(errors="surrogatepass") for entry in signatures]


def _check_mac(body: bytes, secrets: list[str], timestamp: int, signatures: list[bytes]) -> None:
    expected = [compute(body, secret, timestamp).encode() for secret in secrets]
    if not any(hmac.compare_digest(mine, its) for mine in expected for its in signatures):
        raise SignatureVerificationError(
            "no signature matches: the body was changed (pass the raw bytes), the secret belongs "
            "to another endpoint, or Stripe did not send this request"
        )


def _check_age(age: float, tolerance: float) -> None:
    if abs(age) > tolerance:
        when = "ago" if age > 0 else "ahead"
        raise SignatureVerificationError(
            f"signature is dated {abs(age):.0f} s {when} by this machine's clock; the tolerance is "
            f"{tolerance:g} s"
        )
