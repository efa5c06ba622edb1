"""From Stripe's JSON to rows; what must not be stored is left out here.

Account numbers and secrets never reach the database. Neither do the contact details of owners, nor
a customer that ``expand`` put in place of its id: of expanded objects only the id is stored.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

import orjson

from fcasync._facts.text import well_formed
from fcasync.errors import ProtocolError
from fcasync.mirror._steps import Row
from fcasync.mirror._tables import transactions

Json = dict[str, Any]
At = Callable[[float | None], Any]
"""Returns a Unix time as the driver takes it."""

TRANSACTION: Final = tuple(transactions.columns.keys())[2:]
"""The columns of a transaction, without those of its account."""
WHOLE: Final = range(-(2**63), 2**63)
"""The whole numbers that a database can hold."""

_NOTHING: Final[Json] = {}
_NEVER: Final = frozenset(
    {"account_number", "account_numbers", "client_secret", "iban", "routing_number", "secret"}
)
_HINTS: Final = (b"account_number", b"routing_number", b"iban", b"secret", b"\\u0000")
"""One of these is in the text of every object that has to be looked at closely."""


def transaction_row(item: Json, at: At) -> Row:
    """Return the columns :data:`TRANSACTION` of a transaction.

    Args:
        item: Stripe's JSON, whose types are checked.
        at: Returns a Unix time as the driver takes it.

    Raises:
        ProtocolError: The amount does not fit in 64 bits, the most that a database holds.
    """
    item = _harmless(item)
    moments = item.get("status_transitions") or _NOTHING
    transacted_at, updated = item.get("transacted_at"), item.get("updated")
    return (
        item["id"],
        _whole(item.get("amount")),
        *(item.get(name) for name in ("currency", "description", "status")),
        at(transacted_at),
        at(moments.get("posted_at")),
        at(moments.get("void_at")),
        item.get("transaction_refresh"),
        at(transacted_at or 0 if updated is None else updated),
        1,
        orjson.dumps(item).decode(),
    )


def account_row(stripe_account: str, item: Json, at: At, read_at: float) -> Row:
    """Return the row of an account that was read at Unix time *read_at*."""
    balance, transaction = _refresh(item, "balance"), _refresh(item, "transaction")
    holder = item.get("account_holder") or {}
    return (
        stripe_account,
        item["id"],
        *(_text(item, name) for name in ("status", "institution_name", "display_name")),
        *(_text(item, name) for name in ("last4", "category", "subcategory")),
        _id(holder.get("customer") or holder.get("account") or holder.get("customer_account")),
        at(item.get("created")),
        _id(item.get("ownership")),
        balance.get("status"),
        at(balance.get("last_attempted_at")),
        transaction.get("status"),
        at(transaction.get("last_attempted_at")),
        at(refreshed_at(item)),
        at(int(read_at)),  # whole seconds, for they are remembered
        raw(_stripped(item, holder)),
    )


def refreshed_at(item: Json) -> float:
    """Return the Unix time of the latest attempt of any refresh of an account; 0 before any."""
    attempts = (_refresh(item, name) for name in ("balance", "ownership", "transaction"))
    return max(float(each.get("last_attempted_at") or 0) for each in attempts)


def balance_rows(stripe_account: str, item: Json, at: At) -> list[Row]:
    """Return the rows of the balance that an account shows."""
    balance = item.get("balance")
    if not balance:
        return []
    refreshed = float(_refresh(item, "balance").get("last_attempted_at") or 0)
    as_of = at(balance.get("as_of") or refreshed)
    kinds = {
        "current": balance.get("current"),
        "available": (balance.get("cash") or {}).get("available"),
        "used": (balance.get("credit") or {}).get("used"),
    }
    return [
        (stripe_account, item["id"], as_of, kind, currency, _whole(amount), at(refreshed))
        for kind, amounts in kinds.items()
        for currency, amount in (amounts or {}).items()
    ]


def owner_row(stripe_account: str, account_id: str, ownership: str, item: Json, at: At) -> Row:
    """Return the row of an owner, as listed in *ownership*."""
    details = (_text(item, name) for name in ("name", "email", "phone", "raw_address"))
    refreshed = at(item.get("refreshed_at"))
    return (stripe_account, account_id, item["id"], ownership, *details, refreshed)


def raw(item: Json) -> str:
    """Return *item* as the JSON text to store, without what must not be stored."""
    try:
        text = orjson.dumps(item)
    except TypeError:  # half a surrogate pair in a string
        return orjson.dumps(_harmless(item)).decode()
    return (orjson.dumps(_harmless(item)) if _is_suspect(text) else text).decode()


def _is_suspect(text: bytes) -> bool:
    """Return whether something in *text* may have to be left out."""
    lower = text.lower()
    return any(hint in lower for hint in _HINTS)


def _harmless(value: Any) -> Any:
    if isinstance(value, Mapping):
        kept = {name: each for name, each in value.items() if name.lower() not in _NEVER}
        return {_harmless(name): _harmless(each) for name, each in kept.items()}
    if isinstance(value, list):
        return [_harmless(each) for each in value]
    return _storable(value) if isinstance(value, str) else value


def _storable(text: str) -> str:
    """Return *text* without what a database cannot hold: NUL, and half a surrogate pair."""
    return well_formed(text).replace("\0", "\ufffd")


def _whole(amount: int | None) -> int | None:
    if amount is not None and amount not in WHOLE:
        raise ProtocolError(
            f"an amount of {amount} does not fit in the 64 bits that a database holds"
        )
    return amount


def _refresh(item: Json, name: str) -> Json:
    return item.get(f"{name}_refresh") or {}


def _text(item: Json, name: str) -> str | None:
    value = item.get(name)
    return _storable(value) if isinstance(value, str) else None


def _id(value: Any) -> str | None:
    """Return the id that *value* is, or that an expanded object has."""
    return value.get("id") if isinstance(value, Mapping) else value


def _stripped(item: Json, holder: Mapping[str, Any]) -> Json:
    """Return an account without its account numbers, and with ids for what may be expanded."""
    kept = {name: value for name, value in item.items() if name != "account_numbers"}
    if holder:
        kept["account_holder"] = {name: _id(value) for name, value in holder.items()}
    if "ownership" in kept:
        kept["ownership"] = _id(kept["ownership"])
    return kept
