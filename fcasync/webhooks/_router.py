"""Passes events to the functions that are registered for their types."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

import attrs

from fcasync.errors import InvalidArgumentError
from fcasync.models.event import Event

Handler: TypeAlias = Callable[[Event[Any]], Awaitable[None] | None]
H = TypeVar("H", bound=Handler)


class SeenStore(Protocol):
    """Remembers which events were handled; all workers of a deployment should share one."""

    async def claim(self, event_id: str) -> bool:
        """Remember *event_id*; return False if it was remembered already."""

    async def release(self, event_id: str) -> None:
        """Forget *event_id*: its handler failed, and Stripe will deliver the event again."""


class SeenEvents:
    """The ids of the latest events, in the memory of this process.

    Args:
        size: How many ids to keep; the oldest is forgotten first.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._ids: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<SeenEvents {len(self._ids)} of {self._size}>"

    async def claim(self, event_id: str) -> bool:
        """Remember *event_id*; return False if it was remembered already."""
        if event_id in self._ids:
            return False
        self._ids[event_id] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]
        return True

    async def release(self, event_id: str) -> None:
        """Forget *event_id*: its handler failed, and Stripe will deliver the event again."""
        self._ids.pop(event_id, None)


def _names(handlers: Mapping[str, object]) -> str:
    return f"[{', '.join(sorted(handlers))}]"


@attrs.define(eq=False)
class EventRouter:
    """Passes each event to the functions that are registered for its type.

    Attributes:
        seen: Remembers handled events, so that repeats are dropped; with None, repeats are handled
            again.
    """

    seen: SeenStore | None = None
    _handlers: dict[str, list[Handler]] = attrs.field(factory=dict, init=False, repr=_names)

    def on(self, *types: str) -> Callable[[H], H]:
        """Register the decorated function for events of *types*.

        The function is called with the `Event`. It should be async; a plain function blocks the
        loop while it runs.
        """
        if not types or not all(isinstance(kind, str) and kind for kind in types):
            raise InvalidArgumentError(
                "on() needs event types, such as on(EventType.ACCOUNT_CREATED)"
            )

        def register(handler: H) -> H:
            for kind in types:
                self._handlers.setdefault(kind, []).append(handler)
            return handler

        return register

    async def dispatch(self, event: Event[Any]) -> bool:
        """Run the functions that are registered for *event*, one after the other.

        An exception stops the run and reaches the caller. Respond to Stripe with status 500 then,
        so that it delivers the event again.

        Returns:
            Whether any function ran: False for a repeat, and for a type without functions.
        """
        handlers = self._handlers.get(event.type or "", [])
        if not handlers:
            return False
        if self.seen is not None and not await self.seen.claim(event.id):
            return False
        try:
            for handler in handlers:
                await _run(handler, event)
        except BaseException:
            if self.seen is not None:
                await self.seen.release(event.id)
            raise
        return True


async def _run(handler: Handler, event: Event[Any]) -> None:
    result = handler(event)
    if inspect.isawaitable(result):
        await result
