"""Scripted faults: data that says which requests go wrong, and how."""

import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from fcasync.sandbox._api.routes import OPERATIONS
from fcasync.sandbox._bank.dice import unit

# Whether the operation takes effect, where a fault does not say.
_EXECUTES = {
    "status": False,
    "reset_before": False,
    "reset_after": True,
    "truncate": True,
    "delay": True,
    "drip": True,
    "garbage": True,
    "redirect": False,
    "gzip_bomb": True,
}
KINDS = tuple(_EXECUTES)
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")


@attrs.frozen(kw_only=True)
class Fault:
    """One way for requests to go wrong.

    Attributes:
        operation: The ledger's name of an operation, or ``*`` for all.
        kind: ``status`` answers with an error; ``reset_before`` and ``reset_after`` cut the
            connection without a byte; ``truncate`` cuts it inside the body; ``delay`` holds the
            answer for `seconds`; ``drip`` spreads the body over `seconds`; ``garbage`` answers
            200 with something that is not JSON; ``redirect`` sends the client elsewhere;
            ``gzip_bomb`` answers with a small body that grows a thousandfold.
        status: The status of ``status`` (default 500) and ``redirect`` (default 307).
        executed: Whether the operation takes effect all the same; None takes the kind's habit,
            which is yes but for ``status``, ``reset_before`` and ``redirect``. A ``delay`` that
            is not executed ends in a cut connection.
        stored: Whether the error of a ``status`` fault is kept under the idempotency key, so that
            every repeat gets it again; None: 500 is (as Stripe does with errors from inside the
            API), the others are not (they come from in front of it).
        probability: The share of matching requests that it strikes, in [0, 1].
        times: How often it strikes before it is used up; None for ever.
        seconds: Length of ``delay`` and ``drip``, in real seconds.
        headers: Headers added to a ``status`` or ``redirect`` answer, such as ``Retry-After``.
    """

    operation: str = "*"
    kind: str
    status: int | None = None
    executed: bool | None = None
    stored: bool | None = None
    probability: float = 1.0
    times: int | None = None
    seconds: float = 0.0
    headers: Mapping[str, str] = attrs.field(factory=dict)

    def __attrs_post_init__(self) -> None:
        for problem in self._problems():
            raise ValueError(problem)

    def _problems(self) -> Iterable[str]:
        if self.operation != "*" and self.operation not in OPERATIONS:
            yield f"operation {self.operation!r} is not one of * {' '.join(OPERATIONS)}"
        if self.kind not in _EXECUTES:
            yield f"kind {self.kind!r} is not one of {' '.join(_EXECUTES)}"
        if not 0.0 <= self.probability <= 1.0:
            yield f"probability {self.probability!r} is not in [0, 1]"
        if self.times is not None and self.times < 1:
            yield f"times {self.times!r} is below 1"
        if not 0.0 <= self.seconds <= 3600.0:
            yield f"seconds {self.seconds!r} is not in [0, 3600]"
        yield from self._contradictions()

    def _contradictions(self) -> Iterable[str]:
        if self.kind == "reset_before" and self.executed:
            yield "reset_before cannot be executed; use reset_after"
        if self.kind == "redirect" and self.answer_status not in {301, 302, 303, 307, 308}:
            yield f"status {self.status!r} is no redirect"
        if self.kind == "status" and not 400 <= self.answer_status <= 599:
            yield f"status {self.status!r} is not in 400..599"
        for name, value in self.headers.items():
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                yield f"header {name!r} cannot be sent"

    @property
    def executes(self) -> bool:
        """Whether the operation takes effect."""
        return _EXECUTES[self.kind] if self.executed is None else self.executed

    @property
    def answer_status(self) -> int:
        """The status that a ``status`` or ``redirect`` fault answers with."""
        if self.status is None:
            return 307 if self.kind == "redirect" else 500
        return self.status

    @property
    def stores(self) -> bool:
        """Whether its error becomes the result of the idempotency key."""
        if self.kind != "status":
            return False
        return self.answer_status == 500 if self.stored is None else self.stored


_TYPES: dict[str, tuple[type, ...]] = {
    "operation": (str,),
    "kind": (str,),
    "status": (int, type(None)),
    "executed": (bool, type(None)),
    "stored": (bool, type(None)),
    "probability": (int, float),
    "times": (int, type(None)),
    "seconds": (int, float),
    "headers": (dict,),
}


def fault(data: Any) -> Fault:
    """Return the fault that *data*, a mapping as JSON has it, describes.

    Raises:
        ValueError: It describes none; the message says why.
    """
    if isinstance(data, Fault):
        return data
    if not isinstance(data, Mapping):
        raise ValueError(f"a fault is an object, not {type(data).__name__}")
    for name, value in data.items():
        if name not in _TYPES:
            raise ValueError(f"a fault has no {name!r}; it has {', '.join(_TYPES)}")
        wrong = not isinstance(value, _TYPES[name])
        if wrong or (isinstance(value, bool) and bool not in _TYPES[name]):
            raise ValueError(f"{name} {value!r} has the wrong type")
    if not all(isinstance(value, str) for value in data.get("headers", {}).values()):
        raise ValueError("the values of headers are strings")
    if "kind" not in data:
        raise ValueError(f"a fault needs a kind: {' '.join(_EXECUTES)}")
    return Fault(**data)


class FaultBook:
    """The faults in force, and how often each may still strike."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        self._left: list[tuple[Fault, int | None]] = [(fault, fault.times) for fault in faults]

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

    def strike(self, operation: str, dice: int) -> Fault | None:
        """Return the first fault that strikes this request, or None, and count it.

        Args:
            operation: The operation of the request.
            dice: Decides about the faults with a probability.
        """
        for place, (fault, left) in enumerate(self._left):
            if fault.operation not in {"*", operation}:
                continue
            if fault.probability < 1.0 and unit(dice, place) >= fault.probability:
                continue
            if left is not None:
                self._left[place] = (fault, left - 1)
                if left == 1:
                    del self._left[place]
            return fault
        return None
