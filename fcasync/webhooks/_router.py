"""Passes events to the functions that are registered for their types."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable
from difflib import get_close_matches
from typing import Any, Final, TypeAlias, TypeVar

import attrs

from fcasync._wire.uninterrupted import named_task, to_its_end, until_done
from fcasync.errors import InvalidArgumentError, describe
from fcasync.models.event import Event, EventType
from fcasync.webhooks._seen import SeenStore

Handler: TypeAlias = Callable[[Event[Any]], Awaitable[None] | None]
H = TypeVar("H", bound=Handler)

EVERY: Final = "*"
"""Stands for all types of events, also for those that this version does not know."""

_KNOWN: Final = frozenset({*map(str, EventType), EVERY})


def _names(handlers: Iterable[tuple[str, Handler]]) -> str:
    return f"[{', '.join(sorted({kind for kind, _ in handlers}))}]"


@attrs.define(eq=False)
class EventRouter:
    """Passes each event to the functions that are registered for its type.

    Attributes:
        seen: Remembers handled events, so that repeats are dropped; with None, repeats are handled
            again.
    """

    seen: SeenStore | None = None
    # The type and the function of each registration, in order.
    _handlers: list[tuple[str, Handler]] = attrs.field(factory=list, init=False, repr=_names)

    def on(self, *types: str) -> Callable[[H], H]:
        """Register the decorated function for events of *types*, or for all with ``"*"``.

        The function is called with the `Event`. It should be async; a plain function blocks the
        loop while it runs.

        Raises:
            InvalidArgumentError: A type is neither one of `EventType` nor ``"*"``.
        """
        if not types or not all(isinstance(kind, str) and kind for kind in types):
            raise InvalidArgumentError(
                "on() needs event types, such as on(EventType.ACCOUNT_CREATED)"
            )
        for kind in types:
            if kind not in _KNOWN:
                raise InvalidArgumentError(_unknown(kind))
        kinds = {EVERY} if EVERY in types else dict.fromkeys(types)

        def register(handler: H) -> H:
            self._handlers.extend((kind, handler) for kind in kinds)
            return handler

        return register

    async def dispatch(self, event: Event[Any]) -> bool:
        """Run the functions that are registered for *event*, one after the other.

        An exception stops the run and reaches the caller. Respond to Stripe with status 500 then,
        so that it delivers the event again.

        Returns:
            Whether any function ran: False for a repeat, and for a type without functions.

        Raises:
            EventInProgress: An earlier delivery of the same event is still being handled. Respond
                with status 409: should that handling fail, Stripe delivers the event again.
        """
        handlers = [handler for kind, handler in self._handlers if kind in (event.type, EVERY)]
        if not handlers:
            return False
        if self.seen is None:
            await _run(handlers, event)
            return True
        claim = named_task(self.seen.claim(event.id), "fcasync.webhooks.claim")
        try:
            await until_done([claim])
            if not claim.result():
                return False
            await _run(handlers, event)
        except BaseException:
            if _is_taken(claim):
                await to_its_end(self.seen.release(event.id))
            raise
        await to_its_end(self.seen.confirm(event.id))
        return True


def _is_taken(claim: "asyncio.Future[bool]") -> bool:
    is_known = claim.done() and not claim.cancelled() and claim.exception() is None
    return is_known and claim.result()


def _unknown(kind: str) -> str:
    close = get_close_matches(kind, _KNOWN, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{describe(kind)} is no event type that fcasync knows; {hint}'*' takes all events"


async def _run(handlers: Iterable[Handler], event: Event[Any]) -> None:
    for handler in handlers:
        result = handler(event)
        if inspect.isawaitable(result):
            await result
