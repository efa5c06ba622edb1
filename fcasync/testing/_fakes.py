"""A clock, two transports and a hook that replace the real ones in tests."""

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeAlias

import orjson
from multidict import CIMultiDict

from fcasync._rules.request import Answer, Request
from fcasync.hooks import HookEvent
from fcasync.models._base import Model
from fcasync.models._convert import to_dict

Step: TypeAlias = Answer | Model | BaseException | dict[str, Any]
"""One step of a script."""


class FakeClock:
    """A clock that only tests move: ``sleep`` returns at once, and the time has passed.

    Args:
        start: The Unix time at which the clock begins.
        draw: The random number in [0, 1) that decides jitter, or a function that returns one.
        paced_by: A function that returns seconds. Time then passes as that function says, and
            ``sleep`` is asyncio's. Pass ``other.monotonic`` to share the time of *other* with a
            server whose waits have to be real.
    """

    def __init__(
        self,
        start: float = 1_700_000_000.0,
        draw: float | Callable[[], float] = 0.5,
        *,
        paced_by: Callable[[], float] | None = None,
    ) -> None:
        self._began = start  # what the wall clock shows when `monotonic` is 0
        self._advanced = 0.0  # seconds that sleeps and `advance` let pass
        self._draw = draw
        self._paced_by = paced_by
        self.sleeps: list[float] = []
        """The length of every sleep, in seconds."""

    def time(self) -> float:
        """Return the Unix time."""
        return self._began + self.monotonic()

    def monotonic(self) -> float:
        """Return the seconds since the clock began; `shift` does not change them."""
        return self._advanced if self._paced_by is None else self._advanced + self._paced_by()

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass, and the other tasks run."""
        self.sleeps.append(seconds)
        if self._paced_by is not None:
            await asyncio.sleep(seconds)
            return
        self.advance(seconds)
        await asyncio.sleep(0)

    def draw(self) -> float:
        """Return the random number that decides jitter."""
        return self._draw() if callable(self._draw) else self._draw

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self._advanced += seconds

    def shift(self, seconds: float) -> None:
        """Move the wall clock alone, as when the machine was suspended or its time was set."""
        self._began += seconds


def answer(
    body: object = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return a response for a script.

    Args:
        body: Bytes are used as they are, a model takes the shape of Stripe's JSON, and anything
            else is encoded as JSON.
        status: The HTTP status.
        headers: Response headers; their names are case-insensitive.
    """
    plain = to_dict(body) if isinstance(body, Model) else body
    data = plain if isinstance(plain, bytes) else orjson.dumps(plain)
    return Answer(status, CIMultiDict(headers or {}), data)


class ScriptedTransport:
    """Answers each request with the next step of a script, without any network.

    Args:
        script: Responses to return (see :func:`answer`; a model or a dict stands for one with
            status 200) and exceptions to raise, in order.
    """

    def __init__(self, script: Iterable[Step] = ()) -> None:
        self._script = list(script)
        self.requests: list[Request[Any]] = []
        """The requests so far."""

    def add(self, *steps: Step) -> None:
        """Append *steps* to the script."""
        self._script.extend(steps)

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Return or raise the next step.

        Raises:
            AssertionError: The script has no step left.
        """
        self.requests.append(request)
        await asyncio.sleep(0)
        if not self._script:
            raise AssertionError(f"the script has no step for {request.call.operation}")
        return _played(self._script.pop(0))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


class InstantTransport:
    """Answers every request at once with what a function returns, without any network.

    ::

        transport = InstantTransport(lambda request: make_account(id="fca_1"))

    Args:
        respond: Called with each request; returns a response (see :func:`answer`; a model or a dict
            stands for one with status 200) or an exception to raise.
    """

    def __init__(self, respond: Callable[[Request[Any]], Step]) -> None:
        self._respond = respond
        self.sent: int = 0
        """The number of requests so far; the requests themselves are not kept."""

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Return or raise what the function returns for *request*."""
        self.sent += 1
        return _played(self._respond(request))

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


def _played(step: Step) -> Answer:
    if isinstance(step, BaseException):
        raise step
    return step if isinstance(step, Answer) else answer(step)


class RecordingHook:
    """A hook that records every event."""

    def __init__(self) -> None:
        self.events: list[HookEvent] = []

    def __call__(self, event: HookEvent, /) -> None:
        """Record *event*."""
        self.events.append(event)

    @property
    def names(self) -> list[str]:
        """The class names of the events, in order."""
        return [type(event).__name__ for event in self.events]
