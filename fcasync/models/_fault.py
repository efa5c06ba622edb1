"""Finds the place where JSON does not fit a model; called only after decoding has failed."""

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

import attrs

from fcasync.errors import describe
from fcasync.models._build import hints, open_enum, without_none
from fcasync.models._instant import MAX, MIN

_LEAVES: dict[Any, tuple[type, str]] = {
    str: (str, "a string"),
    bool: (bool, "true or false"),
    int: (int, "a whole number"),
    dict[str, Any]: (dict, "an object"),
}


def first_fault(value: object, cls: Any) -> str:
    """Return the first fault as ``$.data[3].created: expected a Unix time, not 'abc'``."""
    return next(_faults(value, cls, "$"), f"$: does not fit {cls}")


def _faults(value: Any, kind: Any, path: str) -> Iterator[str]:
    find = next((find for fits, find in _BY_KIND if fits(kind)), _object)
    return find(value, kind, path)


def _leaf(value: object, kind: Any, path: str) -> Iterator[str]:
    exact, name = _LEAVES[kind]
    if type(value) is not exact:
        yield f"{path}: expected {name}, not {_shown(value)}"


def _enum(value: object, _: Any, path: str) -> Iterator[str]:
    return _leaf(value, str, path)


def _instant(value: object, _: Any, path: str) -> Iterator[str]:
    if type(value) is not int or not MIN <= value <= MAX:
        yield f"{path}: expected a Unix time, not {_shown(value)}"


def _constant(value: object, kind: Any, path: str) -> Iterator[str]:
    (constant,) = get_args(kind)
    if value != constant:
        yield f"{path}: expected {constant!r}, not {_shown(value)}"


def _list(value: object, kind: Any, path: str) -> Iterator[str]:
    (item,) = get_args(kind)
    if type(value) is not list:
        yield f"{path}: expected a list, not {_shown(value)}"
        return
    for index, entry in enumerate(value):
        yield from _faults(entry, item, f"{path}[{index}]")


def _amounts(value: object, _: Any, path: str) -> Iterator[str]:
    if type(value) is not dict:
        yield f"{path}: expected an object, not {_shown(value)}"
        return
    for currency, amount in value.items():
        yield from _leaf(amount, int, f"{path}.{currency}")


def _expandable(value: object, kind: Any, path: str) -> Iterator[str]:
    if type(value) is dict:
        yield from _object(value, kind[1], path)
    elif type(value) is not str:
        yield f"{path}: expected an id or an object, not {_shown(value)}"


def _object(value: object, cls: Any, path: str) -> Iterator[str]:
    if type(value) is not dict:
        yield f"{path}: expected an object, not {_shown(value)}"
        return
    for name, hint in hints(cls).items():
        kind = without_none(hint)
        entry = value.get(name)
        optional = kind is not hint or _default(cls, name)
        if entry is not None or not optional:
            yield from _faults(entry, kind, f"{path}.{name}")


def _default(cls: Any, name: str) -> bool:
    """Return whether a field that is never None may be absent; `object` may not."""
    default = getattr(attrs.fields(get_origin(cls) or cls), name).default
    return default is not attrs.NOTHING and not isinstance(default, str)


def _shown(value: object) -> str:
    if isinstance(value, dict | list) and value:
        return "an object" if isinstance(value, dict) else "a list"
    return "null or absent" if value is None else describe(value)


_BY_KIND: list[tuple[Callable[[Any], object], Callable[[Any, Any, str], Iterator[str]]]] = [
    (_LEAVES.__contains__, _leaf),
    (lambda kind: kind is datetime, _instant),
    (lambda kind: get_origin(kind) is Literal, _constant),
    (open_enum, _enum),
    (lambda kind: get_origin(kind) is list, _list),
    (lambda kind: kind == dict[str, int], _amounts),
    (lambda kind: isinstance(kind, tuple), _expandable),
]
