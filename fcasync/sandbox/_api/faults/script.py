"""Faults as a script: how JSON describes them, and which strikes next."""

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from fcasync.sandbox._api.faults.fault import KINDS, Fault
from fcasync.sandbox._api.faults.kinds import NO_FAULT
from fcasync.sandbox._api.operations import OPERATIONS
from fcasync.sandbox._bank.dice import unit
from fcasync.sandbox._bank.schema import FLAG, Schema, obj, one_of, or_null


def _sentence(kind: type[Fault]) -> str:
    return (kind.__doc__ or "").partition("\n")[0]


_SENTENCES = (f"{name}: {_sentence(kind)}" for name, kind in KINDS.items())
SCHEMA: Schema = obj(
    {
        "operation": one_of("*", *OPERATIONS),
        "status": or_null({"type": "integer", "minimum": 400, "maximum": 599}),
        "executed": or_null(FLAG),
        "stored": or_null(FLAG),
        "probability": {"type": "number", "minimum": 0, "maximum": 1},
        "times": or_null({"type": "integer", "minimum": 1}),
        "seconds": {"type": "number", "minimum": 0, "maximum": 3600},
        "headers": {"type": "object", "additionalProperties": {"type": "string"}},
    },
    kind={**one_of(*KINDS), "description": "\n".join(_SENTENCES)},
)
_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int,),
    "number": (int, float),
    "boolean": (bool,),
    "object": (dict,),
    "null": (type(None),),
}


def _fits(value: Any, schema: Schema) -> bool:
    """Return whether *value* has the type that *schema* names; ranges are checked by Fault."""
    for option in schema.get("anyOf", [schema]):
        types = _TYPES[option["type"]]
        # A bool is an int for Python, but never for JSON.
        if isinstance(value, types) and (not isinstance(value, bool) or bool in types):
            return True
    return False


def fault(data: Any) -> Fault:
    """Return the fault that *data*, a mapping as JSON has it, describes.

    Raises:
        ValueError: It is not a description of a fault; the message says why.
    """
    if isinstance(data, Fault):
        return data
    if not isinstance(data, Mapping):
        raise ValueError(f"a fault is an object, not {type(data).__name__}")
    fields = SCHEMA["properties"]
    for name, value in data.items():
        if name not in fields:
            raise ValueError(f"a fault has no {name!r}; it has {', '.join(fields)}")
        if not _fits(value, fields[name]):
            raise ValueError(f"{name} {value!r} has the wrong type")
    if not all(isinstance(value, str) for value in data.get("headers", {}).values()):
        raise ValueError("the values of headers are strings")
    if "kind" not in data:
        raise ValueError(f"a fault needs a kind: {' '.join(KINDS)}")
    return Fault(**data)


class FaultBook:
    """The faults in force, and how often each may still strike."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._left: list[tuple[Fault, int | None]] = [(fault, fault.times) for fault in faults]
        """Each fault with the strikes that it has left, None for always; tried in this order."""

    def copy(self) -> "FaultBook":
        """Return a book that changes on its own from here on."""
        twin = FaultBook()
        twin._left = self._left.copy()
        return twin

    @property
    def in_force(self) -> list[Fault]:
        """The faults that can still strike, with the times they have left."""
        return [attrs.evolve(fault, times=left) for fault, left in self._left]

    def add(self, faults: Iterable[Fault]) -> None:
        """Put *faults* into force, behind those that already are."""
        self._left += [(fault, fault.times) for fault in faults]

    def clear(self) -> None:
        """End all faults."""
        self._left.clear()

    def strike(self, operation: str, seed: int) -> Fault:
        """Return the first fault that strikes this request, and count it; NO_FAULT for none.

        Args:
            operation: The operation of the request.
            seed: Decides about the faults with a probability.
        """
        for position, (fault, left) in enumerate(self._left):
            if fault.operation not in {"*", operation}:
                continue
            if fault.probability < 1.0 and unit(seed, position) >= fault.probability:
                continue
            if left is not None:
                self._left[position] = (fault, left - 1)
                if left == 1:
                    del self._left[position]
            return fault
        return NO_FAULT
