"""From the bytes of a body to JSON: all that is JSON, and nothing else."""

import json
from typing import NoReturn

import orjson


def parse(body: bytes) -> object:
    """Return the JSON value in *body*.

    Raises:
        ValueError: It is not JSON. The error may hold the whole body: do not chain it.
    """
    try:
        return orjson.loads(body)
    except orjson.JSONDecodeError:
        return _parse_leniently(body)


def _parse_leniently(body: bytes) -> object:
    """Parse what orjson refuses and JSON allows: half a surrogate pair in a string."""
    try:
        text = body.decode()
        return json.loads(text, parse_constant=_no_constant, parse_float=_finite, parse_int=_int)
    except RecursionError as error:
        raise ValueError("it is nested too deep") from error


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    value = float(text)
    if value in (float("inf"), float("-inf")):
        raise ValueError("a number is out of range")
    return value


def _int(text: str) -> int:
    if len(text) > 20:
        raise ValueError("a number is out of range")
    return int(text)
