"""Everything a world knows about accounts and sessions."""

from bisect import bisect_left
from collections.abc import Sequence
from operator import neg
from typing import Any

import attrs

from fcasync.sandbox._bank import objects, owners
from fcasync.sandbox._bank.events import EventLog
from fcasync.sandbox._bank.ids import parted
from fcasync.sandbox._bank.seed import Facts, Seed
from fcasync.sandbox._bank.statement import Statement
from fcasync.sandbox._bank.states import AccountState, Refresh, Timing


@attrs.frozen
class Session:
    """A link session: its parameters as they were sent, and the accounts it has brought."""

    id: str
    client_secret: str
    params: dict[str, Any]
    accounts: tuple[int, ...] = ()
    declined: bool = False
    """Whether the person has cancelled it."""
    relinked: int | None = None
    """The account that was linked again in it."""


class Store:
    """Accounts and sessions: the seed, and on top of it whatever has changed.

    Only accounts that were changed or linked take memory. All values are immutable, so a copy of
    the store is a copy of its dicts.
    """

    def __init__(
        self, seed: Seed, timing: Timing, tenant: str = "", *, delivers: bool = False
    ) -> None:
        """Make a store.

        Args:
            seed: The accounts that it starts with.
            timing: How fast banks answer.
            tenant: The connected account whose store it is; empty for a key's own.
            delivers: Whether its events are delivered to somebody.
        """
        self.seed = seed
        self.timing = timing
        self.tenant = tenant
        self.log: EventLog = EventLog(delivers=delivers)
        self.outages: dict[str, tuple[tuple[float, float], ...]] = {}
        """When each institution was down, from and until."""
        self.changed: dict[int, AccountState] = {}
        self.linked: dict[int, Facts] = {}
        self.sessions: dict[str, Session] = {}

    def copy(self) -> "Store":
        """Return a store that changes on its own from here on."""
        twin = Store(self.seed, self.timing, self.tenant)
        twin.log = self.log.copy()
        twin.outages = self.outages.copy()
        twin.changed = self.changed.copy()
        twin.linked = self.linked.copy()
        twin.sessions = self.sessions.copy()
        return twin

    @property
    def total(self) -> int:
        """The number of accounts; their numbers are below it, the newest has the highest."""
        return self.seed.accounts + len(self.linked)

    def index(self, account_id: str) -> int | None:
        """Return the number of the account with this id, or None."""
        index = self.seed.account_ids.decode(account_id)
        return index if index is not None and index < self.total else None

    def facts(self, index: int) -> Facts:
        """Return what never changes about account *index*."""
        return self.linked.get(index) or self.seed.facts(index)

    def state(self, index: int, now: float) -> AccountState:
        """Return the state of account *index* at *now*."""
        changed = self.changed.get(index)
        if changed is None:
            return self.seed.state(index)
        return changed.caught_up(now, self.timing_of(index))

    def timing_of(self, index: int) -> Timing:
        """Return how fast the bank of account *index* answers."""
        outages = self.outages and self.outages.get(self.facts(index).institution)
        return attrs.evolve(self.timing, outages=outages) if outages else self.timing

    def settle(self, now: float) -> None:
        """Enter the events that were due by *now*; to be called before anything changes."""
        self.log.settle(self, now)

    def account(self, index: int, now: float) -> dict[str, Any]:
        """Return account *index* as the API shows it."""
        return objects.account(
            self.seed, self.facts(index), self.state(index, now), now, self.timing
        )

    def transactions(self, index: int, now: float) -> Refresh:
        """Return the transaction refreshes of account *index*."""
        return self.state(index, now).transactions.settled(now, self.timing)

    def statement(self, index: int, now: float) -> Statement:
        """Return the transactions of account *index* as they are at *now*."""
        refresh = self.transactions(index, now)
        return Statement(self.seed, self.facts(index), refresh, self.timing)

    def of_holder(self, wanted: dict[str, str]) -> list[int]:
        """Return the accounts of the holder with these ids, newest first."""
        linked = [
            index for index, facts in self.linked.items() if wanted.items() <= facts.holder.items()
        ]
        return sorted(linked, reverse=True) + self._seeded_of(wanted)

    def _seeded_of(self, wanted: dict[str, str]) -> list[int]:
        numbers = {self.seed.holder_number(text) for text in wanted.values()}
        number = numbers.pop()
        if numbers or number is None:
            return []
        if not wanted.items() <= self.seed.holder(number).items():
            return []
        return list(range(number, self.seed.accounts, self.seed.holders))[::-1]

    def ownership(self, ownership_id: str, now: float) -> dict[str, Any] | None:
        """Return the ownership object with this id, or None."""
        owned = self.owned(ownership_id, now)
        if owned is None:
            return None
        index, number, at = owned
        people = owners.owners(self.seed, self.facts(index), number, at)
        return owners.ownership(self.facts(index), ownership_id, people, at)

    def owned(self, ownership_id: str, now: float) -> tuple[int, int, float] | None:
        """Return account, refresh number and time of the ownership with this id, or None."""
        code = self.seed.ownership_ids.decode(ownership_id)
        index, number = (0, 0) if code is None else parted(code)
        if not (number and index < self.total):
            return None
        refresh = self.state(index, now).ownership.settled(now, self.timing)
        return (index, number, refresh.last_success_at) if number <= refresh.last_success else None


def window(
    items: Sequence[int], params: dict[str, Any], after: int | None, before: int | None
) -> tuple[Sequence[int], bool]:
    """Return one page of *items*, and whether more follow in the direction of travel.

    A cursor is a position between items, so pages stay right when items are added at the front.

    Args:
        items: Numbers in falling order, newest first.
        params: ``limit``, 10 if absent.
        after: Only items older than this one.
        before: Only items newer than this one; the page holds those next to it.
    """
    limit = params.get("limit", 10)
    if before is not None:
        end = bisect_left(items, -before, key=neg)
        return items[max(0, end - limit) : end], end > limit
    start = 0 if after is None else bisect_left(items, -after + 1, key=neg)
    return items[start : start + limit], start + limit < len(items)
