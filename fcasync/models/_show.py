"""How values look in reprs and notebooks: short, one line, and without secrets."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from fcasync._facts.money import money
from fcasync._facts.redact import printable

PRIVATE: Final = "fcasync.private"
"""Metadata key of the fields whose value no repr shows."""

HIDDEN: Final = "…"

_WIDTH: Final = 80
_MOST_ITEMS: Final = 8


class Names:
    """The names in a map; what it holds may be anything, secrets included."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = [safe(name) for name in names]

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {HIDDEN}" for name in self._names) + "}"


def harmless(value: Any) -> Any:
    """Return *value*, or what may be shown in its place to whoever prints fields by itself."""
    if isinstance(value, str):
        return safe(value)
    hides = isinstance(value, Mapping) and not _are_amounts(value)
    return Names(value) if hides else value


def text(value: Any) -> str:
    """Return *value* as it stands in a repr."""
    if isinstance(value, str):
        return HIDDEN if value is HIDDEN else repr(safe(value))
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, list):
        return _list(value)
    if isinstance(value, Mapping) and not _are_amounts(value):
        return repr(Names(value))
    return repr(value)


def cell(value: Any) -> str:
    """Return *value* as it stands in a table: without quotes, a model's fields line by line."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list):
        plain = all(isinstance(item, str) for item in value)
        return (", " if plain else "\n").join(map(cell, value))
    if _are_amounts(value):
        return safe(money(value))
    if hasattr(value, "_stated"):
        return "\n".join(f"{name}: {cell(field)}" for name, field in value._stated())
    return text(value)


def row(**values: Any) -> dict[str, str]:
    """Return the cells of a table's row, without those that are None."""
    return {name: cell(value) for name, value in values.items() if value is not None}


def instant(value: datetime) -> str:
    """Return an instant as ISO 8601 with a Z for UTC."""
    return value.isoformat().replace("+00:00", "Z")


def safe(value: str) -> str:
    """Return *value* on one line, cut, keys redacted, account numbers down to their last four."""
    return printable(value, _WIDTH)


def _list(items: list[Any]) -> str:
    if len(items) > _MOST_ITEMS:
        return f"[{len(items)} items]"
    return f"[{', '.join(map(text, items))}]"


def _are_amounts(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, int) for each in value.values())
