"""Which lane works on which tenant: pure, so that any order of events can be tried."""

from collections import deque

import attrs


@attrs.define
class Deal:
    """Deals tenants out to lanes; none is in two lanes, and none is forgotten."""

    at_once: int
    """Most tenants of a lane at a time."""
    waiting: deque[str] = attrs.field(factory=deque)
    """Tenants that no lane has, in the order in which they are dealt."""
    lanes: dict[str, list[str]] = attrs.field(factory=dict)
    """The tenants of each lane."""

    @property
    def is_empty(self) -> bool:
        """Whether no tenant waits, and none is in work."""
        return not self.waiting and not any(self.lanes.values())

    @property
    def has_room(self) -> bool:
        """Whether a further tenant would get a lane at once."""
        return not self.waiting and any(len(of) < self.at_once for of in self.lanes.values())

    def join(self, lane: str) -> None:
        """Take note of a lane, which has no tenants yet."""
        self.lanes[lane] = []

    def lose(self, lane: str) -> list[str]:
        """Take a lane's tenants away, and return them: they are dealt before all others."""
        lost = self.lanes.pop(lane, [])
        self.waiting.extendleft(reversed(lost))
        return lost

    def add(self, tenant: str) -> None:
        """Take note of a tenant that needs a lane."""
        self.waiting.append(tenant)

    def done(self, lane: str, tenant: str) -> None:
        """Take note that a lane has nothing more to do for one of its tenants."""
        self.lanes[lane].remove(tenant)

    def deal(self) -> list[tuple[str, str]]:
        """Give each waiting tenant, while there is room, to the lane that has the fewest.

        Returns:
            The tenants that got a lane, each behind its lane.
        """
        dealt = []
        while self.waiting and self.lanes:
            lane = min(self.lanes, key=lambda name: len(self.lanes[name]))
            if len(self.lanes[lane]) >= self.at_once:
                break
            tenant = self.waiting.popleft()
            self.lanes[lane].append(tenant)
            dealt.append((lane, tenant))
        return dealt

    def share(self, lane: str, total: float | None) -> float | None:
        """Return a lane's part of the most requests a second; None if there is no bound."""
        if total is None:
            return None
        busy = sum(bool(of) for of in self.lanes.values())
        return total / max(busy, 1)
