"""Stripe's form encoding: ``application/x-www-form-urlencoded`` with brackets for nesting.

    {"account_holder": {"customer": "cus_1"}, "features": ["balance"]}
    account_holder[customer]=cus_1&features[0]=balance

Brackets are sent raw, as the official SDKs do; everything else outside RFC 3986's unreserved
characters is percent-encoded from UTF-8.
"""

import math
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from enum import Enum
from typing import Any
from urllib.parse import quote, unquote_plus

from fcasync.errors import InvalidArgumentError, describe

_LARGEST_INT = 2**63 - 1
_LISTS = (list, tuple)

MAX_DEPTH = 8
"""Deepest nesting; Stripe's own parameters need three levels."""


def encode(params: Mapping[str, Any]) -> str:
    """Return *params* in Stripe's form encoding, in the order given.

    None in a mapping is left out; an aware datetime becomes whole Unix seconds, rounded down;
    an Enum becomes its value; an object with an ``id`` becomes that id.

    Raises:
        InvalidArgumentError: A value has no meaning in the encoding: None in a list, a naive
            datetime, a date, a set, bytes, NaN, an infinity, an integer beyond 64 bits, a name
            that is not a string, or nesting deeper than :data:`MAX_DEPTH`.
    """
    pairs: list[str] = []
    _add_all(params, "", pairs)
    return "&".join(pairs)


def _add_all(params: Mapping[str, Any], prefix: str, pairs: list[str]) -> None:
    if prefix and prefix.count("[") >= MAX_DEPTH:
        raise InvalidArgumentError(f"{prefix[:80]} is nested more than {MAX_DEPTH} deep")
    for name, value in params.items():
        if type(name) is not str:
            raise InvalidArgumentError(f"{prefix}: a name must be a string, not {describe(name)}")
        if value is not None:
            part = name if name.isascii() and name.isidentifier() else quote(name, safe="")
            _add(f"{prefix}[{part}]" if prefix else part, value, pairs)


def _add(key: str, value: Any, pairs: list[str]) -> None:
    if type(value) is str:
        pairs.append(f"{key}={_text(value, key)}")
    elif isinstance(value, _LISTS):
        for index, item in enumerate(value):
            if item is None:
                raise InvalidArgumentError(f"{key}[{index}] is None; leave the item out instead")
            _add(f"{key}[{index}]", item, pairs)
    elif isinstance(value, Mapping):
        # An empty name is legal at the top only, where it has no brackets to stand in.
        _add_all(value, key, pairs)
    else:
        pairs.append(f"{key}={_text(_scalar(value, key), key)}")


def _scalar(value: Any, key: str) -> str:
    if isinstance(value, Enum):
        value = value.value
    match value:
        case str():
            return str.__str__(value)  # its characters, whatever a subclass says of itself
        case bool():
            return "true" if value else "false"
        case int() if abs(value) <= _LARGEST_INT:
            return str(value)
        case float() if math.isfinite(value):
            return repr(value)
        case datetime() if value.utcoffset() is not None:
            return str(math.floor(value.astimezone(UTC).timestamp()))
        case datetime():
            raise InvalidArgumentError(
                f"{key} is a datetime without a time zone; use datetime.now(UTC)"
            )
        case date():
            raise InvalidArgumentError(f"{key} is a date; Stripe takes instants, give a datetime")
    if isinstance(object_id := getattr(value, "id", None), str):
        return str.__str__(object_id)
    raise InvalidArgumentError(
        f"{key} must be a string, number, boolean, aware datetime, list or mapping, "
        f"not {describe(value)}"
    )


def _text(text: str, key: str) -> str:
    # Ids and words need no quoting, and seeing that is much faster than quote().
    if text.isascii() and text.isidentifier():
        return text
    try:
        return quote(text, safe="")
    except UnicodeEncodeError:
        raise InvalidArgumentError(f"{key} holds half a character: {describe(text)}") from None


def decode(text: str) -> dict[str, Any]:
    """Return the nested parameters that *text* encodes; every leaf is a string.

    Takes both list forms (``a[0]=x`` and ``a[]=x``) and raw or percent-encoded brackets. A
    mapping whose keys are all indices is a list, in their order; a repeated scalar keeps its last
    value.

    Raises:
        ValueError: A name cannot be read: unbalanced brackets, nesting deeper than
            :data:`MAX_DEPTH`, one name used both for a value and for a nesting, or bytes that
            are not UTF-8.
    """
    tree: dict[str, Any] = {}
    for pair in text.split("&"):
        if pair:
            name, _, value = pair.partition("=")
            _insert(tree, _path(unquote_plus(name, errors="strict")), _unquote(value))
    return {name: _with_lists(value) for name, value in tree.items()}


def _unquote(text: str) -> str:
    return unquote_plus(text, errors="strict")


def _path(name: str) -> list[str]:
    head, bracket, rest = name.partition("[")
    if not bracket:
        return [head]
    if not rest.endswith("]"):
        raise ValueError(f"unbalanced brackets in parameter {name!r}")
    path = [head, *rest[:-1].split("][")]
    if any("[" in part or "]" in part for part in path):
        raise ValueError(f"unbalanced brackets in parameter {name!r}")
    if len(path) > MAX_DEPTH:
        raise ValueError(f"parameter {name[:80]!r} is nested more than {MAX_DEPTH} deep")
    return path


def _insert(tree: dict[str, Any], path: Sequence[str], value: str) -> None:
    node = tree
    for depth, part in enumerate(path[:-1]):
        key = _next_index(node) if part == "" and depth else part
        node = node.setdefault(key, {})
        if not isinstance(node, dict):
            raise ValueError(f"parameter {path[0]!r} is both a value and a nesting")
    last = path[-1]
    key = _next_index(node) if last == "" and len(path) > 1 else last
    if isinstance(node.get(key), dict):
        raise ValueError(f"parameter {path[0]!r} is both a value and a nesting")
    node[key] = value


def _next_index(node: dict[str, Any]) -> str:
    return str(len(node))


def _with_lists(node: Any) -> Any:
    if not isinstance(node, dict):
        return node
    children = {name: _with_lists(value) for name, value in node.items()}
    if children and all(name.isascii() and name.isdigit() for name in children):
        return [children[name] for name in sorted(children, key=int)]
    return children
