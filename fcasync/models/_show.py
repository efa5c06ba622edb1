"""How values look in reprs and notebooks: short, one line, and without secrets."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any, Final

from fcasync._redact import printable

PRIVATE: Final = "fcasync.private"
"""Metadata key of the fields whose value no repr shows."""

HIDDEN: Final = "…"

_WIDTH = 80
_ACCOUNT_NUMBER = re.compile(r"(?<![0-9A-Za-z_])[0-9](?:[ -]?[0-9]){3,}(?=[ -]?[0-9]{4}(?![0-9]))")


class Names:
    """The names of unknown fields; what they hold may be anything, secrets included."""

    __slots__ = ("_names",)

    def __init__(self, names: Iterable[str]) -> None:
        self._names = list(names)

    def __repr__(self) -> str:
        return "{" + ", ".join(f"{name!r}: …" for name in self._names) + "}"


def text(value: object) -> str:
    """Return *value* as it stands in a repr."""
    if isinstance(value, datetime):
        return instant(value)
    if isinstance(value, str):
        return repr(safe(str(value)))
    if isinstance(value, list):
        return f"[{len(value)} items]" if len(value) > 8 else f"[{', '.join(map(text, value))}]"
    return repr(value) if _speaks_for_itself(value) else safe(repr(value))


def cell(value: object) -> str:
    """Return *value* as it stands in a table: as in a repr, without quotes."""
    if isinstance(value, str):
        return safe(str(value))
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return safe(", ".join(map(str, value)))
    return text(value)


def instant(value: datetime) -> str:
    """Return an instant as ISO 8601 with a Z for UTC."""
    return value.isoformat().replace("+00:00", "Z")


def safe(value: str) -> str:
    """Return *value* on one line, cut, keys redacted, account numbers down to their last four."""
    return printable(_ACCOUNT_NUMBER.sub(_mask, value[: 4 * _WIDTH]), _WIDTH)


def _mask(match: re.Match[str]) -> str:
    return "•" * 4


def _speaks_for_itself(value: Any) -> bool:
    # A model's repr has been through safe() field by field; cutting it again would tear it.
    return hasattr(value, "_stated")
