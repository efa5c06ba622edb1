"""Which events were handled, and which are being handled: in memory."""

from typing import Protocol

from fcasync._rules import checks
from fcasync.errors import EventInProgress


class SeenStore(Protocol):
    """Remembers which events were handled; all workers of a deployment should share one.

    An event is claimed before its handlers run, and confirmed when all have succeeded; if one
    fails or is cancelled, the claim is released instead.
    """

    async def claim(self, event_id: str) -> bool:
        """Claim *event_id*; return False if it was handled already.

        Raises:
            EventInProgress: It is claimed by somebody who has neither confirmed nor released it.
        """

    async def confirm(self, event_id: str) -> None:
        """Remember that *event_id*, which was claimed, is handled."""

    async def release(self, event_id: str) -> None:
        """Forget *event_id*: its handler failed, and Stripe will deliver the event again."""


class SeenEvents:
    """The ids of the latest events, in the memory of this process.

    Args:
        size: How many ids to keep; of those that are handled the oldest is forgotten first.

    Raises:
        InvalidArgumentError: *size* is not a whole number above zero.
    """

    def __init__(self, size: int = 10_000) -> None:
        self._size = checks.count(size, "size")
        self._ids: dict[str, bool] = {}  # in the order of their claims; False: in progress

    def __repr__(self) -> str:
        return f"<SeenEvents {len(self._ids)} of {self._size}>"

    async def claim(self, event_id: str) -> bool:
        """Claim *event_id*; return False if it was handled already.

        Raises:
            EventInProgress: It is claimed by somebody who has neither confirmed nor released it.
        """
        if (is_handled := self._ids.get(event_id)) is not None:
            if not is_handled:
                raise in_progress(event_id)
            return False
        self._ids[event_id] = False
        if len(self._ids) > self._size:
            oldest = next((known for known, done in self._ids.items() if done), None)
            if oldest is not None:
                del self._ids[oldest]
        return True

    async def confirm(self, event_id: str) -> None:
        """Remember that *event_id*, which was claimed, is handled."""
        self._ids[event_id] = True

    async def release(self, event_id: str) -> None:
        """Forget *event_id*: its handler failed, and Stripe will deliver the event again."""
        self._ids.pop(event_id, None)


def in_progress(event_id: str) -> EventInProgress:
    """Return the error of an event that is claimed already."""
    return EventInProgress(
        f"event {event_id} is still being handled; respond with status 409, so that Stripe "
        "delivers it again in case that fails"
    )
