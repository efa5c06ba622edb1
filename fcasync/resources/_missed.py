"""Events from an instant on, oldest first, whatever order Stripe lists them in."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import AsyncExitStack, aclosing
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import attrs

from fcasync.models import SnapshotEvent, ThinEvent
from fcasync.models.thin_event import AnyEvent

if TYPE_CHECKING:
    from fcasync.resources.events import Events

Types: TypeAlias = Sequence[str] | None

MOST_HELD: Final = 1000
"""Thin events that are held at once, about a megabyte: ten of Stripe's largest pages."""
SHORTEST: Final = timedelta(seconds=1)
"""A window that is not divided further, however many events it has."""
_MILLISECOND: Final = timedelta(milliseconds=1)
_LONG_AGO: Final = datetime.min.replace(tzinfo=UTC)


async def snapshots(
    events: "Events", since: datetime, types: Types
) -> AsyncGenerator[SnapshotEvent]:
    """Walk through the snapshot events of *types* from *since* on, oldest first.

    Stripe lists the newest first, but backwards from a known event it lists what came after
    it. The last event before *since* is such a one, and costs one request; where there is none,
    the whole list is walked to its oldest event. Either way few pages are held at a time, and
    what happens before the last page is read comes at the end.
    """
    account = events._options.stripe_account
    found = await events.list(types=types, created={"lt": since}, limit=1)
    anchor = found[0].id if found else None
    if anchor is None:
        oldest, pages = found, 0
        async for page in events.list(types=types).pages():
            if page:  # the last one is empty if its events have expired meanwhile
                oldest, pages = page, pages + 1
        for event in reversed(oldest.data):
            yield _named(event, account)
        if pages <= 1:
            return
        anchor = oldest[0].id
    async for event in events.list(types=types, ending_before=anchor):
        yield _named(event, account)


def _named(event: SnapshotEvent, account: str | None) -> SnapshotEvent:
    """Return *event* with the connected account on which it happened, as a webhook has it."""
    return event if account is None or event.account else attrs.evolve(event, account=account)


async def thin(events: "Events", since: datetime, types: Types) -> AsyncGenerator[ThinEvent]:
    """Walk through the thin events of *types* from *since* on, oldest first.

    Stripe does not document the order of this list, so windows of time are read one after the
    other, each as a whole. A window with too many events is divided; the last one has no end, so
    that what happens before it is read comes, too.
    """
    context = events._options.acting_for
    start = since.replace(microsecond=since.microsecond // 1000 * 1000)
    width: timedelta | None = None  # of the window; None to read to the end
    while True:
        now = datetime.fromtimestamp(events._engine.clock.time(), UTC)
        end = None if width is None or start + width >= now else start + width
        room = (end or now) - start
        found = await _window(events, types, start, end, None if room <= SHORTEST else MOST_HELD)
        if found is None:
            width = max(SHORTEST, room // (2 * _MILLISECOND) * _MILLISECOND)
            continue
        for event in found:
            yield event if context is None or event.context else _in(event, context)
        if end is None or width is None:
            return
        start = end
        if len(found) < MOST_HELD // 2:
            width *= 2


def _in(event: ThinEvent, context: str) -> ThinEvent:
    return attrs.evolve(event, context=context)


async def _window(
    events: "Events", types: Types, start: datetime, end: datetime | None, most: int | None
) -> list[ThinEvent] | None:
    """Return the events from *start* until before *end*, oldest first; None if more than *most*."""
    created: Any = {"gte": start} if end is None else {"gte": start, "lt": end}
    found: list[ThinEvent] = []
    async with aclosing(events.list_thin(types=types, created=created, limit=100).pages()) as pages:
        async for page in pages:
            found += page.data
            if most is not None and len(found) > most:
                return None
    # Of one millisecond, the last comes first: right for a list that has the newest first.
    found.reverse()
    found.sort(key=_at)
    return found


def _at(event: AnyEvent) -> datetime:
    return event.created or _LONG_AGO


async def merged(*walks: AsyncGenerator[AnyEvent]) -> AsyncGenerator[AnyEvent]:
    """Walk through all of them at once, in the order of creation, and close them at the end.

    A snapshot event comes before the thin events of its second, for its instant is whole seconds.
    """
    async with AsyncExitStack() as stack:
        for walk in walks:
            await stack.enter_async_context(aclosing(walk))
        firsts = [(walk, await anext(walk, None)) for walk in walks]
        heads = {walk: event for walk, event in firsts if event is not None}
        while heads:
            walk = min(heads, key=lambda each: _at(heads[each]))
            yield heads[walk]
            following = await anext(walk, None)
            if following is None:
                del heads[walk]
            else:
                heads[walk] = following
