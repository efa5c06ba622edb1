"""Passes events to the functions that are registered for their types."""

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterable, Sequence
from datetime import datetime
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar, overload

import attrs

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._wire.uninterrupted import named_task, to_its_end, until_done
from fcasync.errors import InvalidArgumentError, describe
from fcasync.models.event import Event
from fcasync.models.event_type import EventName, EventType, ThinEventName, ThinEventType
from fcasync.models.thin_event import AnyEvent, ThinEvent
from fcasync.webhooks._asgi import WebhookApp
from fcasync.webhooks._catch_up import (
    EVERY,
    THIN,
    CatchUp,
    HasEvents,
    Payload,
    catch_up,
    choose,
)
from fcasync.webhooks._endpoint import Endpoint
from fcasync.webhooks._seen import SeenStore

if TYPE_CHECKING:
    from fcasync.webhooks._aiohttp import AiohttpHandler

Handler: TypeAlias = Callable[[Any], Awaitable[None] | None]
H = TypeVar("H", bound=Handler)
OfSnapshots = TypeVar("OfSnapshots", bound=Callable[[Event[Any]], Awaitable[None] | None])
OfThin = TypeVar("OfThin", bound=Callable[[ThinEvent], Awaitable[None] | None])

_KNOWN: Final = frozenset({*map(str, EventType), *THIN, EVERY})


def _names(handlers: Iterable[tuple[str, Handler]]) -> str:
    return f"[{', '.join(sorted({kind for kind, _ in handlers}))}]"


def _is_store(_: object, __: object, seen: Any) -> None:
    methods = [getattr(seen, name, None) for name in ("claim", "confirm", "release")]
    if seen is not None and not all(map(callable, methods)):
        raise InvalidArgumentError(
            "seen must be a store such as SeenEvents() or SqliteSeenEvents(path), "
            f"not {describe(seen)}"
        )


