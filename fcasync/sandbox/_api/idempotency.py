"""Stripe's idempotency layer (https://docs.stripe.com/api/idempotent_requests).

A result is kept for 24 hours from the first request with its key, whatever its status, and sent
to every repeat. Refusals before the operation begins (no key, too fast, bad parameters)
are not results and are not kept.
"""

import hashlib
from typing import Any

import attrs
import orjson

from fcasync.sandbox._api import error_bodies

LIFETIME = 24 * 3600
LONGEST_KEY = 255


@attrs.frozen
class Result:
    """A result kept under a key."""

    status: int
    body: bytes
    request_id: str


@attrs.frozen
class _Record:
    fingerprint: bytes
    """Of the request that used the key first."""
    first_used: float
    busy_until: float
    """When that request has been answered; until then the key is in use."""
    result: Result | None
    """None if the request ended without a result."""


def fingerprint(method: str, path: str, params: dict[str, Any]) -> bytes:
    """Return what must be equal for two requests to be the same request."""
    data = orjson.dumps([method, path, params], option=orjson.OPT_SORT_KEYS)
    return hashlib.blake2b(data, digest_size=16).digest()


class Keys:
    """The keys of one account."""

    def __init__(self) -> None:
        self._records: dict[str, _Record] = {}
        """By key, in the order of first use, so that the oldest are at the front."""

    def __len__(self) -> int:
        return len(self._records)

    def copy(self) -> "Keys":
        """Return keys that change on their own from here on."""
        twin = Keys()
        twin._records = self._records.copy()
        return twin

    def find(self, key: str, fingerprint: bytes, now: float) -> Result | None:
        """Return the result kept under *key*, or None if it is new or has expired.

        Raises:
            ApiError: The key belongs to another request, or its request is still in progress.
        """
        record = self._records.get(key)
        if record is None or now - record.first_used >= LIFETIME:
            return None
        if record.fingerprint != fingerprint:
            raise error_bodies.ApiError(
                400,
                f"The idempotency key '{key}' was first used with other parameters; "
                "a new request needs a new key.",
                type="idempotency_error",
            )
        if now < record.busy_until:
            raise error_bodies.ApiError(
                409,
                f"Another request with the idempotency key '{key}' is still in progress.",
                type="idempotency_error",
                code="idempotency_key_in_use",
            )
        return record.result

    def keep(
        self, key: str, fingerprint: bytes, now: float, busy_until: float, result: Result | None
    ) -> None:
        """Keep *result* (None: there was no result), in use until *busy_until*."""
        self._records.pop(key, None)
        self._records[key] = _Record(fingerprint, now, busy_until, result)
        self._forget(now)

    def _forget(self, now: float) -> None:
        while self._records:
            oldest = next(iter(self._records))
            if now - self._records[oldest].first_used < LIFETIME:
                return
            del self._records[oldest]

    def dump(self) -> list[list[Any]]:
        """Return the keys that are in use or have a result, as JSON."""
        return [
            [key, record.fingerprint.hex(), record.first_used, *_dump(record.result)]
            for key, record in self._records.items()
            if record.result is not None
        ]

    def load(self, rows: list[list[Any]]) -> None:
        """Take over what :meth:`dump` returned."""
        for key, digest, first_used, status, body, request_id in rows:
            result = Result(status, body.encode(), request_id)
            self._records[key] = _Record(bytes.fromhex(digest), first_used, 0.0, result)


def _dump(result: Result | None) -> tuple[Any, ...]:
    return () if result is None else (result.status, result.body.decode(), result.request_id)
