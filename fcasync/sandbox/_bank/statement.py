"""An account's transactions: a function of the account and of its successful refreshes.

The first refresh finds a dozen or two, each later one three more, some of which happened before
those that are known (banks are late). What a refresh saw pending is posted by a later one, under
the merchant's proper name and sometimes for another amount, or becomes void; a few posted ones
are described anew.
"""

from typing import Any, Final

import attrs

from fcasync.sandbox._bank.dice import Salt, mix
from fcasync.sandbox._bank.ids import part, parted
from fcasync.sandbox._bank.objects import refresh_id
from fcasync.sandbox._bank.schema import FLAG, TEXT, TIME, obj, one_of, or_null, page_of
from fcasync.sandbox._bank.seed import Facts, Seed
from fcasync.sandbox._bank.states import Refresh, Timing

_PER_REFRESH = 3
_HISTORY = 90 * 86_400
_SPACING = 3600
"""Between those that later refreshes find: even thousands of these end before the present."""
_SPACING_BEFORE = 4 * 86_400
"""Between those that the first refresh finds, so that they fill months."""
_MOST_LATE = 36
"""How many others, at most, a late transaction comes before."""
_DESCRIPTIONS = (
    "Corner Bakery",
    "Rocket Rides",
    "Salary",
    "City Water Works",
    "Green Grocer",
    "Transfer to savings",
    "Night Owl Books",
)


@attrs.frozen
class _Stage:
    """What a transaction looks like from one refresh to the next."""

    status: str
    is_raw: bool = False
    """Whether it is described in the bank's own words."""
    estimate: int = 0
    """By how many percent its amount is below the final one."""


_LIVES: Final = (
    *[(_Stage("posted"),)] * 9,
    *[(_Stage("pending"), _Stage("posted"))] * 2,
    (_Stage("pending", is_raw=True), _Stage("posted")),
    (_Stage("pending", is_raw=True, estimate=20), _Stage("posted")),
    (_Stage("pending", estimate=30), _Stage("pending", estimate=10), _Stage("posted")),
    (_Stage("pending"), _Stage("void")),
    (_Stage("posted", is_raw=True), _Stage("posted")),
)
"""The stages that a transaction goes through, one per refresh; as often as listed here."""


class Statement:
    """The transactions of one account, as its latest successful refresh left them."""

    def __init__(self, seed: Seed, facts: Facts, refresh: Refresh, timing: Timing) -> None:
        """Look at an account.

        Args:
            seed: The population that the account belongs to.
            facts: What never changes about it.
            refresh: Its transaction refreshes, with every success written down.
            timing: How often refreshes fail.
        """
        self._seed = seed
        self._facts = facts
        self._refresh = refresh
        self._timing = timing

    def __len__(self) -> int:
        """Return how many transactions there are; 0 before any successful refresh."""
        last = self._refresh.last_success
        return self._first + _PER_REFRESH * (last - 1) if last else 0

    @property
    def _first(self) -> int:
        return 12 + self._facts.seed % 20

    def places(self, earliest: int = 0) -> list[int]:
        """Return the places of the transactions that a refresh after *earliest* touched.

        They fall: the newest transaction comes first. :func:`number_at` reads one back.
        """
        numbers = (number for number in range(len(self)) if self._touched_by(number) > earliest)
        return sorted(map(self.place, numbers), reverse=True)

    def place(self, number: int) -> int:
        """Return the place of transaction *number* among those of the account."""
        return part(self.transacted_at(number), number)

    def transacted_at(self, number: int) -> int:
        """Return when transaction *number* happened."""
        dice = mix(self._facts.seed, Salt.LATE, number)
        is_late = number >= self._first and dice % 6 == 0
        earlier = 1 + (dice >> 8) % _MOST_LATE if is_late else 0
        later = number - earlier - self._first
        return self._facts.created - _HISTORY + later * (_SPACING if later > 0 else _SPACING_BEFORE)

    def transaction(self, number: int) -> dict[str, Any]:
        """Return transaction *number*: 0 is the first that any refresh found."""
        own_seed = mix(self._facts.seed, Salt.TRANSACTION, number)
        reached, stage = self._stage(number)
        at = self.transacted_at(number)
        what = _DESCRIPTIONS[own_seed % len(_DESCRIPTIONS)]
        cents = (own_seed % 20_000 + 1) * (100 - stage.estimate) // 100
        return {
            "id": self._seed.transaction_ids.encode(part(self._facts.index, number)),
            "object": "financial_connections.transaction",
            "account": self._facts.id,
            "amount": (1 if what == "Salary" else -1) * max(cents, 1),
            "currency": "usd",
            "description": f"POS {own_seed % 9000 + 1000} {what.upper()}" if stage.is_raw else what,
            "livemode": False,
            "status": stage.status,
            "status_transitions": {
                "posted_at": at + _SPACING if stage.status == "posted" else None,
                "void_at": at + _SPACING if stage.status == "void" else None,
            },
            "transacted_at": at,
            "transaction_refresh": refresh_id(
                self._seed, self._facts.index, self._touched_by(number)
            ),
            "updated": at + _SPACING * reached,
        }

    def _stage(self, number: int) -> tuple[int, _Stage]:
        """Return how far transaction *number* has come, and what it looks like there."""
        life = _LIVES[mix(self._facts.seed, Salt.PENDING, number) % len(_LIVES)]
        reached = min(self._refresh.last_success - self._found_by(number), len(life) - 1)
        return reached, life[reached]

    def _touched_by(self, number: int) -> int:
        """Return the number of the refresh that last changed transaction *number*."""
        attempt = self._found_by(number) + self._stage(number)[0]
        while attempt < self._refresh.last_success and not self._succeeded(attempt):
            attempt += 1  # what a failed refresh would have brought, the next one brings
        return attempt

    def _found_by(self, number: int) -> int:
        return 1 if number < self._first else 2 + (number - self._first) // _PER_REFRESH

    def _succeeded(self, attempt: int) -> bool:
        given = attempt == 1 and self._seed.has_refreshed(self._facts.index, "transactions")
        return given or not self._refresh.fails(attempt, self._timing)


def number_at(place: int) -> int:
    """Return the number of the transaction at *place*."""
    return parted(place)[1]


SCHEMAS = {
    "transaction": obj(
        id=TEXT,
        object=one_of("financial_connections.transaction"),
        account=TEXT,
        amount={"type": "integer", "description": "Minor units; negative leaves the account"},
        currency=TEXT,
        description=TEXT,
        livemode=FLAG,
        status=one_of("pending", "posted", "void"),
        status_transitions=obj(posted_at=or_null(TIME), void_at=or_null(TIME)),
        transacted_at=TIME,
        transaction_refresh=TEXT,
        updated=TIME,
    ),
    "transactions": page_of("transaction"),
}
