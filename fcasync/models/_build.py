"""Generates, for each model, the function that turns parsed JSON into it.

The generated code of a model with two fields looks like this::

    def structure(raw, _):
        if type(raw) is not dict: raise TypeError
        get = raw.get
        self = new(Draft)
        absent = 0
        v = get('created')
        if v is not None:
            if type(v) is not int or not MIN <= v <= MAX: raise TypeError
        elif 'created' not in raw: absent += 1
        self.created = v
        ...
        self._extra = None if len(raw) + absent == 2 else unknown(raw, known)
        self.__class__ = Model
        return self

It does not call attrs' ``__init__``, because that of a frozen class calls ``object.__setattr__``
for each field, which takes longer than everything else. A draft is a class with the same layout
whose fields can be assigned; when all are, its class becomes the model. The function checks types
but does not say where an error is: `fcasync.models._fault` searches the JSON again for the path.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from types import UnionType
from typing import Any, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

import attrs

from fcasync.models._instant import MAX, MIN

Hook: TypeAlias = Callable[[Any, Any], Any]
HookFor: TypeAlias = Callable[[Any], Hook]

_LISTS = 256
"""The most lists of enum values that a field caches; Stripe sends only a few different ones."""


class Members(dict[str, str]):
    """The members of an open enum by value; an unknown string is its own member."""

    def __init__(self, enum: type[StrEnum]) -> None:
        super().__init__({member.value: member for member in enum})

    def __missing__(self, value: object) -> str:
        if type(value) is not str:
            raise TypeError
        return value


class MemberLists(dict[tuple[str, ...], list[str]]):
    """A cache of lists of an open enum's members, by the tuple of their values."""

    def __init__(self, members: Members) -> None:
        super().__init__()
        self._members = members

    def __missing__(self, values: tuple[str, ...]) -> list[str]:
        known = [self._members[value] for value in values]
        if len(self) < _LISTS:
            self[values] = known
        return known


def structure_function(cls: Any, hook_for: HookFor) -> Hook:
    """Return the function that structures *cls*, which may be generic.

    Args:
        cls: ``Account``, ``Page[Account]`` and the like.
        hook_for: Returns the function that structures a nested model.
    """
    model = get_origin(cls) or cls
    fields = hints(cls)
    scope = _scope(model, fields)
    body = [line for name in fields for line in _field(name, fields[name], scope, hook_for)]
    source = "\n".join([*_HEAD, *body, *_TAIL.format(count=len(fields)).splitlines()])
    exec(compile(source, f"<fcasync structure {cls}>", "exec"), scope)  # noqa: S102  # as attrs does
    hook: Hook = scope["structure"]
    return hook


def hints(cls: Any) -> dict[str, Any]:
    """Return the type of each field of *cls*, with type variables replaced."""
    model = get_origin(cls) or cls
    fields = [field for field in attrs.fields(model) if field.name != "_extra"]
    return {field.name: _fill_in(field.type, get_args(cls)) for field in fields}


def without_none(hint: Any) -> Any:
    """Return the type that *hint* allows besides None, or a tuple if there are several."""
    if get_origin(hint) not in {Union, UnionType}:
        return hint
    kinds = tuple(kind for kind in get_args(hint) if kind is not type(None))
    return kinds if len(kinds) > 1 else kinds[0]


def open_enum(kind: Any) -> type[StrEnum] | None:
    """Return the enum of a type such as ``AccountStatus | str``, or None for any other type."""
    kinds = kind if isinstance(kind, tuple) else get_args(kind)
    first = kinds[0] if kinds else None
    return first if isinstance(first, type) and issubclass(first, StrEnum) else None


_HEAD = """
def structure(raw, _):
    if type(raw) is not dict: raise TypeError
    get = raw.get
    self = new(Draft)
    absent = 0
""".splitlines()

_TAIL = """
    self._extra = None if len(raw) + absent == {count} else unknown(raw, known)
    self.__class__ = Model
    return self
"""


def _scope(model: type, fields: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "Draft": _draft(model),
        "Model": model,
        "known": frozenset(fields),
        "new": object.__new__,
        "unknown": _unknown,
    }


def _draft(model: type) -> type:
    """Return a class with the layout of *model* whose fields can be assigned."""
    free = {"__setattr__": object.__setattr__, "__delattr__": object.__delattr__}
    slots = model.__dict__["__slots__"]
    return type(f"Draft{model.__name__}", (model.__base__ or object,), {"__slots__": slots, **free})


def _unknown(raw: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any] | None:
    return {name: raw[name] for name in raw if name not in known} or None


def _fill_in(hint: Any, arguments: tuple[Any, ...]) -> Any:
    if isinstance(hint, TypeVar):
        return arguments[0]
    return hint[arguments] if getattr(hint, "__parameters__", ()) else hint


def _field(name: str, hint: Any, scope: dict[str, Any], hook_for: HookFor) -> list[str]:
    kind = without_none(hint)
    steps = _steps(name, kind, scope, hook_for)
    if kind is not hint:
        steps = ["if v is not None:", *_indent(steps), f"elif {name!r} not in raw: absent += 1"]
    elif kind is bool:  # has_more, the only field with a default other than None
        default = _indent(["v = False", f"absent += {name!r} not in raw"])
        steps = ["if v is None:", *default, *steps]
    return _indent([f"v = get({name!r})", *steps, f"self.{name} = v"])


def _steps(name: str, kind: Any, scope: dict[str, Any], hook_for: HookFor) -> list[str]:
    """Return the lines that check and convert a value ``v`` that is not null."""
    if get_origin(kind) is Literal:
        return [f"if v != {get_args(kind)[0]!r}: raise TypeError"]
    if kind in _CHECKED:
        return _CHECKED[kind]
    if enum := open_enum(kind):
        scope[f"members_{name}"] = Members(enum)
        return [f"v = members_{name}[v]"]
    if get_origin(kind) is list:
        return _list_steps(name, get_args(kind)[0], scope, hook_for)
    if isinstance(kind, tuple):
        scope[f"hook_{name}"] = hook_for(kind[1])
        return [f"if type(v) is not str: v = hook_{name}(v, None)"]
    scope[f"hook_{name}"] = hook_for(kind)
    return [f"v = hook_{name}(v, None)"]


def _list_steps(name: str, item: Any, scope: dict[str, Any], hook_for: HookFor) -> list[str]:
    check = "if type(v) is not list: raise TypeError"
    if enum := open_enum(item):
        scope[f"lists_{name}"] = MemberLists(Members(enum))
        return [check, f"v = lists_{name}[tuple(v)].copy()"]
    scope[f"hook_{name}"] = hook_for(item)
    return [check, f"v = [hook_{name}(item, None) for item in v]"]


_CHECKED: dict[Any, list[str]] = {
    str: ["if type(v) is not str: raise TypeError"],
    bool: ["if type(v) is not bool: raise TypeError"],
    int: ["if type(v) is not int: raise TypeError"],
    datetime: [f"if type(v) is not int or not {MIN} <= v <= {MAX}: raise TypeError"],
    dict[str, Any]: ["if type(v) is not dict: raise TypeError"],
    dict[str, int]: [
        "if type(v) is not dict: raise TypeError",
        "for n in v.values():",
        "    if type(n) is not int: raise TypeError",
    ],
}


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
