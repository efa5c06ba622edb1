"""What the control plane is sent, read and checked; whatever does not fit is a ValueError."""

from collections.abc import Mapping
from typing import Any

import orjson

from fcasync.sandbox._bank.schema import Schema

LARGEST = 10**15
"""The largest number that is accepted anywhere."""


def mapping(body: Any) -> dict[str, Any]:
    """Return a JSON object."""
    if not isinstance(body, dict):
        raise ValueError("send a JSON object")
    return body


def text(data: Mapping[str, Any], name: str) -> str:
    """Return a string that has to be there."""
    value = data.get(name)
    if not isinstance(value, str):
        raise ValueError(f"{name} is missing or not a string")
    return value


def positive(body: Mapping[str, Any], name: str) -> float:
    """Return a number above 0."""
    value = body.get(name)
    if not isinstance(value, int | float) or isinstance(value, bool) or not 0 < value <= LARGEST:
        raise ValueError(f"{name} must be a number above 0")
    return float(value)


def number(query: Mapping[str, str], name: str, schema: Schema) -> int:
    """Return a number of a query, or the default of its *schema*."""
    sent = query.get(name, str(schema.get("default", "")))
    least, most = schema["minimum"], schema["maximum"]
    is_whole = sent.isascii() and sent.isdigit() and len(sent) <= 18
    if not is_whole or not least <= int(sent) <= most:
        raise ValueError(f"{name} {sent[:50]!r} is not a whole number from {least} to {most}")
    return int(sent)


def read_json(body: bytes) -> Any:
    """Return what *body* holds; an empty one is an empty object.

    Raises:
        ValueError: It is not JSON.
    """
    try:
        return orjson.loads(body) if body else {}
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from None
