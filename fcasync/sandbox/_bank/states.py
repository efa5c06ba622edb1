"""What an account can go through, as a table ``{state: {event: state}}``, and its refreshes.

A pair that is not in the table raises :class:`Refused`: the operation answers with an error.
"""

from typing import Any

import attrs

from fcasync.sandbox._bank.dice import unit
from fcasync.sandbox._bank.rare import ORDINARY, Rare

ACCOUNT = {
    "active": {
        "refresh": "active",
        "subscribe": "active",
        "unsubscribe": "active",
        "deactivate": "inactive",
        "reactivate": "active",
        "disconnect": "disconnected",
    },
    "inactive": {
        "unsubscribe": "inactive",
        "deactivate": "inactive",
        "reactivate": "active",
        "disconnect": "disconnected",
    },
    # Nothing comes back from a disconnection; repeating it changes nothing and is not an error.
    "disconnected": {"disconnect": "disconnected"},
}

DAY = 86_400.0


class Refused(Exception):
    """The table has no such event in this state."""


def after(status: str, event: str) -> str:
    """Return the status of an account that follows *event* in *status*.

    Raises:
        Refused: The event cannot happen in this status.
    """
    try:
        return ACCOUNT[status][event]
    except KeyError:
        raise Refused(f"{event} in state {status}") from None


@attrs.frozen
class Timing:
    """How fast banks answer. All durations are in (virtual) seconds."""

    settle_seconds: float = 1.0
    """A refresh settles after half of this to all of it, spread over the accounts."""
    failure_rate: float = 0.0
    """The share of refreshes that fail."""
    refresh_cooldown: float = 60.0
    """How long after a refresh has settled the next one is refused."""
    outages: tuple[tuple[float, float], ...] = ()
    """When the bank was down, from and until: what was begun then fails."""

    def is_down(self, at: float) -> bool:
        """Return whether the bank is down at this time."""
        return any(start <= at < end for start, end in self.outages)


@attrs.frozen
class Refresh:
    """The refreshes of one feature of one account so far.

    It holds no status: that follows from the time at which one looks, so nothing has to run
    when a refresh settles.
    """

    seed: int
    """Decides when each attempt settles, and how."""
    number: int = 0
    """Attempts made."""
    started: float = 0.0
    """When the latest attempt was made."""
    last_success: int = 0
    """The number of the latest attempt known to have succeeded; 0 before any."""
    last_success_at: float = 0.0
    """When that one succeeded."""
    doomed: tuple[int, ...] = ()
    """The numbers of the attempts that were made while the bank was down."""

    def settles_at(self, timing: Timing) -> float:
        """Return when the latest attempt has, or will have, an outcome."""
        if self.last_success == self.number:
            return self.last_success_at
        spread = 0.5 + unit(self.seed, self.number, 1) / 2
        return self.started + timing.settle_seconds * spread

    def status(self, now: float, timing: Timing) -> str:
        """Return none, pending, succeeded or failed."""
        if self.number == 0:
            return "none"
        if self.last_success == self.number:
            return "succeeded"
        if now < self.settles_at(timing):
            return "pending"
        return "failed" if self.fails(self.number, timing) else "succeeded"

    def fails(self, number: int, timing: Timing) -> bool:
        """Return whether attempt *number* fails at the bank."""
        return number in self.doomed or unit(self.seed, number, 2) < timing.failure_rate

    def settled(self, now: float, timing: Timing) -> "Refresh":
        """Return the same refreshes with a success that has happened by *now* written down."""
        if self.last_success == self.number or self.status(now, timing) != "succeeded":
            return self
        return attrs.evolve(self, last_success=self.number, last_success_at=self.settles_at(timing))

    def begun(self, now: float, timing: Timing) -> "Refresh":
        """Return the refreshes with one more attempt, started *now*; itself if one is pending.

        Asking again while the bank has not answered joins the pending refresh, as at Stripe.
        """
        if self.status(now, timing) == "pending":
            return self
        settled = self.settled(now, timing)
        doomed = (*self.doomed, self.number + 1) if timing.is_down(now) else self.doomed
        return attrs.evolve(settled, number=self.number + 1, started=now, doomed=doomed)

    def succeeded(self, now: float) -> "Refresh":
        """Return the refreshes with one more attempt that succeeds at once."""
        number = self.number + 1
        return attrs.evolve(
            self, number=number, started=now, last_success=number, last_success_at=now
        )

    def daily(self, days: int, timing: Timing) -> "Refresh":
        """Return the refreshes with one more attempt on each of *days* days."""
        started = self.started + days * DAY
        doomed = self.doomed
        if timing.outages:
            made = range(1, days + 1)
            down = (day for day in made if timing.is_down(self.started + day * DAY))
            doomed += tuple(self.number + day for day in down)
        return attrs.evolve(self, number=self.number + days, started=started, doomed=doomed)

    def opens_at(self, now: float, timing: Timing) -> float | None:
        """Return when the next attempt is accepted; None while one is pending, or before any."""
        if self.status(now, timing) in {"none", "pending"}:
            return None
        return self.settles_at(timing) + timing.refresh_cooldown


@attrs.frozen
class AccountState:
    """The part of an account that operations change; everything else follows from the seed."""

    status: str
    subscriptions: tuple[str, ...]
    balance: Refresh
    ownership: Refresh
    transactions: Refresh
    daily: float | None = None
    """When a subscription began that brings a transaction refresh a day. The seed's own bring
    none, or the accounts of a seed would differ with the day on which they are looked at."""
    rare: Rare = ORDINARY
    """What is out of the ordinary about it."""

    def refresh(self, feature: str) -> Refresh:
        """Return the refreshes of balance, ownership or transactions."""
        refresh: Refresh = getattr(self, feature)
        return refresh

    def refreshed(self, feature: str, refresh: Refresh) -> "AccountState":
        """Return the state with the refreshes of *feature* replaced."""
        changes: dict[str, Any] = {feature: refresh}
        return attrs.evolve(self, **changes)

    def caught_up(self, now: float, timing: Timing) -> "AccountState":
        """Return the state with what was due by *now*: daily refreshes, the end of access."""
        ends = self.rare.deactivates
        if ends is None or self.status != "active" or now < ends:
            return self._refreshed_daily(now, timing)
        return attrs.evolve(self._refreshed_daily(ends, timing), status="inactive")

    def was_deactivated(self, expected: int) -> bool:
        """Return whether access has ended on the date for which that was announced."""
        return self.status == "inactive" and self.rare.deactivates == expected

    def _refreshed_daily(self, now: float, timing: Timing) -> "AccountState":
        if self.daily is None or self.status != "active":
            return self
        last = self.transactions
        days = int((now - last.started) // DAY)
        if days < 1:
            return self
        latest = last.daily(days, timing)
        for day in range(days - 1, -1, -1):
            attempt = last.daily(day, timing)
            settled = attempt.settled(attempt.started + DAY, timing)
            if settled.last_success == settled.number:
                latest = attrs.evolve(
                    latest,
                    last_success=settled.last_success,
                    last_success_at=settled.last_success_at,
                )
                break
        return attrs.evolve(self, transactions=latest)

    def tomorrow(self, timing: Timing) -> float:
        """Return when the next daily refresh has settled."""
        return self.transactions.started + DAY + timing.settle_seconds

    def moved(self, event: str) -> "AccountState":
        """Return the state after *event*.

        Raises:
            Refused: The event cannot happen in this state.
        """
        status = after(self.status, event)
        return self if status == self.status else attrs.evolve(self, status=status)
