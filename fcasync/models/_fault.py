"""Finds the place where JSON does not fit a model; called only after decoding has failed."""

from collections.abc import Iterator
from typing import Any

from fcasync.errors import describe
from fcasync.models._kinds import KINDS, kind_of
from fcasync.models.event import Event, event_class, with_object


def first_fault(value: object, cls: Any) -> str:
    """Return the first fault as ``$.data[3].created: expected a Unix time, not 'abc'``."""
    return next(_faults(value, cls, "$"), f"$: does not fit {cls}")


def _faults(value: object, cls: Any, path: str) -> Iterator[str]:
    if cls is Event:
        cls = event_class(value.get("type") if isinstance(value, dict) else None)
        value = with_object(value, cls)
    kind = KINDS[kind_of(cls)]
    if not kind.fits(value, cls):
        yield f"{path}: expected {kind.expects(cls)}, not {_shown(value)}"
        return
    for step, part, its in kind.parts(value, cls):
        yield from _faults(part, its, path + step)


def _shown(value: object) -> str:
    if isinstance(value, dict | list) and value:
        return "an object" if isinstance(value, dict) else "a list"
    return "null or absent" if value is None else describe(value)
