"""fcasync's models with plain types: strings for enums, integers for instants, no extra fields."""

from collections.abc import Callable
from datetime import datetime
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin

import attrs

from fcasync.models import Account, Page

Make = Callable[[str, list[tuple[str, Any]]], Any]
"""Makes a class from a name and from the names and types of its fields, which may be None."""


def page(make: Make) -> Any:
    """Return the class of a page of accounts, created by *make*."""

    @cache
    def shape(model: Any) -> Any:
        fields = [field for field in attrs.fields(model) if field.name != "_extra"]
        return make(model.__name__, [(field.name, plain(field.type) | None) for field in fields])

    def plain(hint: Any) -> Any:
        if get_origin(hint) in {Union, UnionType}:
            kinds = [kind for kind in get_args(hint) if kind is not type(None)]
            return str if str in kinds else plain(kinds[0])
        if get_origin(hint) is list:
            return list[plain(get_args(hint)[0])]  # type: ignore[misc]  # made at run time
        if get_origin(hint) is Literal:
            return str
        if hint is datetime:
            return int
        return shape(hint) if attrs.has(hint) else hint

    fields: list[tuple[str, Any]] = [
        (name, bool if name == "has_more" else str)
        for name in (field.name for field in attrs.fields(Page))
        if name in {"object", "has_more", "url"}
    ]
    return make("Page", [*fields, ("data", list[shape(Account)])])  # type: ignore[misc]
