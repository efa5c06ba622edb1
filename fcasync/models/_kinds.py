"""The kinds of fields that a model can have, one row each.

`fcasync.models._build` writes the code that decodes a field from its row, and
`fcasync.models._fault` the message about a value that does not fit, so the two cannot disagree.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from types import UnionType
from typing import Annotated, Any, Final, Literal, TypeAlias, TypeVar, Union, get_args, get_origin

import attrs

from fcasync._facts.redact import printable
from fcasync.models._instant import MAX, MIN
from fcasync.models._members import MemberLists, Members
from fcasync.models._rfc3339 import RFC3339, can_be_read, read

Hook: TypeAlias = Callable[[Any, Any], Any]
HookFor: TypeAlias = Callable[[Any], Hook]
Parts: TypeAlias = Iterable[tuple[str, Any, Any]]

_WORDS: Final[dict[str, Any]] = {"can_be_read": can_be_read}
"""What expressions of `Kind.wrong` may use beside the builtins."""

_CHECK: Final = "if {wrong}: raise TypeError"


@attrs.frozen(kw_only=True, eq=False)
class Kind:
    """A kind of field. ``{constant}`` in its texts stands for the value of a Literal."""

    matches: Callable[[Any], object]
    """Says whether a type, without its None, is of this kind."""

    wrong: str
    """A Python expression: whether ``v``, a part of the parsed JSON, does not fit."""

    expected: str
    """What would fit, for a message."""

    code: tuple[str, ...] = (_CHECK,)
    """The lines that check and convert ``v``, which is not null. If ``{wrong}``, they raise."""

    helper: Callable[[Any, HookFor], Any] | None = None
    """Returns, for a type, the object that ``{helper}`` stands for in the code."""

    parts: Callable[[Any, Any], Parts] = lambda value, cls: ()
    """Yields the path, the value and the type of each part of a value that is not wrong."""

    def steps(self, cls: Any, helper: str) -> list[str]:
        """Return the code for a field of type *cls* whose helper has the name *helper*."""
        wrong = _fill(self.wrong, cls)
        return [line.format(wrong=wrong, helper=helper) for line in self.code]

    def fits(self, value: object, cls: Any) -> bool:
        """Return whether *value* is one of type *cls*; its parts are not examined."""
        return not _predicate(_fill(self.wrong, cls))(value)

    def expects(self, cls: Any) -> str:
        """Return what values of type *cls* look like."""
        return _fill(self.expected, cls)


@cache
def _predicate(expression: str) -> Callable[[object], bool]:
    predicate: Callable[[object], bool] = eval(f"lambda v: {expression}", _WORDS)  # noqa: S307  # from KINDS
    return predicate


@cache
def kind_of(cls: Any) -> str:
    """Return the name of the row of KINDS that is about the type *cls*, without its None."""
    return next(name for name, kind in KINDS.items() if kind.matches(cls))


def hints(cls: Any) -> dict[str, Any]:
    """Return the type of each field of *cls*, with the type variables replaced that it fills in."""
    model = get_origin(cls) or cls
    fields = [field for field in attrs.fields(model) if field.name != "_extra"]
    return {field.name: _fill_in(field.type, get_args(cls)) for field in fields}


def without_none(hint: Any) -> Any:
    """Return the type that *hint* allows besides None, or a tuple if there are several."""
    if get_origin(hint) not in {Union, UnionType}:
        return hint
    kinds = tuple(kind for kind in get_args(hint) if kind is not type(None))
    return kinds if len(kinds) > 1 else kinds[0]


def open_enum(kind: Any) -> Any:
    """Return the StrEnum of a type such as ``AccountStatus | str``, or None for any other type."""
    kinds = kind if isinstance(kind, tuple) else get_args(kind)
    first = kinds[0] if kinds else None
    return first if isinstance(first, type) and issubclass(first, StrEnum) else None


def _fill(text: str, cls: Any) -> str:
    return text.format(constant=repr(get_args(cls)[0])) if get_origin(cls) is Literal else text


def _fill_in(hint: Any, arguments: tuple[Any, ...]) -> Any:
    if not arguments:
        return hint
    if isinstance(hint, TypeVar):
        return arguments[0]
    return hint[arguments] if getattr(hint, "__parameters__", ()) else hint


def _is(cls: Any) -> Callable[[Any], bool]:
    return lambda other: bool(other == cls)


def _item(cls: Any) -> Any:
    """Return the type of the items of a list type, or None for any other type."""
    return get_args(cls)[0] if get_origin(cls) is list else None


def _items(value: list[Any], cls: Any) -> Parts:
    return ((f"[{index}]", item, _item(cls)) for index, item in enumerate(value))


def _amounts(value: Mapping[str, Any], cls: Any) -> Parts:
    return ((f".{printable(currency, 40)}", amount, int) for currency, amount in value.items())


def _fields(value: Mapping[str, Any], cls: Any) -> Parts:
    for name, hint in hints(cls).items():
        kind, entry = without_none(hint), value.get(name)
        if entry is not None or (kind is hint and not _has_default(cls, name)):
            yield f".{name}", entry, kind


def _has_default(cls: Any, name: str) -> bool:
    """Return whether a field that is never None may be absent; `object` may not."""
    default = getattr(attrs.fields(get_origin(cls) or cls), name).default
    return default is not attrs.NOTHING and not isinstance(default, str)


KINDS: Final[Mapping[str, Kind]] = {
    "constant": Kind(
        matches=lambda cls: get_origin(cls) is Literal,
        wrong="v != {constant}",
        expected="{constant}",
    ),
    "text": Kind(matches=_is(str), wrong="type(v) is not str", expected="a string"),
    "flag": Kind(matches=_is(bool), wrong="type(v) is not bool", expected="true or false"),
    "number": Kind(matches=_is(int), wrong="type(v) is not int", expected="a whole number"),
    "instant": Kind(
        matches=_is(datetime),
        wrong=f"type(v) is not int or not {MIN} <= v <= {MAX}",
        expected="a Unix time",
    ),
    "rfc3339": Kind(
        matches=_is(Annotated[datetime, RFC3339]),
        wrong="not can_be_read(v)",
        expected="a date and time such as 2026-10-28T09:00:00Z",
        code=("v = {helper}(v)",),
        helper=lambda cls, hook_for: read,
    ),
    "json": Kind(matches=_is(dict[str, Any]), wrong="type(v) is not dict", expected="an object"),
    "amounts": Kind(
        matches=_is(dict[str, int]),
        wrong="type(v) is not dict",
        expected="an object",
        code=(_CHECK, "for n in v.values():", "    if type(n) is not int: raise TypeError"),
        parts=_amounts,
    ),
    "enum": Kind(
        matches=open_enum,
        wrong="type(v) is not str",
        expected="a string",
        code=("v = {helper}[v]",),
        helper=lambda cls, _: Members(open_enum(cls)),
    ),
    "enums": Kind(
        matches=lambda cls: open_enum(_item(cls)),
        wrong="type(v) is not list",
        expected="a list",
        code=(_CHECK, "v = {helper}[tuple(v)].copy()"),
        helper=lambda cls, _: MemberLists(open_enum(_item(cls))),
        parts=_items,
    ),
    "list": Kind(
        matches=lambda cls: attrs.has(_item(cls)),
        wrong="type(v) is not list",
        expected="a list",
        code=(_CHECK, "v = [{helper}(item, None) for item in v]"),
        helper=lambda cls, hook_for: hook_for(_item(cls)),
        parts=_items,
    ),
    "expandable": Kind(
        matches=lambda cls: isinstance(cls, tuple) and cls[0] is str,
        wrong="type(v) not in (str, dict)",
        expected="an id or an object",
        code=("if type(v) is not str: v = {helper}(v, None)",),
        helper=lambda cls, hook_for: hook_for(cls[1]),
        parts=lambda value, cls: () if type(value) is str else [("", value, cls[1])],
    ),
    "model": Kind(
        matches=attrs.has,
        wrong="type(v) is not dict",
        expected="an object",
        code=("v = {helper}(v, None)",),
        helper=lambda cls, hook_for: hook_for(cls),
        parts=_fields,
    ),
}
"""Every kind by its name. A type matches only one of them."""
