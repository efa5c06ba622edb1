"""A clock, a transport and a hook to put in the place of the real ones."""

import asyncio
from collections.abc import Iterable, Mapping
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
        start: The Unix time at which it begins.
        draw: What the dice show, in [0, 1).
    """

    def __init__(self, start: float = 1_700_000_000.0, draw: float = 0.5) -> None:
        self._start = start
        self._elapsed = 0.0
        self.dice = draw
        self.sleeps: list[float] = []
        """Every sleep asked for, in seconds."""

    def time(self) -> float:
        """Return the Unix time."""
        return self._start + self._elapsed

    def monotonic(self) -> float:
        """Return the seconds since the clock began."""
        return self._elapsed

    async def sleep(self, seconds: float) -> None:
        """Let *seconds* pass, and the other tasks run."""
        self.sleeps.append(seconds)
        self.advance(seconds)
        await asyncio.sleep(0)

    def draw(self) -> float:
        """Return what the dice show."""
        return self.dice

    def advance(self, seconds: float) -> None:
        """Let *seconds* pass."""
        self._elapsed += seconds


def answer(
    body: object = None, *, status: int = 200, headers: Mapping[str, str] | None = None
) -> Answer:
    """Return an answer for a script.

    Args:
        body: Bytes as they are; a model in Stripe's shape; anything else as JSON.
        status: The HTTP status.
        headers: Response headers, looked up without regard to case.
    """
    plain = to_dict(body) if isinstance(body, Model) else body
    data = plain if isinstance(plain, bytes) else orjson.dumps(plain)
    return Answer(status, CIMultiDict(headers or {}), data)


class ScriptedTransport:
    """Answers each request with the next step of a script, without any network.

    Args:
        script: Answers to return (see :func:`answer`; a model or a dict is one with status 200)
            and exceptions to raise, in order.
    """

    def __init__(self, script: Iterable[Step] = ()) -> None:
        self._script = list(script)
        self.requests: list[Request[Any]] = []
        """What was sent."""

    def add(self, *steps: Step) -> None:
        """Append *steps* to the script."""
        self._script.extend(steps)

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Return or raise the next step.

        Raises:
            AssertionError: The script is over.
        """
        self.requests.append(request)
        await asyncio.sleep(0)
        if not self._script:
            raise AssertionError(f"the script has no step for {request.call.operation}")
        step = self._script.pop(0)
        if isinstance(step, BaseException):
            raise step
        return step if isinstance(step, Answer) else answer(step)

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


class RecordingHook:
    """A hook that keeps every event."""

    def __init__(self) -> None:
        self.events: list[HookEvent] = []

    def __call__(self, event: HookEvent, /) -> None:
        """Keep *event*."""
        self.events.append(event)

    @property
    def names(self) -> list[str]:
        """The kinds of the events, in order."""
        return [type(event).__name__ for event in self.events]
