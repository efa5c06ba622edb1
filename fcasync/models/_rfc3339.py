"""Instants as RFC 3339 text, which Stripe's v2 API sends in place of Unix seconds."""

import re
from datetime import UTC, datetime
from typing import Final

RFC3339: Final = "RFC 3339"
"""Marks a field: ``Annotated[datetime, RFC3339]``."""

_TEXT: Final = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?"
    r"(?:[Zz]|[+-][0-9]{2}:[0-9]{2})"
)


def read(value: object) -> datetime:
    """Return *value* as an aware UTC datetime; what is finer than a microsecond is cut off.

    Raises:
        TypeError: It is not text.
        ValueError: It is not a date and time with an offset from UTC, or not in years 1 to 9999.
    """
    if type(value) is not str:
        raise TypeError
    if not _TEXT.fullmatch(value):
        raise ValueError
    try:
        return datetime.fromisoformat(value.upper()).astimezone(UTC)
    except OverflowError as error:
        raise ValueError from error


def can_be_read(value: object) -> bool:
    """Return whether :func:`read` accepts *value*."""
    try:
        read(value)
    except (TypeError, ValueError):
        return False
    return True


def written(instant: datetime) -> str:
    """Return *instant* in Stripe's form, with milliseconds, or with microseconds if it has any."""
    spec = "microseconds" if instant.microsecond % 1000 else "milliseconds"
    return instant.astimezone(UTC).isoformat(timespec=spec).replace("+00:00", "Z")
