"""Handling the events that an endpoint has missed."""

from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Container, Iterable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Literal, Protocol, TypeAlias

import attrs

from fcasync.errors import EventInProgress, FCError, InvalidArgumentError, describe
from fcasync.models.event_type import ThinEventType
from fcasync.models.thin_event import AnyEvent

if TYPE_CHECKING:
    from fcasync.resources.events import Events


EVERY: Final = "*"
"""Stands for all types of events, also for those that this version does not know."""
THIN: Final = frozenset(map(str, ThinEventType))
Payload: TypeAlias = Literal["snapshot", "thin"]
"""What an event destination sends (https://docs.stripe.com/api/v2/core/event-destinations)."""

MOST_FAILURES: Final = 100
"""From so many on, the events are not at fault, but what the functions work with."""
DAY: Final = 86_400.0
KEEP: Final = 30 * DAY + 3600
"""Seconds for which Stripe keeps events, and an hour for those who ask for just that much."""


class HasEvents(Protocol):
    """A `Client`, or a view of one."""

    @property
    def events(self) -> "Events":
        """Its list of events."""


@attrs.frozen(kw_only=True)
class CatchUp:
    """What became of the events that were looked at."""

    handled: int = 0
    """Events whose functions have run."""
    repeated: int = 0
    """Events that had been handled before."""
    in_progress: int = 0
    """Events that somebody else is handling just now."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.handled + self.repeated + self.in_progress


@attrs.frozen
class Wanted:
    """The types of events to read, in each of Stripe's two lists; no type stands for all types."""

    snapshot: Sequence[str] | None
    """None: that list is not read."""
    thin: Sequence[str] | None


def choose(types: Iterable[str], event_payload: Payload | None) -> Wanted:
    """Return what to read for functions of *types*, as :meth:`EventRouter.catch_up` says.

    Raises:
        InvalidArgumentError: There is nothing to read, or *event_payload* does not exist.
    """
    if event_payload not in (None, "snapshot", "thin"):
        raise InvalidArgumentError(
            f"event_payload must be 'snapshot', 'thin' or None, not {describe(event_payload)}"
        )
    kinds = dict.fromkeys(types)
    every = EVERY in kinds
    thin = [kind for kind in kinds if kind in THIN]
    snapshot = [kind for kind in kinds if kind not in THIN and kind != EVERY]
    wants_thin = bool(thin) or (every and event_payload == "thin")
    wants_snapshot = bool(snapshot) or every
    wanted = Wanted(
        None if event_payload == "thin" or not wants_snapshot else [] if every else snapshot,
        None if event_payload == "snapshot" or not wants_thin else [] if every else thin,
    )
    if wanted.snapshot is None and wanted.thin is None:
        kind = f"{event_payload} events" if event_payload else "any event"
        raise InvalidArgumentError(
            f"catch_up has nothing to read: no function is registered for {kind}"
        )
    return wanted


async def catch_up(
    dispatch: Callable[[Any], Awaitable[bool]],
    client: HasEvents,
    since: datetime,
    wanted: Wanted,
    handled: Container[str],
) -> CatchUp:
    """Dispatch the events that are *wanted* from *since* on, oldest first.

    Args:
        dispatch: Handles one event.
        client: Whose events to read.
        since: An aware datetime, at most 30 days ago.
        wanted: The lists to read.
        handled: The types that functions are registered for.

    Raises:
        InvalidArgumentError: *client* or *since* is of another kind, or that is too long ago.
        ExceptionGroup: What functions raised, and what ended the walk after that.
    """
    events = _checked(client, since)
    counts, failures, end = Counter[str](), list[Exception](), list[Exception]()
    try:
        async with aclosing(_missed(events, since, wanted)) as missed:
            async for event in missed:
                if EVERY in handled or event.type in handled:
                    counts[await _dispatched(event, dispatch, failures)] += 1
                if len(failures) == MOST_FAILURES:
                    break
    except FCError as error:
        if not failures:
            raise
        end.append(error)
    if failures:
        is_cut = end or len(failures) == MOST_FAILURES
        raise ExceptionGroup(
            f"{len(failures)} events failed, {counts['handled']} were handled"
            f"{', and the rest was left' if is_cut else ''}; the same call goes on with those that "
            "were not",
            failures + end,
        )
    return CatchUp(**counts)


def _checked(client: HasEvents, since: datetime) -> "Events":
    # Here, because it imports aiohttp, which a process that only takes webhooks does not need.
    from fcasync.resources.events import Events  # noqa: PLC0415

    events = getattr(client, "events", None)
    if not isinstance(events, Events):
        raise InvalidArgumentError(f"client must be a fcasync.Client, not {describe(client)}")
    if not isinstance(since, datetime) or since.utcoffset() is None:
        raise InvalidArgumentError(
            f"since must be an aware datetime such as datetime.now(UTC) - timedelta(hours=3), "
            f"not {describe(since)}"
        )
    age = events._engine.clock.time() - since.timestamp()
    if age > KEEP:
        raise InvalidArgumentError(
            f"since is {age / DAY:.0f} days ago, and Stripe keeps events for 30: list the accounts "
            "instead, and read what you need"
        )
    return events


async def _dispatched(
    event: AnyEvent, dispatch: Callable[[Any], Awaitable[bool]], failures: list[Exception]
) -> str:
    """Return what became of *event*; what a function raises is added to *failures*."""
    try:
        return "handled" if await dispatch(event) else "repeated"
    except EventInProgress:
        return "in_progress"
    except Exception as error:  # noqa: BLE001 - raised with the others, at the end
        error.add_note(f"while catching up: event {event.id} of {event.created}")
        failures.append(error)
        return "failed"


def _missed(events: "Events", since: datetime, wanted: Wanted) -> AsyncGenerator[AnyEvent]:
    from fcasync.resources import _missed as missed  # noqa: PLC0415 - as above

    walks: list[AsyncGenerator[Any]] = []
    if wanted.snapshot is not None:
        walks.append(missed.snapshots(events, since, _filter(wanted.snapshot)))
    if wanted.thin is not None:
        walks.append(missed.thin(events, since, _filter(wanted.thin)))
    return missed.merged(*walks)


def _filter(types: Sequence[str]) -> Sequence[str] | None:
    from fcasync.resources.events import MOST_TYPES  # noqa: PLC0415 - as above

    # Of more than Stripe filters by all are read; the router drops what it has no function for.
    return types if 0 < len(types) <= MOST_TYPES else None
