"""What is going to happen in a world, and what has: events, from which webhooks and lists follow.

An event is entered when its time has come and somebody looks, before anything else changes. Until
then the account depends on nothing but the time, so the event holds what the account was like at
its very moment, however much later one looks.
"""

import heapq
from collections.abc import Iterable
from typing import Protocol

import attrs

from fcasync.sandbox._bank.states import DAY, AccountState, Timing

KEEP = 30 * DAY
"""Seconds for which events can be read (https://docs.stripe.com/api/events)."""
LONGEST = 10_000
"""The most events that are kept."""


class Accounts(Protocol):
    """What events need to know about accounts."""

    def state(self, index: int, now: float) -> AccountState:
        """Return the state of account *index* at *now*."""

    def timing_of(self, index: int) -> Timing:
        """Return how fast its bank answers."""


@attrs.frozen
class Emit:
    """An event that becomes due: the account is read then, not now."""

    type: str
    """Its name behind ``financial_connections.account.``, or, if it has a dot, behind the first."""
    account: int
    at: float
    daily: float | None = None
    """When the subscription began of which this is the daily refresh; None for a single event."""
    expected: int | None = None
    """The date for which a deactivation was announced; it may be called off until then."""
    before: AccountState | None = None
    """What the account was like before an update, for ``previous_attributes``."""


@attrs.frozen
class Happened:
    """An event that has happened."""

    number: int
    """Counts the events of a world from 1; its id follows from it."""
    emit: Emit
    state: AccountState
    """What the account was like at that moment."""


class EventLog:
    """The events of one world."""

    def __init__(self, *, delivers: bool = False) -> None:
        """Make an empty log.

        Args:
            delivers: Whether somebody takes the events by :meth:`news`.
        """
        self.delivers = delivers
        self.count: int = 0
        """Events so far, those included that were forgotten."""
        self.past: dict[int, Happened] = {}
        """The latest events by number, oldest first."""
        self.undelivered: set[int] = set()
        """Numbers of events that no endpoint has taken; always empty without one."""
        self._news: list[Happened] = []
        """Events that :meth:`news` has not returned yet."""
        self._due: list[tuple[float, int, Emit]] = []
        """A heap of (when, order of arrival, event)."""
        self._order = 0
        """Numbers what is due, so that events of the same moment keep their order."""

    def copy(self) -> "EventLog":
        """Return a log that changes on its own from here on."""
        twin = EventLog(delivers=self.delivers)
        twin.count, twin._order = self.count, self._order
        twin.past, twin.undelivered = self.past.copy(), self.undelivered.copy()
        twin._news, twin._due = self._news.copy(), self._due.copy()
        return twin

    def expect(self, effects: Iterable[Emit]) -> None:
        """Take over events that become due."""
        for effect in effects:
            self._order += 1
            heapq.heappush(self._due, (effect.at, self._order, effect))

    @property
    def next_at(self) -> float | None:
        """When the next event is due; None if none ever is."""
        return self._due[0][0] if self._due else None

    def settle(self, store: Accounts, now: float) -> None:
        """Enter what was due by *now*."""
        while self._due and self._due[0][0] <= now:
            effect = heapq.heappop(self._due)[2]
            if effect.daily is not None and not self.delivers:
                effect = _within_reach(effect, now)
            self._happen(store, effect)

    def _happen(self, store: Accounts, effect: Emit) -> None:
        state = store.state(effect.account, effect.at)
        if effect.daily is not None:
            if state.daily != effect.daily or state.status != "active":
                return
            timing = store.timing_of(effect.account)
            self.expect([attrs.evolve(effect, at=state.tomorrow(timing))])
            # A refresh asked for meanwhile puts the daily one off.
            if state.transactions.started <= effect.at - timing.settle_seconds - 1:
                return
        if effect.expected is not None and not state.was_deactivated(effect.expected):
            return
        self._enter(Happened(self.count + 1, effect, state))

    def _enter(self, event: Happened) -> None:
        self.count = event.number
        self.past[event.number] = event
        if self.delivers:
            self.undelivered.add(event.number)
            self._news.append(event)
        if len(self.past) > LONGEST:
            oldest = next(iter(self.past))
            del self.past[oldest]
            self.undelivered.discard(oldest)

    def news(self) -> list[Happened]:
        """Return the events since the last time, oldest first."""
        news, self._news = self._news, []
        return news

    def readable(self, now: float) -> list[Happened]:
        """Return the events of the last 30 days, newest first."""
        return [event for event in reversed(self.past.values()) if event.emit.at > now - KEEP]

    def find(self, number: int | None, now: float) -> Happened | None:
        """Return the event with this number, if it can be read."""
        event = None if number is None else self.past.get(number)
        return event if event is not None and event.emit.at > now - KEEP else None


def _within_reach(effect: Emit, now: float) -> Emit:
    """Return the daily refresh *effect*, or, if it can no longer be read, a later one that can."""
    days = max(0, int((now - KEEP - effect.at) // DAY))
    return attrs.evolve(effect, at=effect.at + days * DAY)
