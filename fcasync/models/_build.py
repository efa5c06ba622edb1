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

from collections.abc import Mapping
from typing import Any, get_origin

from fcasync.models._kinds import KINDS, Hook, HookFor, hints, kind_of, without_none


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


def _field(name: str, hint: Any, scope: dict[str, Any], hook_for: HookFor) -> list[str]:
    kind = without_none(hint)
    steps = _steps(name, kind, scope, hook_for)
    if kind is not hint:
        steps = ["if v is not None:", *_indent(steps), f"elif {name!r} not in raw: absent += 1"]
    elif kind is bool:  # has_more, the only field with a default other than None
        default = _indent(["v = False", f"absent += {name!r} not in raw"])
        steps = ["if v is None:", *default, *steps]
    return _indent([f"v = get({name!r})", *steps, f"self.{name} = v"])


def _steps(name: str, cls: Any, scope: dict[str, Any], hook_for: HookFor) -> list[str]:
    """Return the lines that check and convert a value ``v`` that is not null."""
    kind, helper = KINDS[kind_of(cls)], f"helper_{name}"
    if kind.helper is not None:
        scope[helper] = kind.helper(cls, hook_for)
    return kind.steps(cls, helper)


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
