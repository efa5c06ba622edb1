"""Generates, for each model, the function that turns parsed JSON into it.

The generated code of a model with two fields looks like this::

    def structure(raw, _):
        if type(raw) is not dict: raise TypeError
        self = new(Draft)
        if len(raw) == 2:
            try:
                v = raw['created']
                if v is not None:
                    if type(v) is not int or not MIN <= v <= MAX: raise TypeError
                self.created = v
                ...
                self._extra = None
                self.__class__ = Model
                return self
            except KeyError: pass
        get = raw.get
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

Stripe sends most objects with every field of its reference, so the first part serves nearly all:
with the right number of names, none missing means none unknown. The second part serves the rest.

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
    full, sparse = list[str](), list[str]()
    for name, hint in fields.items():
        kind = without_none(hint)
        steps = _steps(name, kind, scope, hook_for)
        full += _whole_field(name, steps, is_optional=kind is not hint, is_flag=kind is bool)
        sparse += _field(name, steps, is_optional=kind is not hint, is_flag=kind is bool)
    source = _SOURCE.format(
        count=len(fields),
        full="\n".join(_indent(_indent(_indent(full)))),
        sparse="\n".join(_indent(sparse)),
    )
    exec(compile(source, f"<fcasync structure {cls}>", "exec"), scope)  # noqa: S102  # as attrs does
    hook: Hook = scope["structure"]
    return hook


_SOURCE = """
def structure(raw, _):
    if type(raw) is not dict: raise TypeError
    self = new(Draft)
    if len(raw) == {count}:
        try:
{full}
            self._extra = None
            self.__class__ = Model
            return self
        except KeyError: pass
    get = raw.get
    absent = 0
{sparse}
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


def _whole_field(name: str, steps: list[str], *, is_optional: bool, is_flag: bool) -> list[str]:
    """Return the lines for a field of an object in which none is missing."""
    if is_optional:
        steps = ["if v is not None:", *_indent(steps)]
    elif is_flag:
        steps = ["if v is None: raise KeyError", *steps]  # the other part knows the default
    return [f"v = raw[{name!r}]", *steps, f"self.{name} = v"]


def _field(name: str, steps: list[str], *, is_optional: bool, is_flag: bool) -> list[str]:
    """Return the lines for a field of an object in which any may be missing."""
    if is_optional:
        steps = ["if v is not None:", *_indent(steps), f"elif {name!r} not in raw: absent += 1"]
    elif is_flag:  # has_more, the only field with a default other than None
        default = _indent(["v = False", f"absent += {name!r} not in raw"])
        steps = ["if v is None:", *default, *steps]
    return [f"v = get({name!r})", *steps, f"self.{name} = v"]


def _steps(name: str, cls: Any, scope: dict[str, Any], hook_for: HookFor) -> list[str]:
    """Return the lines that check and convert a value ``v`` that is not null."""
    kind, helper = KINDS[kind_of(cls)], f"helper_{name}"
    if kind.helper is not None:
        scope[helper] = kind.helper(cls, hook_for)
    return kind.steps(cls, helper)


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]
