"""What all faults have in common: where and how often they strike, and how a request goes well."""

import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, ClassVar, Protocol

import attrs

from fcasync.sandbox._api.error_bodies import ApiError
from fcasync.sandbox._api.messages import Answer
from fcasync.sandbox._api.operations import OPERATIONS

_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\x20-\x7e]*")

Refuse = Callable[[ApiError], Answer]


class Wire(Protocol):
    """The connection that one request came over, as a fault may use it."""

    @property
    def host(self) -> str:
        """The Host header of the request."""

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes, content_type: str = ...
    ) -> None:
        """Answer with *body* as a whole."""

    async def begin(self, answer: Answer) -> None:
        """Send the status line and headers of *answer*, Content-Length included.

        Raises:
            ConnectionError: The client is gone; a fault lets it through, and so ends.
        """

    async def write(self, data: bytes) -> None:
        """Send part of the body that was begun.

        Raises:
            ConnectionError: The client is gone; a fault lets it through, and so ends.
        """

    async def sleep(self, seconds: float) -> None:
        """Wait; *seconds* are real ones."""

    def close(self) -> None:
        """End the connection in order, whatever was sent."""

    def reset(self) -> None:
        """Cut the connection with a RST, so that the client sees a reset and not an end."""


KINDS: dict[str, "type[Fault]"] = {}
"""Every kind of fault by its name, in the order of their definitions."""


@attrs.frozen(kw_only=True)
class Fault:
    """One way for requests to go wrong.

    ``Fault(kind="drip", ...)`` makes an instance of the class of that kind.

    Attributes:
        operation: The ledger's name of an operation, or ``*`` for all.
        kind: What goes wrong, such as ``status`` (an error is the answer), ``delay`` (the answer is
            held) or ``reset_after`` (the connection is cut after the operation ran).
            ``/openapi.json`` lists all kinds with a sentence each.
        status: The status of ``status`` (default 500) and ``redirect`` (default 307).
        executed: Whether the operation takes effect; None takes the default of the kind, which is
            yes except for ``status``, ``reset_before`` and ``redirect``. A ``delay`` that is not
            executed ends in a cut connection.
        stored: Whether the error of a ``status`` fault is kept under the idempotency key, so that
            every repeat gets it again. By default 500 is kept (as Stripe does with errors from
            inside the API) and the others are not (they come from in front of it).
        probability: The share of matching requests that it strikes, in [0, 1].
        times: How often it strikes before it is used up; None means always.
        seconds: Length of ``delay`` and ``drip``, in real seconds.
        headers: Headers added to a ``status`` or ``redirect`` answer, such as ``Retry-After``.

    Raises:
        ValueError: An argument is out of range, or contradicts the kind.
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

    settings: ClassVar[tuple[str, ...]] = ()
    """The fields that only this kind needs: the page asks for them when it adds one."""
    usually_executes: ClassVar[bool] = True
    """Whether the operation takes effect where `executed` is None."""
    usual_status: ClassVar[int] = 500
    """The status where `status` is None."""

    def __init_subclass__(cls, *, kind: str = "") -> None:
        if kind:
            KINDS[kind] = cls

    def __new__(cls, *, kind: str = "", **settings: Any) -> "Fault":
        """Return an instance of the class of *kind*; `__init__` refuses an unknown one."""
        return object.__new__(KINDS.get(kind, cls))

    def __repr__(self) -> str:
        shown = (f"{field.name}={getattr(self, field.name)!r}" for field in attrs.fields(Fault))
        return f"Fault({', '.join(shown)})"

    def __attrs_post_init__(self) -> None:
        for problem in (*self._out_of_range(), *self.contradictions()):
            raise ValueError(problem)

    def _out_of_range(self) -> Iterable[str]:
        if self.operation != "*" and self.operation not in OPERATIONS:
            yield f"operation {self.operation!r} is not one of * {' '.join(OPERATIONS)}"
        if self.kind not in KINDS:
            yield f"kind {self.kind!r} is not one of {' '.join(KINDS)}"
        if not 0.0 <= self.probability <= 1.0:
            yield f"probability {self.probability!r} is not in [0, 1]"
        if self.times is not None and self.times < 1:
            yield f"times {self.times!r} is below 1"
        if not 0.0 <= self.seconds <= 3600.0:
            yield f"seconds {self.seconds!r} is not in [0, 3600]"
        for name, value in self.headers.items():
            if not _TOKEN.fullmatch(name) or not _VALUE.fullmatch(value):
                yield f"header {name!r} cannot be sent"

    def contradictions(self) -> Iterable[str]:
        """Yield a sentence for each setting that this kind cannot have."""
        return ()

    @property
    def executes(self) -> bool:
        """Whether the operation takes effect."""
        return self.usually_executes if self.executed is None else self.executed

    @property
    def answer_status(self) -> int:
        """The status that it answers with, if it answers at all."""
        return self.usual_status if self.status is None else self.status

    @property
    def stores(self) -> bool:
        """Whether its error becomes the result of the idempotency key."""
        return False

    @property
    def hold(self) -> float:
        """Real seconds for which the request stays in flight because of this fault."""
        return 0.0

    def result(self, answer: Answer, refuse: Refuse) -> Answer | None:
        """Return what is kept under the idempotency key, or None for nothing.

        Args:
            answer: What the operation answered.
            refuse: Makes the answer of an error.
        """
        return answer if self.executes else None

    def disguise(self, answer: Answer, refuse: Refuse) -> Answer:
        """Return *answer* as the ledger and the wire get to see it."""
        return answer if self.executes else attrs.evolve(answer, replayed=False)

    async def send(self, wire: Wire, answer: Answer, hold: float) -> None:
        """Send *answer* once *hold* seconds have passed.

        Args:
            wire: Where to.
            answer: What would arrive without a fault.
            hold: Real seconds before the answer may be complete; at least those of `hold`.
        """
        if hold:
            await wire.sleep(hold)
        await self.deliver(wire, answer)

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Send *answer*, or whatever takes its place, at once."""
        wire.answer(answer.status, answer.headers, answer.body)
