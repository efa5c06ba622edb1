"""The base of all models: frozen fields, a place for unknown fields, and a safe repr."""

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cache
from types import MappingProxyType, MemberDescriptorType
from typing import Any, get_args

import attrs

from fcasync._facts.html import card
from fcasync.models import _show
from fcasync.models._instant import Instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SECOND = timedelta(seconds=1)
_NOTHING: Mapping[str, Any] = MappingProxyType({})


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Model:
    """A part of a response, with Stripe's field names letter for letter.

    Fields that are absent or null are None.
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
        """Fields that this version of fcasync does not know, as Stripe sent them; read-only."""
        return MappingProxyType(self._extra) if self._extra else _NOTHING

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        names = field_names(self)
        same = all(getattr(self, name) == getattr(other, name) for name in names)
        return same and self.extra == other.extra

    def __hash__(self) -> int:
        # The fields hold lists and maps; models with an id hash by their id.
        raise TypeError(f"{type(self).__name__} has no id and cannot be hashed")

    def __repr__(self) -> str:
        shown = ", ".join(f"{name}={_show.text(value)}" for name, value in self._stated())
        return f"{type(self).__name__}({shown})"

    def __rich_repr__(self) -> Iterator[tuple[str, object]]:
        # Without this method, rich prints all fields of attrs classes, secrets included.
        for name, value in self._stated():
            yield name, _show.harmless(value)

    def _repr_html_(self) -> str:
        rows = [(name, _show.cell(value)) for name, value in self._stated()]
        return card(type(self).__name__, rows)

    @staticmethod
    def _written(instant: datetime) -> int | str:
        """Return *instant* as the JSON of this model has it: in whole Unix seconds."""
        return (instant - _EPOCH) // _SECOND

    def _row(self) -> dict[str, str]:
        """Return the cells of this object's row in a table, by column name."""
        return {name: _show.cell(value) for name, value in self._stated()}

    def _stated(self) -> Iterator[tuple[str, object]]:
        """Yield the fields that are not None, with private values hidden."""
        cls: Any = type(self)
        for name, private in _shown_fields(cls):
            value = getattr(self, name)
            if value is not None:
                yield name, _show.HIDDEN if private else value
        if self._extra:
            yield "extra", _show.Names(self._extra)


@attrs.frozen(kw_only=True, eq=False, repr=False, weakref_slot=False)
class Identified(Model):
    """A model with an id, by which it is hashed."""

    id: str

    def __hash__(self) -> int:
        return hash(self.id)


def field_names(model: Model) -> tuple[str, ...]:
    """Return the names of the fields of *model*, in the order in which a repr shows them."""
    cls: Any = type(model)  # Any, because mypy considers classes with their own __hash__ unhashable
    return _field_names(cls)


@cache
def _field_names(cls: Any) -> tuple[str, ...]:
    return tuple(field.name for field in attrs.fields(cls) if field.name != "_extra")


@cache
def _shown_fields(cls: Any) -> tuple[tuple[str, bool], ...]:
    """Return the names of the fields that a repr shows, and whether it hides their values."""
    # An `object` that is constant repeats the name of the class.
    fields = (f for f in attrs.fields(cls) if f.name != "object" or f.default is attrs.NOTHING)
    return tuple((f.name, _show.PRIVATE in f.metadata) for f in fields if f.name != "_extra")
