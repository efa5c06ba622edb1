"""Converts parsed JSON to models and back; the only module that imports cattrs."""

from collections.abc import Callable, Mapping
from datetime import datetime
from functools import cache
from typing import TYPE_CHECKING, Any, Final, TypeVar

import attrs

from fcasync.errors import InvalidArgumentError, ProtocolError, describe
from fcasync.models._base import Model, field_names
from fcasync.models._build import structure_function
from fcasync.models._fault import first_fault
from fcasync.models.event import Event, event_class, with_object

if TYPE_CHECKING:
    from cattrs import Converter

T = TypeVar("T")

_MISFITS: Final = (TypeError, ValueError, LookupError, ArithmeticError, OSError)
"""What the generated functions raise, directly or indirectly, when the JSON does not fit."""


def decoder(cls: type[T]) -> Callable[[object], T]:
    """Return the function that converts parsed JSON to *cls*.

    Models share some parts of the JSON (amounts, unknown fields), so do not change it afterwards.

    Args:
        cls: A model, or a page of one such as ``Page[Account]``. The type of an ``Event``, also of
            one in a ``Page[Event]``, decides which object is in it.

    Raises:
        ProtocolError: Raised by the function if the JSON does not fit; the message names the path.
    """
    kind: Any = cls  # Any, because mypy considers classes with their own __hash__ unhashable
    decode: Callable[[object], T] = _decoder(kind)
    return decode


@cache
def _decoder(cls: Any) -> Callable[[object], Any]:
    structure: Callable[[Any, Any], Any] | None = None

    def decode(value: object) -> Any:
        nonlocal structure
        if structure is None:
            structure = _converter().get_structure_hook(cls)
        try:
            return structure(value, cls)
        except _MISFITS:
            fault = first_fault(value, cls)
        raise ProtocolError(fault)

    decode.__annotations__["return"] = cls  # lists ask what their pages hold
    return decode


def _event(value: Any, _: object) -> Any:
    """Structure an event with the object that its type promises."""
    cls = event_class(value.get("type") if isinstance(value, dict) else None)
    return _converter().get_structure_hook(cls)(with_object(value, cls), cls)


def to_dict(model: Model) -> dict[str, Any]:
    """Return *model* in the shape of Stripe's JSON.

    Instants become whole Unix seconds (RFC 3339 text in a thin event) and enums become strings;
    unknown fields are included. Fields that were null or absent are left out.

    Raises:
        InvalidArgumentError: *model* is not one of fcasync's models.
    """
    if not isinstance(model, Model):
        raise InvalidArgumentError(
            f"to_dict takes one model, such as an Account, not {describe(model)}; "
            "lists have to_columns(), bulk outcomes and reports a to_dict() of their own"
        )
    values = {name: getattr(model, name) for name in field_names(model)}
    known = {name: _plain(value, model) for name, value in values.items() if value is not None}
    return {**known, **model.extra}


def _plain(value: Any, model: Model) -> Any:
    if isinstance(value, Model):
        return to_dict(value)
    if isinstance(value, datetime):
        return model._written(value)
    if isinstance(value, str):
        return str(value)
    if isinstance(value, list | tuple):
        return [_plain(item, model) for item in value]
    return dict(value) if isinstance(value, Mapping) else value


@cache
def _converter() -> "Converter":
    """Build the converter when the first response arrives, because importing cattrs takes time.

    Every model, generic or not, is structured by a function that `fcasync.models._build`
    generates; that function gets the functions of nested models from this converter.
    """
    from cattrs import Converter  # noqa: PLC0415

    converter = Converter(detailed_validation=False)

    def write(cls: Any) -> Callable[[Any, Any], Any]:
        return structure_function(cls, converter.get_structure_hook)

    converter.register_structure_hook_factory(attrs.has, write)
    converter.register_structure_hook_func(lambda cls: cls is Event, _event)
    return converter
