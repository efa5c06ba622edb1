"""Parameter schemas: the 400 that each wrong value gets, and how OpenAPI describes it.

Everything arrives as text (form encoding has no types), so a check both judges and converts.
"""

import re
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Protocol

import attrs

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._bank.schema import Schema

_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_TIMESTAMP = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}[Tt][0-9]{2}:[0-9]{2}:[0-9]{2}(\.[0-9]{1,9})?"
    r"([Zz]|[+-][0-9]{2}:[0-9]{2})"
)
_LONGEST = 5000
_OF_KIND = {"account": ("account",), "customer": ("customer", "customer_account")}


class Check(Protocol):
    """Judges one parameter."""

    def read(self, value: Any, name: str) -> Any:
        """Return *value* converted, or raise Stripe's error about parameter *name*."""

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the JSON Schemas of what is accepted, by the names that are sent."""


@attrs.frozen
class Text:
    """A string of 1 to 5000 characters."""

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schema."""
        return {name: {"type": "string", "minLength": 1, "maxLength": _LONGEST}}

    def read(self, value: Any, name: str) -> str:
        """Return the string."""
        if not isinstance(value, str):
            raise error_bodies.invalid("Invalid string: a nested value was sent", name)
        if not value:
            raise error_bodies.empty(name)
        if len(value) > _LONGEST:
            message = f"Invalid string: at most {_LONGEST} characters are allowed"
            raise error_bodies.invalid(message, name, "parameter_invalid_string")
        return value


@attrs.frozen
class Url:
    """An absolute URL, as ``return_url`` takes it."""

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schema."""
        return {name: {"type": "string", "maxLength": _LONGEST, "format": "uri"}}

    def read(self, value: Any, name: str) -> str:
        """Return the URL."""
        text = Text().read(value, name)
        if not re.match(r"[A-Za-z][A-Za-z0-9+.-]*://\S", text):
            raise error_bodies.invalid("Not a valid URL", name, "url_invalid")
        return text


@attrs.frozen
class Choice:
    """One of a closed set of strings."""

    options: tuple[str, ...]

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schema."""
        return {name: {"type": "string", "enum": list(self.options)}}

    def read(self, value: Any, name: str) -> str:
        """Return the string."""
        text = Text().read(value, name)
        if text not in self.options:
            options = ", ".join(self.options)
            raise error_bodies.invalid(f"Invalid {name}: must be one of {options}", name)
        return text


@attrs.frozen
class Integer:
    """A whole number, with optional bounds (both included)."""

    least: int | None = None
    most: int | None = None
    may_be_empty: bool = False

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schema."""
        bounds = {"minimum": self.least, "maximum": self.most}
        number = {name: bound for name, bound in bounds.items() if bound is not None}
        whole = {"type": "integer", **number}
        unset = {"type": "string", "enum": [""]}
        return {name: {"anyOf": [whole, unset]} if self.may_be_empty else whole}

    def read(self, value: Any, name: str) -> int | None:
        """Return the number; None for an empty string where that unsets the parameter."""
        if value == "" and self.may_be_empty:
            return None
        if not isinstance(value, str) or not _INTEGER.fullmatch(value):
            shown = value[:50] if isinstance(value, str) else "a nested value"
            raise error_bodies.invalid(
                f"Invalid integer: {shown}", name, "parameter_invalid_integer"
            )
        number = int(value)
        if self.least is not None and number < self.least:
            raise self._bound(f"This value must be greater than or equal to {self.least}.", name)
        if self.most is not None and number > self.most:
            raise self._bound(f"This value must be less than or equal to {self.most}.", name)
        return number

    def _bound(self, message: str, name: str) -> error_bodies.ApiError:
        return error_bodies.invalid(message, name, "parameter_invalid_integer")


@attrs.frozen
class Timestamp:
    """An instant as the v2 API writes it: RFC 3339 text."""

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schema."""
        return {name: {"type": "string", "format": "date-time"}}

    def read(self, value: Any, name: str) -> float:
        """Return its Unix time."""
        text = Text().read(value, name)
        if _TIMESTAMP.fullmatch(text):
            try:
                return datetime.fromisoformat(text.upper()).timestamp()
            except (ValueError, OverflowError):
                pass
        raise error_bodies.invalid(f"Invalid timestamp: {text[:50]}", name)


@attrs.frozen
class Flag:
    """True or false."""

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schema."""
        return {name: {"type": "boolean"}}

    def read(self, value: Any, name: str) -> bool:
        """Return it."""
        if value not in ("true", "false"):
            shown = value[:50] if isinstance(value, str) else "a nested value"
            raise error_bodies.invalid(f"Invalid boolean: {shown}", name)
        return bool(value == "true")


@attrs.frozen
class List:
    """A list of one kind of value."""

    item: Check
    most: int | None = None

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schema."""
        bound = {} if self.most is None else {"maxItems": self.most}
        items = self.item.schemas("")[""]
        return {f"{name}[]": {"type": "array", "items": items, "minItems": 1, **bound}}

    def read(self, value: Any, name: str) -> list[Any]:
        """Return the list, without repeats."""
        if value == "":
            raise error_bodies.empty(name)
        if not isinstance(value, list):
            raise error_bodies.invalid("Invalid array", name)
        if self.most is not None and len(value) > self.most:
            raise error_bodies.invalid(f"At most {self.most} values can be sent", name)
        items = [self.item.read(item, f"{name}[{index}]") for index, item in enumerate(value)]
        return list(dict.fromkeys(items))


@attrs.frozen
class Object:
    """A mapping with known names."""

    fields: Mapping[str, Check]
    required: tuple[str, ...] = ()

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schemas of what is inside."""
        schemas: dict[str, Schema] = {}
        for field, check in self.fields.items():
            schemas |= check.schemas(_inside(name, field))
        return schemas

    def read(self, value: Any, name: str) -> dict[str, Any]:
        """Return the mapping; *name* is empty for the parameters as a whole."""
        if not isinstance(value, dict):
            raise error_bodies.invalid("Invalid object", name)
        for field in value:
            if field not in self.fields:
                raise error_bodies.unknown(_inside(name, field))
        for field in self.required:
            if field not in value:
                raise error_bodies.missing(_inside(name, field))
        return {
            field: self.fields[field].read(item, _inside(name, field))
            for field, item in value.items()
        }


@attrs.frozen
class Holder(Object):
    """An account holder: a Stripe account or a customer, never both; ``type`` says which."""

    def read(self, value: Any, name: str) -> dict[str, Any]:
        """Return the mapping."""
        holder = super().read(value, name)
        named = [kind for kind, ids in _OF_KIND.items() if not holder.keys().isdisjoint(ids)]
        kind = holder.get("type")
        if kind is not None and kind not in named:
            raise error_bodies.missing(f"{name}[{kind}]")
        if len(named) > 1:
            message = "Only one of customer and account can be sent."
            raise error_bodies.invalid(message, f"{name}[account]")
        return holder


@attrs.frozen
class Either:
    """A mapping, or else a scalar."""

    mapping: Object
    scalar: Check

    def schemas(self, name: str) -> dict[str, Schema]:
        """Return the schemas of both."""
        return self.scalar.schemas(name) | self.mapping.schemas(name)

    def read(self, value: Any, name: str) -> Any:
        """Return what the fitting check returns."""
        check: Check = self.mapping if isinstance(value, dict) else self.scalar
        return check.read(value, name)


def _inside(name: str, field: str) -> str:
    return f"{name}[{field[:100]}]" if name else field[:100]
