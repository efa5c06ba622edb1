"""Checks a ``Stripe-Signature`` and reads the event behind it."""

import hmac
import math
import re
from collections.abc import Sequence
from typing import Final, TypeAlias, cast

import orjson

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._facts.signature import compute, header
from fcasync.errors import (
    InvalidArgumentError,
    ProtocolError,
    SignatureVerificationError,
    WebhookPayloadError,
    describe,
)
from fcasync.models._convert import decoder
from fcasync.models.event import AnyEvent, Event

MAX_BODY: Final = 1024 * 1024
"""Longest body that is looked at, in bytes; Stripe's events are a few kilobytes."""

MAX_HEADER: Final = 4096
"""Longest ``Stripe-Signature`` that is looked at, in characters."""

MAX_SIGNATURES: Final = 16
"""Most ``v1`` signatures that are compared; Stripe sends one per secret in rotation."""

_TIMESTAMP: Final = re.compile(r"[0-9]{1,12}")
_SECRET: Final = re.compile(r"[\x21-\x7e]+")

Payload: TypeAlias = bytes | bytearray | memoryview | str


def construct_event(
    payload: Payload,
    sig_header: str | None,
    secret: str | Sequence[str],
    tolerance: float = 300,
    *,
    clock: Clock = SYSTEM_CLOCK,
) -> AnyEvent:
    """Return the event in a webhook, once its signature is proven.

    Args:
        payload: The request's raw body. Parsed and serialised again, it would no longer be what
            Stripe signed.
        sig_header: The ``Stripe-Signature`` header.
        secret: The endpoint's ``whsec_...`` secret; several while one replaces another.
        tolerance: Most seconds between Stripe's clock and this one, in either direction.
        clock: Where the time comes from.

    Returns:
        The event, with an `Account` or `Authorization` in ``.data.object``; with a dict when its
        type is not one of `EventType`.

    Raises:
        InvalidArgumentError: A secret is empty, the payload is not the raw body, and the like.
        SignatureVerificationError: Stripe did not send this, or not now.
        WebhookPayloadError: Stripe sent it, and it is not an event.
    """
    body = _raw(payload)
    secrets = _check_secrets(secret)
    _check_tolerance(tolerance)
    if len(body) > MAX_BODY:
        raise SignatureVerificationError(f"The body is longer than {MAX_BODY} bytes.")
    timestamp, signatures = _parse(sig_header)
    _check_mac(body, secrets, timestamp, signatures)
    # The MAC covers the time, so from here on it is Stripe's own word.
    _check_age(clock.time() - timestamp, tolerance)
    return _read(body)


def sign(payload: Payload, secret: str, timestamp: int) -> str:
    """Return the ``Stripe-Signature`` header with which Stripe would send *payload*.

    Args:
        payload: The body to be sent.
        secret: The endpoint's ``whsec_...`` secret.
        timestamp: When it is sent, as a Unix time in whole seconds.

    Raises:
        InvalidArgumentError: A secret is empty, the time is not whole, and the like.
    """
    _check_secrets(secret)
    if type(timestamp) is not int or timestamp < 0:
        raise InvalidArgumentError(
            f"timestamp is a Unix time in whole seconds, not {describe(timestamp)}."
        )
    return header(_raw(payload), secret, timestamp)


def _raw(payload: object) -> bytes:
    if isinstance(payload, str):
        # A lone surrogate was never on the wire; whatever it becomes, the MAC will not match.
        return payload.encode(errors="surrogatepass")
    if isinstance(payload, bytes | bytearray | memoryview):
        return bytes(payload)
    raise InvalidArgumentError(
        f"payload is of type {type(payload).__name__}: pass the raw body, the bytes that Stripe "
        "sent and signed, not what a JSON parser made of them."
    )


def _check_secrets(secret: object) -> list[str]:
    secrets = list(secret) if isinstance(secret, list | tuple) else [secret]
    # Anyone can sign with an empty secret, so one is too many wherever it stands.
    if not secrets or not all(
        isinstance(each, str) and _SECRET.fullmatch(each) for each in secrets
    ):
        raise InvalidArgumentError(
            "A webhook secret is missing, empty, or holds blanks or other characters that no "
            "whsec_... has."
        )
    return cast(list[str], secrets)


def _check_tolerance(tolerance: object) -> None:
    if isinstance(tolerance, int | float) and math.isfinite(tolerance) and tolerance >= 0:
        return
    raise InvalidArgumentError(f"tolerance is in seconds, 0 or more, not {describe(tolerance)}.")


def _parse(value: object) -> tuple[int, list[bytes]]:
    """Return the time and the ``v1`` signatures of a ``Stripe-Signature`` header."""
    if not isinstance(value, str) or not value:
        raise SignatureVerificationError("The request has no Stripe-Signature header.")
    if len(value) > MAX_HEADER:
        raise SignatureVerificationError(f"The signature is longer than {MAX_HEADER} characters.")
    pairs = [pair.partition("=") for pair in value.split(",")]
    times = [entry for scheme, _, entry in pairs if scheme == "t"]
    # Older schemes are ignored: accepting them would let anyone choose the weakest.
    signatures = [entry for scheme, _, entry in pairs if scheme == "v1"]
    if len(times) != 1 or not _TIMESTAMP.fullmatch(times[0]):
        raise SignatureVerificationError("The signature does not hold exactly one timestamp (t=).")
    if not 0 < len(signatures) <= MAX_SIGNATURES:
        raise SignatureVerificationError(
            f"The signature holds {len(signatures)} entries of scheme v1, not 1 to "
            f"{MAX_SIGNATURES}."
        )
    return int(times[0]), [entry.encode(errors="surrogatepass") for entry in signatures]


def _check_mac(body: bytes, secrets: list[str], timestamp: int, signatures: list[bytes]) -> None:
    expected = [compute(body, secret, timestamp).encode() for secret in secrets]
    if not any(hmac.compare_digest(mine, its) for mine in expected for its in signatures):
        raise SignatureVerificationError(
            "No signature fits: the body was changed on its way (pass it raw), the secret is "
            "another endpoint's, or Stripe did not send this."
        )


def _check_age(age: float, tolerance: float) -> None:
    if abs(age) > tolerance:
        when = "ago" if age > 0 else "ahead"
        raise SignatureVerificationError(
            f"Stripe signed this {abs(age):.0f} s {when}, by this machine's clock; the tolerance "
            f"is {tolerance:g} s."
        )


def _read(body: bytes) -> AnyEvent:
    try:
        return cast(AnyEvent, decoder(Event)(orjson.loads(body)))
    except orjson.JSONDecodeError as error:
        raise WebhookPayloadError(f"The webhook is not JSON: {error}") from error
    except ProtocolError as error:
        raise WebhookPayloadError(f"The webhook is not an event: {error}") from error
