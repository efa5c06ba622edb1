"""Stripe's JSON for an account, as a raw dict the way it goes over the wire, and its schema."""

from typing import Any

from fcasync.sandbox._bank.dice import mix
from fcasync.sandbox._bank.ids import part
from fcasync.sandbox._bank.rare import ORDINARY, STALE, Rare
from fcasync.sandbox._bank.schema import (
    FLAG,
    MONEY,
    TEXT,
    TIME,
    Schema,
    list_of,
    obj,
    one_of,
    or_null,
    page_of,
    ref,
)
from fcasync.sandbox._bank.seed import Facts, Seed
from fcasync.sandbox._bank.states import AccountState, Refresh, Timing
from fcasync.sandbox._bank.words import PERMISSIONS, SUBCATEGORIES

ACCOUNTS_URL = "/v1/financial_connections/accounts"
_DAY = 86_400


def page(url: str, data: list[Any], has_more: bool) -> dict[str, Any]:
    """Return a list object."""
    return {"object": "list", "data": data, "has_more": has_more, "url": url}


def account(
    seed: Seed, facts: Facts, state: AccountState, now: float, timing: Timing
) -> dict[str, Any]:
    """Return account *facts* in *state*, as one sees it at *now*."""
    balance, ownership = state.balance.settled(now, timing), state.ownership.settled(now, timing)
    body: dict[str, Any] = {
        "id": facts.id,
        "object": "financial_connections.account",
        "account_holder": facts.holder,
        "account_numbers": _numbers(facts, state.rare),
        "balance": _balance(facts, balance, state.rare) if balance.last_success else None,
        "balance_refresh": _refresh(balance, now, timing),
        "category": facts.category,
        "created": facts.created,
        "display_name": facts.display_name,
        "institution_name": facts.institution,
        "last4": facts.last4,
        "livemode": False,
        "ownership": ownership_id(seed, facts, ownership) if ownership.last_success else None,
        "ownership_refresh": _refresh(ownership, now, timing),
        "permissions": facts.permissions,
        "status": state.status,
        "subcategory": facts.subcategory,
        "subscriptions": state.subscriptions,
        "supported_payment_method_types": () if state.rare.is_unpayable else facts.payment_methods,
        "transaction_refresh": _transaction_refresh(seed, facts, state.transactions, now, timing),
    }
    if facts.index % 7 == 3 and state.rare == ORDINARY:
        del body["account_numbers"]  # Stripe leaves it out for some; a client must bear that
    if (warning := _warning(facts, state.rare)) and state.status == "active":
        body["status_details"] = {"active": warning}
    return body


def _warning(facts: Facts, rare: Rare) -> dict[str, Any] | None:
    """Return what is said about the end of access to an active account."""
    if rare.deactivates is not None:
        action, cause, when = rare.action, rare.cause, rare.deactivates
    elif facts.index % 16 == 9:
        action, cause, when = "relink_required", "access_expired", facts.created + 3650 * _DAY
    else:
        return None
    return {"action": action, "cause": cause, "expected_deactivation_date": when}


def authorization(seed: Seed, facts: Facts, state: AccountState) -> dict[str, Any]:
    """Return the authorization that gives access to account *facts*; only events show it."""
    rare = state.rare
    inside: dict[str, Any] = {"inactive": {"action": "relink_required"}}
    if state.status == "active":
        when = {} if rare.deactivates is None else {"expected_deactivation_date": rare.deactivates}
        inside = {"active": {"action": rare.action, **when}}
    return {
        "id": seed.authorization_ids.encode(facts.index),
        "object": "financial_connections.authorization",
        "institution_name": facts.institution,
        "livemode": False,
        "status": "active" if state.status == "active" else "inactive",
        "status_details": inside,
    }


def _numbers(facts: Facts, rare: Rare) -> list[dict[str, Any]] | None:
    if facts.category != "cash":
        return None
    expires = facts.created + 3650 * _DAY if facts.index % 7 == 5 else None
    expires = expires if rare.expires is None else rare.expires
    return [
        {
            "expected_expiry_date": expires,
            "identifier_type": "account_number" if expires is None else "tokenized_account_number",
            "status": "expired" if rare.expired else "transactable",
            "supported_networks": ["ach"],
        }
    ]


