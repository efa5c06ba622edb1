"""An account's transactions: a function of the account and of its latest successful refresh.

The first refresh finds a dozen or two, each later one three more. A transaction that a refresh
saw pending is posted from the next refresh on.
"""

from typing import Any

from fcasync.sandbox._bank.dice import Salt, mix
from fcasync.sandbox._bank.ids import part
from fcasync.sandbox._bank.objects import refresh_id
from fcasync.sandbox._bank.schema import FLAG, TEXT, TIME, obj, one_of, or_null, page_of
from fcasync.sandbox._bank.seed import Facts, Seed

_PER_REFRESH = 3
_HISTORY = 90 * 86_400
_SPACING = 3600
_DESCRIPTIONS = (
    "Corner Bakery",
    "Rocket Rides",
    "Salary",
    "City Water Works",
    "Green Grocer",
    "Transfer to savings",
    "Night Owl Books",
)


def count(facts: Facts, last_success: int) -> int:
    """Return how many transactions there are after refresh number *last_success*; 0 before any."""
    return _first(facts) + _PER_REFRESH * (last_success - 1) if last_success else 0


def _first(facts: Facts) -> int:
    return 12 + facts.seed % 20


def _first_refresh(facts: Facts, number: int) -> int:
    """Return the number of the refresh that first saw transaction *number*."""
    first = _first(facts)
    return 1 if number < first else 2 + (number - first) // _PER_REFRESH


def transacted_at(facts: Facts, number: int) -> int:
    """Return when transaction *number* (0 is the oldest) happened."""
    return facts.created - _HISTORY + number * _SPACING


def updated_by(facts: Facts, number: int, last_success: int) -> int:
    """Return the number of the refresh that last changed transaction *number*."""
    first = _first_refresh(facts, number)
    return first + 1 if _starts_pending(facts, number) and first < last_success else first


def _starts_pending(facts: Facts, number: int) -> bool:
    return mix(facts.seed, Salt.PENDING, number) % 4 == 0


def transaction(seed: Seed, facts: Facts, number: int, last_success: int) -> dict[str, Any]:
    """Return transaction *number* of an account, as refresh number *last_success* left it."""
    own_seed = mix(facts.seed, Salt.TRANSACTION, number)
    refresh = updated_by(facts, number, last_success)
    at = transacted_at(facts, number)
    status = _status(facts, number, last_success)
    what = _DESCRIPTIONS[own_seed % len(_DESCRIPTIONS)]
    return {
        "id": seed.transaction_ids.encode(part(facts.index, number)),
        "object": "financial_connections.transaction",
        "account": facts.id,
        "amount": (1 if what == "Salary" else -1) * (own_seed % 20_000 + 1),
        "currency": "usd",
        "description": what,
        "livemode": False,
        "status": status,
        "status_transitions": {
            "posted_at": at + 3600 if status == "posted" else None,
            "void_at": at + 3600 if status == "void" else None,
        },
        "transacted_at": at,
        "transaction_refresh": refresh_id(seed, facts.index, refresh),
        "updated": at + 3600 * (refresh - _first_refresh(facts, number)),
    }


def _status(facts: Facts, number: int, last_success: int) -> str:
    if not _starts_pending(facts, number):
        return "posted"
    if _first_refresh(facts, number) == last_success:
        return "pending"
    return "void" if number % 5 == 0 else "posted"


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
