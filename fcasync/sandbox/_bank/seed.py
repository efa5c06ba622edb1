"""Account number *i* of a seed, as a pure function: a million accounts cost no memory.

The mix is a pattern over the number, not chance, so that even the 25 default accounts hold every
kind: of each 16, one is inactive, one may not read balances, one may only read balances; of each
32, one is disconnected. ``varied=False`` makes all of them active with every permission.
"""

from functools import lru_cache
from typing import Any, Final

import attrs

from fcasync.sandbox._bank.dice import Salt, mix
from fcasync.sandbox._bank.ids import Ids
from fcasync.sandbox._bank.states import AccountState, Refresh
from fcasync.sandbox._bank.words import PERMISSIONS

INSTITUTIONS = (
    "Alder Savings",
    "Bank of Meridian",
    "Copperline Credit Union",
    "Dune & Harbor",
    "Eastgate Federal",
    "Foxglove Bank",
    "Test Institution",
)
_OLDEST = 1_600_000_000
_SPAN = 90_000_000  # the newest seeded account is from July 2023, before any clock in use
_PER_HOLDER = 5
_REMEMBERED = 1024
_CASH = ("us_bank_account", "link")
_KINDS = (
    ("cash", "checking", "Everyday Checking", _CASH),
    ("cash", "savings", "Rainy Day Savings", _CASH[:1]),
    ("cash", "checking", "Household Checking", _CASH[:1]),
    ("credit", "credit_card", "Rewards Card", ()),
    ("cash", "checking", None, _CASH),
    ("cash", "savings", "Goal Savings", _CASH[:1]),
    ("credit", "line_of_credit", "Flexible Credit Line", ()),
    ("investment", "other", "Brokerage", ()),
    ("cash", "checking", "Business Checking", _CASH),
    ("credit", "mortgage", "Home Loan", ()),
    ("other", "other", None, ()),
)


@attrs.frozen
class Facts:
    """The part of an account that never changes."""

    index: int
    id: str
    seed: int
    """Decides what is left to chance about this account."""
    created: int
    holder: dict[str, str]
    institution: str
    category: str
    subcategory: str
    display_name: str | None
    last4: str | None
    permissions: tuple[str, ...]
    payment_methods: tuple[str, ...]
    session: str | None = None


def kind(category: str, subcategory: str) -> dict[str, Any]:
    """Return the facts that come with a kind of account."""
    for row in _KINDS:
        if row[:2] == (category, subcategory):
            names = ("category", "subcategory", "display_name", "payment_methods")
            return dict(zip(names, row, strict=True))
    raise KeyError((category, subcategory))


class Seed:
    """All accounts that a world starts with, and the ids of everything in it."""

    def __init__(self, number: int, accounts: int, *, varied: bool = True) -> None:
        self.number = number
        self.accounts = accounts
        self.holders: int = max(1, -(-accounts // _PER_HOLDER))
        self._varied = varied
        self.account_ids: Ids = Ids("fca_", number)
        self.customer_ids: Ids = Ids("cus_", number)
        self.merchant_ids: Ids = Ids("acct_", number)
        self.session_ids: Ids = Ids("fcsess_", number)
        self.ownership_ids: Ids = Ids("fcaowns_", number)
        self.owner_ids: Ids = Ids("fcaown_", number)
        self.refresh_ids: Ids = Ids("fctxnref_", number)
        self.transaction_ids: Ids = Ids("fctxn_", number)
        self.authorization_ids: Ids = Ids("fcauth_", number)
        self.event_ids: Ids = Ids("evt_", number)
        self.thin_event_ids: Ids = Ids("evt_test_", number)
        # One request looks at its account several times.
        self.facts: Final = lru_cache(maxsize=_REMEMBERED)(self._facts)
        self.state: Final = lru_cache(maxsize=_REMEMBERED)(self._state)

    def account_seed(self, index: int) -> int:
        """Return the number that everything about account *index* follows from."""
        return mix(self.number, Salt.ACCOUNT, index)

    def _facts(self, index: int) -> Facts:
        """Return what is fixed about seeded account *index*."""
        seed = self.account_seed(index)
        category, subcategory, display_name, methods = _KINDS[seed % len(_KINDS)]
        return Facts(
            index=index,
            id=self.account_ids.encode(index),
            seed=seed,
            created=_OLDEST + index * _SPAN // self.accounts,
            holder=self.holder(index % self.holders),
            institution=INSTITUTIONS[(seed >> 8) % len(INSTITUTIONS)],
            category=category,
            subcategory=subcategory,
            display_name=display_name,
            last4=None if category == "other" else f"{(seed >> 16) % 10_000:04}",
            permissions=self._permissions(index),
            payment_methods=methods,
        )

    def _state(self, index: int) -> AccountState:
        """Return how seeded account *index* starts out."""
        permissions = self._permissions(index)
        status = self._status(index)
        listens = index % 6 == 0 and "transactions" in permissions and status == "active"
        return AccountState(
            status=status,
            subscriptions=("transactions",) if listens else (),
            balance=self._refresh(index, 1, index % 4 != 3 and "balances" in permissions),
            ownership=self._refresh(index, 2, index % 3 == 0 and "ownership" in permissions),
            transactions=self._refresh(index, 3, listens or index % 5 == 0),
        )

    def has_refreshed(self, index: int, feature: str) -> bool:
        """Return whether account *index* is a seeded one that starts out refreshed."""
        return index < self.accounts and self.state(index).refresh(feature).number > 0

    def holder(self, number: int) -> dict[str, str]:
        """Return holder *number*: mostly customers, each seventh a connected account."""
        if number % 7 == 6:
            return {"account": self.merchant_ids.encode(number), "type": "account"}
        return {"customer": self.customer_ids.encode(number), "type": "customer"}

    def holder_number(self, text: str) -> int | None:
        """Return which seeded holder *text* is the id of, or None."""
        number = self.customer_ids.decode(text)
        if number is None:
            number = self.merchant_ids.decode(text)
        return number if number is not None and number < self.holders else None

    def _permissions(self, index: int) -> tuple[str, ...]:
        if not self._varied:
            return PERMISSIONS
        if index % 16 == 11:
            return ("ownership", "payment_method", "transactions")
        if index % 16 == 2:
            return ("balances", "payment_method")
        return PERMISSIONS

    def _status(self, index: int) -> str:
        if self._varied and index % 16 == 5:
            return "inactive"
        if self._varied and index % 32 == 13:
            return "disconnected"
        return "active"

    def _refresh(self, index: int, feature: int, done: bool) -> Refresh:
        seed = mix(self.account_seed(index), feature)
        if not done:
            return Refresh(seed)
        created = float(_OLDEST + index * _SPAN // self.accounts)
        return Refresh(seed, number=1, started=created, last_success=1, last_success_at=created + 2)