def _balance(facts: Facts, refresh: Refresh, rare: Rare) -> dict[str, Any] | None:
    if rare.balance == "null":
        return None
    # Strictly rising, so that a refreshed balance always differs from the one before.
    current = (
        facts.seed % 900_000
        + 1000 * refresh.last_success
        + mix(facts.seed, refresh.last_success) % 1000
    )
    as_of = int(refresh.last_success_at) - (STALE if rare.balance == "stale" else 0)
    if facts.category == "credit":
        # The same debt twice: as what the holder owes, and as credit that is in use.
        owed = {"as_of": as_of, "current": {"usd": -current}}
        return {**owed, "credit": {"used": {"usd": current}}, "type": "credit"}
    body = {"as_of": as_of, "current": {"usd": current}}
    return {**body, "cash": {"available": {"usd": current - facts.seed % 97}}, "type": "cash"}


def _refresh(refresh: Refresh, now: float, timing: Timing) -> dict[str, Any] | None:
    status = refresh.status(now, timing)
    if status == "none":
        return None
    opens = refresh.opens_at(now, timing)
    return {
        "last_attempted_at": int(refresh.started),
        # Rounded up: at the second it names, the next refresh is accepted.
        "next_refresh_available_at": None if opens is None else -int(-opens // 1),
        "status": status,
    }


def _transaction_refresh(
    seed: Seed, facts: Facts, refresh: Refresh, now: float, timing: Timing
) -> dict[str, Any] | None:
    body = _refresh(refresh, now, timing)
    if body is None:
        return None
    return {"id": refresh_id(seed, facts.index, refresh.number), **body}


def refresh_id(seed: Seed, index: int, number: int) -> str:
    """Return the id of transaction refresh *number* (1-based) of account *index*."""
    return seed.refresh_ids.encode(part(index, number))


def ownership_id(seed: Seed, facts: Facts, refresh: Refresh) -> str:
    """Return the id of what the latest successful ownership refresh brought."""
    return seed.ownership_ids.encode(part(facts.index, refresh.last_success))


def _refresh_schema(**more: Schema) -> Schema:
    return or_null(
        obj(
            last_attempted_at=TIME,
            next_refresh_available_at=or_null(TIME),
            status=one_of("failed", "pending", "succeeded"),
            **more,
        )
    )


_NUMBER = obj(
    expected_expiry_date=or_null(TIME),
    identifier_type=one_of("account_number", "tokenized_account_number"),
    status=one_of("deactivated", "expired", "pending", "transactable"),
    supported_networks=list_of(one_of("ach")),
)
_BALANCE = obj(
    {"cash": obj(available=or_null(MONEY)), "credit": obj(used=or_null(MONEY))},
    as_of=TIME,
    current=MONEY,
    type=one_of("cash", "credit"),
)
_WARNING = obj(
    action=one_of("none", "relink_required"),
    cause=one_of("access_expired", "institution_requirement", "unspecified"),
    expected_deactivation_date=TIME,
)
_INACTIVE = obj(action=one_of("none", "relink_required"))
_ACCESS = obj({"expected_deactivation_date": TIME}, action=one_of("none", "relink_required"))
_HOLDER_ID = {"anyOf": [TEXT, obj(id=TEXT, object=one_of("account", "customer"))]}
SCHEMAS = {
    "account": obj(
        {
            "account_numbers": or_null(list_of(_NUMBER)),
            "status_details": obj({"active": _WARNING}),
        },
        id=TEXT,
        object=one_of("financial_connections.account"),
        account_holder=or_null(ref("account_holder")),
        balance=or_null(_BALANCE),
        balance_refresh=_refresh_schema(),
        category=one_of("cash", "credit", "investment", "other"),
        created=TIME,
        display_name=or_null(TEXT),
        institution_name=TEXT,
        last4=or_null(TEXT),
        livemode=FLAG,
        ownership=or_null({"anyOf": [TEXT, ref("account_ownership")]}),
        ownership_refresh=_refresh_schema(),
        permissions=list_of(one_of(*PERMISSIONS)),
        status=one_of("active", "disconnected", "inactive"),
        subcategory=one_of(*SUBCATEGORIES, "other"),
        subscriptions=list_of(one_of("transactions")),
        supported_payment_method_types=list_of(one_of("link", "us_bank_account")),
        transaction_refresh=_refresh_schema(id=TEXT),
    ),
    "accounts": page_of("account"),
    "authorization": obj(
        id=TEXT,
        object=one_of("financial_connections.authorization"),
        institution_name=TEXT,
        livemode=FLAG,
        status=one_of("active", "inactive"),
        status_details=obj({"active": _ACCESS, "inactive": _INACTIVE}),
    ),
    "account_holder": obj(
        {"account": _HOLDER_ID, "customer": _HOLDER_ID, "customer_account": TEXT},
        type=one_of("account", "customer"),
    ),
}
