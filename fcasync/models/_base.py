"""What all models share: frozen fields, room for what Stripe adds tomorrow, and a careful repr."""

from collections.abc import Iterator, Mapping
from datetime import datetime
from functools import cache
from types import MappingProxyType, MemberDescriptorType
from typing import Any, get_args

import attrs

from fcasync._facts.html import card
from fcasync.models import _show
from fcasync.models._instant import Instant

_NOTHING: Mapping[str, Any] = MappingProxyType({})


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Model:
    """A part of an answer, with Stripe's field names letter for letter.

    A field that Stripe left out and a field that is null are both None.
    """

    _extra: Mapping[str, Any] | None = None

    def __init_subclass__(cls) -> None:
        super().__init_subclass__()
        for name, kind in cls.__annotations__.items():
            slot = cls.__dict__.get(name)
            if isinstance(slot, MemberDescriptorType) and datetime in get_args(kind):
                setattr(cls, name, Instant(slot))

    @property
    def extra(self) -> Mapping[str, Any]:
        """The fields that this version of fcasync does not know, as Stripe sent them; read-only."""
        return MappingProxyType(self._extra) if self._extra else _NOTHING

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = field_names(self)
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and self.extra == other.extra

    def __hash__(self) -> int:
        # Parts hold lists and maps; what has an id hashes by it.
        raise TypeError(f"{type(self).__name__} has no id to hash by")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_show.text(value)}" for name, value in self._stated())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        # Without it, rich prints the fields of attrs classes itself, secrets included.
        for name, value in self._stated():
            yield name, _show.harmless(value)

    def _repr_html_(self) -> str:
        rows = [(name, _show.cell(value)) for name, value in self._stated()]
        return card(type(self).__name__, rows)

    def _row(self) -> dict[str, str]:
        """Return the cells of this object's row in a table of many, by column."""
        return {name: _show.cell(value) for name, value in self._stated()}

    def _stated(self) -> Iterator[tuple[str, object]]:
        """Yield the fields worth showing: known, not None, and safe to be read over a shoulder."""
        cls: Any = type(self)
        for name, private in _shown_fields(cls):
            value = getattr(self, name)
            if value is not None:
                yield name, _show.HIDDEN if private else value
        if self._extra:
            yield "extra", _show.Names(self._extra)


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Identified(Model):
    """A model with an id of its own; it hashes by it."""

    id: str

    def __hash__(self) -> int:
        return hash(self.id)


def field_names(model: Model) -> tuple[str, ...]:
    """Return the names of Stripe's fields of *model*, in the order in which they are shown."""
    cls: Any = type(model)  # as Any: mypy takes classes with a __hash__ of their own as unhashable
    return _field_names(cls)


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls) if field.name != "_extra")


@cache
def _shown_fields(cls: Any) -> tuple[tuple[str, bool], ...]:
    """Return the names of the fields that a repr shows, and whether it hides what is in them."""
    # An `object` that is always the same says no more than the name of the class.
    fields = (f for f in attrs.fields(cls) if f.name != "object" or f.default is attrs.NOTHING)
    return tuple((f.name, _show.PRIVATE in f.metadata) for f in fields if f.name != "_extra")
