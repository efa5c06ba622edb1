"""Models as columns: nested fields under dotted names, each with one simple type."""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any, Final, Literal, TypeAlias, TypeVar, get_args, get_origin

import attrs

from fcasync.errors import InvalidArgumentError
from fcasync.models._base import Model
from fcasync.models._kinds import hints, kind_of, without_none
from fcasync.models._show import HIDDEN, PRIVATE

Simple: TypeAlias = Literal["text", "number", "flag", "instant", "texts", "json"]
"""The types that a column can have; ``json`` is a list or a map that has no columns of its own."""

_SIMPLE: Final[dict[str, Simple]] = {
    "text": "text",
    "enum": "text",
    "expandable": "text",
    "flag": "flag",
    "number": "number",
    "instant": "instant",
    "rfc3339": "instant",
    "enums": "texts",
    "json": "json",
    "list": "json",
}
"""The type of the column for each kind of field that becomes one column."""


@attrs.frozen
class Column:
    """One column: a value for each object, None where an object has none."""

    name: str
    kind: Simple
    values: list[Any]


def columns(items: Sequence[Any], cls: Any, *, private: bool = False) -> list[Column]:
    """Return *items* as columns, in the order of the fields of *cls*.

    The columns depend on *cls* alone, not on which fields are set, with one exception: an amount
    has one column for the minor units and one for the currency, and two more for each further
    currency that an object of *items* has.

    Args:
        items: Models of one class.
        cls: Their class.
        private: Whether to include what reprs hide: secrets, and the contact details of owners.

    Raises:
        InvalidArgumentError: An item is of another class.
    """
    for item in items:
        if not isinstance(item, cls):
            raise InvalidArgumentError(
                f"columns need items of one type, not {cls.__name__} and {type(item).__name__}"
            )
    found: list[Column] = []
    for path, kind in _leaves(cls, private):
        name, values = ".".join(path), [_at(item, path) for item in items]
        if kind == "amounts":
            found += _amounts(name, values)
        else:
            plain = _id if kind == "expandable" else _plain
            found.append(Column(name, _SIMPLE[kind], [plain(value) for value in values]))
    return found


@cache
def _leaves(cls: Any, private: bool) -> tuple[tuple[tuple[str, ...], str], ...]:
    return tuple((path, kind) for path, kind, hides in _walk(cls, ()) if private or not hides)


def _walk(cls: Any, above: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], str, bool]]:
    """Yield the path and the kind of each field without fields of its own, and if it is private."""
    for name, hint in hints(cls).items():
        inner = without_none(hint)
        # The object of an event, whose class depends on the event.
        kind = "expandable" if isinstance(inner, TypeVar) else kind_of(inner)
        path = (*above, name)
        if kind == "model":
            yield from _walk(inner, path)
        elif kind != "constant":
            field = getattr(attrs.fields(get_origin(cls) or cls), name)
            yield path, kind, PRIVATE in field.metadata


def _at(item: Any, path: tuple[str, ...]) -> Any:
    for name in path:
        if item is None:
            return None
        item = getattr(item, name)
    return item


def _amounts(name: str, values: list[dict[str, int] | None]) -> Iterator[Column]:
    entries = [sorted((value or {}).items()) for value in values]
    for nth in range(max([1, *map(len, entries)])):
        suffix = f".{nth + 1}" if nth else ""
        chosen = [entry[nth] if nth < len(entry) else (None, None) for entry in entries]
        yield Column(f"{name}.amount{suffix}", "number", [amount for _, amount in chosen])
        yield Column(f"{name}.currency{suffix}", "text", [currency for currency, _ in chosen])


def _id(value: Any) -> str | None:
    """Return the id of what may be expanded: of an id, a model, or an object without a model."""
    known = value.get("id") if isinstance(value, dict) else getattr(value, "id", value)
    return known if isinstance(known, str) else None


def _plain(value: Any) -> Any:
    """Return a field's value without models and enums."""
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list):
        return [_fields(item) if isinstance(item, Model) else _plain(item) for item in value]
    return value


def _fields(model: Model) -> dict[str, Any]:
    return {name: _plain(value) for name, value in model._stated() if value is not HIDDEN}


def item_type(decode: object) -> Any:
    """Return the model in the pages that *decode* returns; None if it does not say."""
    arguments = get_args(getattr(decode, "__annotations__", {}).get("return"))
    return arguments[0] if arguments else None
