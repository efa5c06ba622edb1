"""The kinds of fault: each a class that knows what it does to the operation and to the answer.

The first line of a docstring is what ``/openapi.json`` says about the kind.
"""

import zlib
from collections.abc import Iterable
from functools import cache

import attrs

from fcasync.sandbox._api.error_bodies import failure
from fcasync.sandbox._api.faults.fault import Fault, Refuse, Wire
from fcasync.sandbox._api.messages import Answer

_GARBAGE = b"<html><body>502 Bad Gateway\x00</body>"
_BOMB_SIZE = 64 << 20


class _NoFault(Fault):
    """Nothing goes wrong: the behaviour of every fault, unchanged."""

    __slots__ = ()

    def __attrs_post_init__(self) -> None:
        """Accept a kind without a name, which nobody can script."""


NO_FAULT: Fault = _NoFault(kind="")
"""What strikes a request that goes well, so that nobody has to ask whether there is a fault."""


class Status(Fault, kind="status"):
    """Answers with an error of this `status`."""

    __slots__ = ()
    settings = ("status", "executed", "stored")
    usually_executes = False

    def contradictions(self) -> Iterable[str]:
        """Refuse a status that is not an error."""
        if not 400 <= self.answer_status <= 599:
            yield f"status {self.status!r} is not in 400..599"

    @property
    def stores(self) -> bool:
        """Whether the error becomes the result of the idempotency key."""
        return self.answer_status == 500 if self.stored is None else self.stored

    def result(self, answer: Answer, refuse: Refuse) -> Answer | None:
        """Keep the error itself if it is stored, else what the operation answered."""
        if self.stores:
            return refuse(failure(self.answer_status))
        return super().result(answer, refuse)

    def disguise(self, answer: Answer, refuse: Refuse) -> Answer:
        """Put the error in place of the answer; effects stay."""
        error = refuse(failure(self.answer_status))
        return attrs.evolve(
            answer,
            status=error.status,
            body=error.body,
            headers={**error.headers, **self.headers},
            replayed=False,
        )


class ResetBefore(Fault, kind="reset_before"):
    """Cuts the connection without a byte; the operation never ran."""

    __slots__ = ()
    usually_executes = False

    def contradictions(self) -> Iterable[str]:
        """Refuse an execution: that is another kind."""
        if self.executed:
            yield "reset_before cannot be executed; use reset_after"

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Cut the connection."""
        wire.reset()


class ResetAfter(Fault, kind="reset_after"):
    """Cuts the connection without a byte, after the operation ran."""

    __slots__ = ()

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Cut the connection."""
        wire.reset()


class Truncate(Fault, kind="truncate"):
    """Ends the connection in the middle of the body."""

    __slots__ = ()

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Promise the whole body, and send half of it."""
        await wire.begin(answer)
        await wire.write(answer.body[: len(answer.body) // 2])
        wire.close()


class Delay(Fault, kind="delay"):
    """Holds the answer for `seconds`; one that is not executed ends in a cut connection."""

    __slots__ = ()
    settings = ("seconds", "executed")

    @property
    def hold(self) -> float:
        """The length of the delay."""
        return self.seconds

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Send the answer, if there is a true one."""
        if self.executes:
            await super().deliver(wire, answer)
        else:
            wire.reset()


class Drip(Fault, kind="drip"):
    """Spreads the body over `seconds`, byte by byte."""

    __slots__ = ()
    settings = ("seconds",)

    @property
    def hold(self) -> float:
        """The time from the first byte to the last."""
        return self.seconds

    async def send(self, wire: Wire, answer: Answer, hold: float) -> None:
        """Spend all of *hold* between the bytes."""
        await wire.begin(answer)
        for position in range(len(answer.body)):
            await wire.write(answer.body[position : position + 1])
            await wire.sleep(hold / len(answer.body))


class Garbage(Fault, kind="garbage"):
    """Answers 200 with something that is not JSON."""

    __slots__ = ()

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Send the page of a proxy."""
        wire.answer(200, answer.headers, _GARBAGE, "text/html")


class Redirect(Fault, kind="redirect"):
    """Sends the client to another URL."""

    __slots__ = ()
    settings = ("status",)
    usually_executes = False
    usual_status = 307

    def contradictions(self) -> Iterable[str]:
        """Refuse a status that does not redirect."""
        if self.answer_status not in {301, 302, 303, 307, 308}:
            yield f"status {self.status!r} is not a redirect"

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Send a Location."""
        location = f"http://{wire.host}/_sandbox/redirected"
        wire.answer(self.answer_status, {"Location": location, **self.headers}, b"", "")


class GzipBomb(Fault, kind="gzip_bomb"):
    """Answers with a small body that grows a thousandfold when it is decompressed."""

    __slots__ = ()

    async def deliver(self, wire: Wire, answer: Answer) -> None:
        """Send 64 MiB of spaces, compressed."""
        wire.answer(200, {**answer.headers, "Content-Encoding": "gzip"}, _bomb())


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1 << 20)
    parts = [packer.compress(block) for _ in range(_BOMB_SIZE >> 20)]
    return b"".join([*parts, packer.flush()])
