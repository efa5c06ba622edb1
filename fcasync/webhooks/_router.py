"""Hands events to the functions that were registered for their types."""

import inspect
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol, TypeAlias, TypeVar

import attrs

from fcasync.errors import InvalidArgumentError
from fcasync.models.event import Event

Handler: TypeAlias = Callable[[Event[Any]], Awaitable[None] | None]
H = TypeVar("H", bound=Handler)


class SeenStore(Protocol):
    """Where a router remembers the events that it has handled; one per fleet of workers."""

    async def claim(self, event_id: str) -> bool:
        """Remember *event_id*; return False when it was remembered already."""

    async def release(self, event_id: str) -> None:
        """Forget *event_id*, because handling it failed and Stripe will send it again."""


class SeenEvents:
    """The latest event ids, in this process's memory.

    Args:
        size: How many; the oldest is forgotten first.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = size
        self._ids: dict[str, None] = {}

    def __repr__(self) -> str:
        return f"<SeenEvents {len(self._ids)} of {self._size}>"

    async def claim(self, event_id: str) -> bool:
        """Remember *event_id*; return False when it was remembered already."""
        if event_id in self._ids:
            return False
        self._ids[event_id] = None
        if len(self._ids) > self._size:
            del self._ids[next(iter(self._ids))]
        return True

    async def release(self, event_id: str) -> None:
        """Forget *event_id*, because handling it failed and Stripe will send it again."""
        self._ids.pop(event_id, None)


def _names(handlers: Mapping[str, object]) -> str:
    return f"[{', '.join(sorted(handlers))}]"


@attrs.define(eq=False)
class EventRouter:
    """Hands each event to the functions that were registered for its type.

    Attributes:
        seen: Remembers handled events, so that repeats are dropped; None handles repeats too.
    """

    seen: SeenStore | None = None
    _handlers: dict[str, list[Handler]] = attrs.field(factory=dict, init=False, repr=_names)

    def on(self, *types: str) -> Callable[[H], H]:
        """Register the decorated function for events of *types*.

        It gets the `Event`. It should be async; a plain function blocks the loop while it runs.
        """
        if not types or not all(isinstance(kind, str) and kind for kind in types):
            raise InvalidArgumentError("Name event types, such as on(EventType.ACCOUNT_CREATED).")

        def register(handler: H) -> H:
            for kind in types:
                self._handlers.setdefault(kind, []).append(handler)
            return handler

        return register

    async def dispatch(self, event: Event[Any]) -> bool:
        """Run the functions registered for *event*, one after the other.

        What one raises ends the run and reaches the caller: answer Stripe with a 500 then, and it
        will deliver the event again.

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
