"""Handling the events that an endpoint has missed."""

from collections.abc import Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, Protocol

import attrs

from fcasync.errors import EventInProgress, InvalidArgumentError, describe

if TYPE_CHECKING:
    from fcasync.resources.events import Events


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


async def catch_up(
    dispatch: Callable[[Any], Awaitable[bool]],
    client: HasEvents,
    since: datetime,
    types: Sequence[str] | None,
) -> CatchUp:
    """Dispatch the events of *types* from *since* on, oldest first; None for all types.

    Raises:
        InvalidArgumentError: *client* or *since* is of another kind, or that is too long ago.
    """
    # Here, because it imports aiohttp, which a process that only takes webhooks does not need.
    from fcasync.resources.events import MOST_TYPES, Events  # noqa: PLC0415

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
    if types is not None and len(types) > MOST_TYPES:
        types = None  # more than Stripe filters by; the router drops what it has no function for
    counts = {"handled": 0, "repeated": 0, "in_progress": 0}
    async with aclosing(events._since(since, types)) as missed:
        async for event in missed:
            try:
                counts["handled" if await dispatch(event) else "repeated"] += 1
            except EventInProgress:
                counts["in_progress"] += 1
            except Exception as error:
                error.add_note(
                    f"while catching up: event {event.id} of {event.created}, after "
                    f"{counts['handled']} that were handled; the same call goes on with it"
                )
                raise
    return CatchUp(**counts)