@attrs.define(eq=False)
class EventRouter:
    """Passes each event to the functions that are registered for its type.

    Attributes:
        seen: Remembers handled events, so that repeats are dropped; with None, repeats are handled
            again.
    """

    seen: SeenStore | None = attrs.field(default=None, validator=_is_store)
    # The type and the function of each registration, in order.
    _handlers: list[tuple[str, Handler]] = attrs.field(factory=list, init=False, repr=_names)

    @overload  # mypy takes a member of an enum for a literal that equals it
    def on(  # type: ignore[overload-overlap]
        self, kind: EventName | EventType, /, *more: EventName | EventType
    ) -> Callable[[OfSnapshots], OfSnapshots]: ...

    @overload
    def on(
        self, kind: ThinEventName | ThinEventType, /, *more: ThinEventName | ThinEventType
    ) -> Callable[[OfThin], OfThin]: ...

    @overload
    def on(self, kind: str, /, *more: str) -> Callable[[H], H]: ...

    def on(self, *types: str) -> Callable[[Any], Any]:
        """Register the decorated function for events of *types*, or for all with ``"*"``.

        The function is called with the `Event` or, for types that begin with ``v1.``, with the
        `ThinEvent`. It should be async; a plain function blocks the loop while it runs.

        Raises:
            InvalidArgumentError: A type is not in `EventType` or `ThinEventType`, nor ``"*"``.
        """
        if not types or not all(isinstance(kind, str) and kind for kind in types):
            raise InvalidArgumentError(
                "on() needs event types, such as on(EventType.ACCOUNT_CREATED)"
            )
        for kind in types:
            if kind not in _KNOWN:
                raise InvalidArgumentError(_unknown(kind))
        kinds = {EVERY} if EVERY in types else dict.fromkeys(types)

        def register(handler: Handler) -> Handler:
            self._handlers.extend((kind, handler) for kind in kinds)
            return handler

        return register

    async def dispatch(self, event: AnyEvent | Event[Any]) -> bool:
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
        return await _once(self.seen, handlers, event)

    def asgi(
        self,
        secret: str | Sequence[str],
        *,
        tolerance: float = 300,
        clock: Clock = SYSTEM_CLOCK,
    ) -> WebhookApp:
        """Return an ASGI application that verifies webhooks and dispatches them.

        In FastAPI and Starlette: ``app.add_route("/webhooks", events.asgi(secret), ["POST"])``. It
        responds with 200 (handled, or nothing to do), 400 (a bad signature, or not an event), 405
        (not a POST), 409 (the event is still being handled), 413 (over a megabyte), or 500 (a
        function has failed). Stripe delivers again what got anything but a 2xx; the logger
        ``fcasync`` has the reason.

        Args:
            secret: The endpoint's ``whsec_...`` secret, or several while one replaces another.
            tolerance: The most seconds between Stripe's clock and this one, in either direction.
            clock: The source of the current time.

        Raises:
            InvalidArgumentError: A secret or the tolerance is invalid.
        """
        return WebhookApp(Endpoint(self.dispatch, secret, tolerance, clock))

    def aiohttp_handler(
        self,
        secret: str | Sequence[str],
        *,
        tolerance: float = 300,
        clock: Clock = SYSTEM_CLOCK,
    ) -> "AiohttpHandler":
        """Return the same as a handler: ``app.router.add_post("/webhooks", handler)``.

        For arguments, statuses and errors see :meth:`asgi`.
        """
        from fcasync.webhooks._aiohttp import aiohttp_handler  # noqa: PLC0415 - few need the server

        return aiohttp_handler(Endpoint(self.dispatch, secret, tolerance, clock))

    async def catch_up(
        self, client: HasEvents, *, since: datetime, event_payload: Payload | None = None
    ) -> CatchUp:
        """Handle what has happened since *since* and was not handled yet, oldest first.

        For the hours in which the endpoint was down: Stripe delivers again for three days, and
        lists events for 30. It reads the types that functions are registered for, snapshot events
        from ``client.events.list`` and thin events from ``client.events.list_thin``. What the
        seen-store knows is not handled again, so that this may run at any time, in several
        processes, and beside the endpoint itself, which gets what happens meanwhile.

        Stripe has two events of most of what happens, and lists both, whichever the endpoint gets.
        So functions of ``on("*")`` are given snapshot events alone, unless a function is registered
        for a thin event or *event_payload* says otherwise.

        For a connected account pass ``client.with_options(stripe_account="acct_...")``; the events
        then name it, as those of a webhook do.

        Args:
            client: Whose events to read.
            since: An aware datetime, at most 30 days ago.
            event_payload: What the endpoint gets, as its event destination has it at Stripe:
                ``"snapshot"`` or ``"thin"`` events; None for those that functions are registered
                for.

        Returns:
            How many were handled, had been handled before, and are being handled elsewhere.

        Raises:
            InvalidArgumentError: There is no seen-store or no function for such events, or
                *since* has no time zone or is more than 30 days ago.
            FCError: The events could not be read.
            ExceptionGroup: What functions raised, up to 100 errors, and after them an FCError if
                that ended the walk. A failure does not keep other events from being handled, and
                the same call tries again those that failed.
        """
        if self.seen is None:
            raise InvalidArgumentError(
                "catch_up needs a seen-store, to know what was handled: EventRouter(seen=...)"
            )
        handled = dict.fromkeys(kind for kind, _ in self._handlers)
        wanted = choose(handled, event_payload)
        return await catch_up(self.dispatch, client, since, wanted, handled)


async def _once(seen: SeenStore, handlers: list[Handler], event: AnyEvent | Event[Any]) -> bool:
    """Run *handlers* unless *seen* knows the event; return whether they ran."""
    claim = named_task(seen.claim(event.id), "fcasync.webhooks.claim")
    try:
        await until_done([claim])
        if not claim.result():
            return False
        await _run(handlers, event)
    except BaseException as error:
        if _is_taken(claim):
            await _give_back(seen, event.id, error)
        raise
    await to_its_end(seen.confirm(event.id))
    return True


def _is_taken(claim: "asyncio.Future[bool]") -> bool:
    is_known = claim.done() and not claim.cancelled() and claim.exception() is None
    return is_known and claim.result()


async def _give_back(seen: SeenStore, event_id: str, reason: BaseException) -> None:
    """Release a claim; where that fails too, *reason* says so and is not hidden by it."""
    try:
        await to_its_end(seen.release(event_id))
    except Exception as error:  # noqa: BLE001 - of any store
        reason.add_note(f"the claim of event {event_id} was not released: {error}")


def _unknown(kind: str) -> str:
    close = get_close_matches(kind, _KNOWN, 1)
    hint = f"did you mean {close[0]!r}? " if close else ""
    return f"{describe(kind)} is not an event type that fcasync knows; {hint}'*' takes all events"


async def _run(handlers: Iterable[Handler], event: AnyEvent | Event[Any]) -> None:
    for handler in handlers:
        result = handler(event)
        if inspect.isawaitable(result):
            await result
