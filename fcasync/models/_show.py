"""Formats values for reprs and notebooks: short, on one line, and without secrets."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from fcasync._facts.html import Number
from fcasync._facts.money import money
from fcasync._facts.redact import printable

PRIVATE: Final = "fcasync.private"
"""Metadata key of fields whose value is never shown."""

HIDDEN: Final = "…"

_WIDTH: Final = 80
_MOST_ITEMS: Final = 8


class Names:
    """The names in a map, without its values, which may be secrets."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = [safe(name) for name in names]

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: {HIDDEN}" for name in self._names) + "}"


def harmless(value: Any) -> Any:
    """Return *value*, or a safe replacement for tools that print fields themselves."""
    if isinstance(value, str):
        return safe(value)
    hides = isinstance(value, Mapping) and not _are_amounts(value)
    return Names(value) if hides else value


def text(value: Any) -> str:
    """Return *value* as text for a repr."""
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
    """Return *value* as text for a table: without quotes, one line per field of a model."""
    if isinstance(value, str):
        return safe(value)
    if isinstance(value, list):
        plain = all(isinstance(item, str) for item in value)
        return (", " if plain else "\n").join(map(cell, value))
    if _are_amounts(value):
        return Number(safe(money(value)))
    if hasattr(value, "has_more"):  # a page in an object
        return "\n".join(safe(item.id) for item in value) or "none"
    if hasattr(value, "_stated"):
        return "\n".join(f"{name}: {cell(field)}" for name, field in value._stated())
    return text(value)


def row(**values: Any) -> dict[str, str]:
    """Return the cells of a table's row, without values that are None."""
    return {name: cell(value) for name, value in values.items() if value is not None}


def instant(value: datetime) -> str:
    """Return an instant as ISO 8601 with a Z for UTC."""
    return value.isoformat().replace("+00:00", "Z")


def safe(value: str) -> str:
    """Return *value* on one line, shortened and with keys and account numbers redacted."""
    return printable(value, _WIDTH)


def _list(items: list[Any]) -> str:
    if len(items) > _MOST_ITEMS:
        return f"[{len(items)} items]"
    return f"[{', '.join(map(text, items))}]"


def _are_amounts(value: object) -> bool:
    return isinstance(value, Mapping) and all(isinstance(each, int) for each in value.values())
