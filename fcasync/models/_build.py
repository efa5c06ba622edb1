"""Generates, for each model, the function that turns parsed JSON into it.

The generated code of a model with two fields looks like this, once it has seen an object::

    def structure(raw, _):
        if type(raw) is not dict: raise TypeError
        self = Draft()
        count = len(raw)
        if count == 2:
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
        self._extra = None if count + absent == 2 else unknown(raw, known)
        self.__class__ = Model
        if learn is not None: learn(raw)
        return self

The last part serves every object, whichever names it has. The part before it serves one *shape*:
an object with just these names. Stripe leaves the same names out of most objects of a kind
(``credit`` of a cash balance), so the function starts with the last part alone, learns the first
few shapes that it meets, and serves nearly all objects by them from then on.

It does not call attrs' ``__init__``, because that of a frozen class calls ``object.__setattr__``
for each field, which takes longer than everything else. A draft is a class with the same layout
whose fields can be assigned; when all are, its class becomes the model. The function checks types
but does not say where an error is: `fcasync.models._fault` searches the JSON again for the path.
"""

from collections.abc import Mapping
from typing import Any, Final, get_origin

import attrs

from fcasync.models._kinds import KINDS, Hook, HookFor, hints, kind_of, without_none

_SHAPES: Final = 4
"""The most shapes that a model learns; each costs the others a comparison of two integers."""


def structure_function(cls: Any, hook_for: HookFor) -> Hook:
    """Return the function that structures *cls*, which may be generic.

    Args:
        cls: ``Account``, ``Page[Account]`` and the like.
        hook_for: Returns the function that structures a nested model.
    """
    model = get_origin(cls) or cls
    scope: dict[str, Any] = {"Draft": _draft(model), "Model": model}
    fields = [_field(name, hint, scope, hook_for) for name, hint in hints(cls).items()]
    scope |= {"known": frozenset(field.name for field in fields), "unknown": _unknown}
    structure: Hook = _compiled(cls, fields, [], scope)
    scope["learn"] = _Learner(cls, fields, scope, structure)
    return structure


@attrs.frozen(kw_only=True, eq=False)
class _Field:
    """How one field is decoded from a value ``v``."""

    name: str
    steps: list[str]
    """The lines that check and convert a ``v`` that is not null."""
    is_optional: bool
    is_flag: bool
    """Whether the field is ``has_more``, the only one with a default other than None."""

    def present(self) -> list[str]:
        """Return the lines for an object that is known to have as many names as its shape."""
        steps = self.steps
        if self.is_optional:
            steps = ["if v is not None:", *_indent(steps)]
        elif self.is_flag:
            steps = ["if v is None: raise KeyError", *steps]  # the last part knows the default
        return [f"v = raw[{self.name!r}]", *steps, f"self.{self.name} = v"]

    def absent(self) -> list[str]:
        """Return the line for an object that has no such name."""
        return [f"self.{self.name} = {False if self.is_flag else None}"]

    def either(self) -> list[str]:
        """Return the lines for an object that may have such a name."""
        steps = self.steps
        if self.is_optional:
            missing = f"elif {self.name!r} not in raw: absent += 1"
            steps = ["if v is not None:", *_indent(steps), missing]
        elif self.is_flag:
            default = _indent(["v = False", f"absent += {self.name!r} not in raw"])
            steps = ["if v is None:", *default, *steps]
        return [f"v = get({self.name!r})", *steps, f"self.{self.name} = v"]


def _field(name: str, hint: Any, scope: dict[str, Any], hook_for: HookFor) -> _Field:
    cls = without_none(hint)
    kind, helper = KINDS[kind_of(cls)], f"helper_{name}"
    if kind.helper is not None:
        scope[helper] = kind.helper(cls, hook_for)
    steps = kind.steps(cls, helper)
    is_optional = cls is not hint
    return _Field(
        name=name, steps=steps, is_optional=is_optional, is_flag=cls is bool and not is_optional
    )


@attrs.frozen
class _Shape:
    """The names that an object has."""

    missing: frozenset[str]
    """The model's names that it does not have."""
    extras: int
    """How many names it has that the model does not know."""


class _Learner:
    """Teaches a function the shapes of the first objects that it meets."""

    def __init__(self, cls: Any, fields: list[_Field], scope: dict[str, Any], taught: Any) -> None:
        self._of = cls, fields
        self._scope = scope
        self._taught = taught
        self._shapes: list[_Shape] = []

    def __call__(self, raw: Mapping[str, Any]) -> None:
        missing = self._scope["known"] - raw.keys()
        shape = _Shape(missing, len(raw) + len(missing) - len(self._scope["known"]))
        if shape not in self._shapes:  # a null flag brings an object of a known shape here
            self._shapes = [*self._shapes, shape]
            self._taught.__code__ = _compiled(*self._of, self._shapes, self._scope).__code__
        if len(self._shapes) >= _SHAPES:
            self._scope["learn"] = None


_SOURCE = """
def structure(raw, _):
    if type(raw) is not dict: raise TypeError
    self = Draft()
    count = len(raw)
{shapes}
    get = raw.get
    absent = 0
{fields}
    self._extra = None if count + absent == {known} else unknown(raw, known)
    self.__class__ = Model
    if learn is not None: learn(raw)
    return self
"""

_OF_A_SHAPE = """
    if count == {count}:
        try:
{fields}
            self._extra = {extra}
            self.__class__ = Model
            return self
        except KeyError: pass
"""


def _compiled(cls: Any, fields: list[_Field], shapes: list[_Shape], scope: dict[str, Any]) -> Any:
    source = _SOURCE.format(
        known=len(fields),
        shapes="".join(_of_a_shape(fields, shape) for shape in shapes),
        fields=_lines(1, [line for field in fields for line in field.either()]),
    )
    made: dict[str, Any] = {}
    code = compile(source, f"<fcasync structure {cls}>", "exec")
    exec(code, scope, made)  # noqa: S102  # as attrs does
    return made["structure"]


def _of_a_shape(fields: list[_Field], shape: _Shape) -> str:
    lines = list[str]()
    for field in fields:
        lines += field.absent() if field.name in shape.missing else field.present()
    if shape.extras:  # then a missing name could stand where the shape has an unknown one
        lines += [f"if {name!r} in raw: raise KeyError" for name in sorted(shape.missing)]
    return _OF_A_SHAPE.format(
        count=len(fields) - len(shape.missing) + shape.extras,
        fields=_lines(3, lines),
        extra="unknown(raw, known)" if shape.extras else None,
    )


def _draft(model: type) -> type:
    """Return a class with the layout of *model* whose fields can be assigned."""
    free = {name: getattr(object, name) for name in ("__init__", "__setattr__", "__delattr__")}
    slots = model.__dict__["__slots__"]
    return type(f"Draft{model.__name__}", (model.__base__ or object,), {"__slots__": slots, **free})


def _unknown(raw: Mapping[str, Any], known: frozenset[str]) -> dict[str, Any] | None:
    return {name: raw[name] for name in raw if name not in known} or None


def _indent(lines: list[str]) -> list[str]:
    return [f"    {line}" for line in lines]


def _lines(depth: int, lines: list[str]) -> str:
    return "\n".join("    " * depth + line for line in lines)
