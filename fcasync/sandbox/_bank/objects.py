"""Stripe's JSON for an account, an owner, a session: raw dicts, the way they go over the wire."""

from collections.abc import Sequence
from typing import Any

from fcasync.sandbox._bank.dice import mix
from fcasync.sandbox._bank.ids import part
from fcasync.sandbox._bank.seed import Facts, Seed
from fcasync.sandbox._bank.states import AccountState, Refresh, Timing

ACCOUNTS_URL = "/v1/financial_connections/accounts"
_DAY = 86_400
_NAMES = ("Ana Lindqvist", "Jane Smith", "Kofi Mensah", "Lin Wei", "Noor Haddad", "Zoë Åkesson")
_STREETS = ("Alder Way", "Harbor Street", "Mill Lane", "Orchard Road")


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
        "account_numbers": _numbers(facts),
        "balance": _balance(facts, balance) if balance.good else None,
        "balance_refresh": _refresh(balance, now, timing),
        "category": facts.category,
        "created": facts.created,
        "display_name": facts.display_name,
        "institution_name": facts.institution,
        "last4": facts.last4,
        "livemode": False,
        "ownership": ownership_id(seed, facts, ownership) if ownership.good else None,
        "ownership_refresh": _refresh(ownership, now, timing),
        "permissions": facts.permissions,
        "status": state.status,
        "subcategory": facts.subcategory,
        "subscriptions": state.subscriptions,
        "supported_payment_method_types": facts.payment_methods,
        "transaction_refresh": _transaction_refresh(seed, facts, state.transactions, now, timing),
    }
    if facts.index % 7 == 3:
        del body["account_numbers"]  # Stripe leaves it out for some; a client must bear that
    if facts.index % 16 == 9 and state.status == "active":
        body["status_details"] = {
            "active": {
                "action": "relink_required",
                "cause": "access_expired",
                "expected_deactivation_date": facts.created + 3650 * _DAY,
            }
        }
    return body


def _numbers(facts: Facts) -> list[dict[str, Any]] | None:
    if facts.category != "cash":
        return None
    tokenized = facts.index % 7 == 5
    return [
        {
            "expected_expiry_date": facts.created + 3650 * _DAY if tokenized else None,
            "identifier_type": "tokenized_account_number" if tokenized else "account_number",
            "status": "transactable",
            "supported_networks": ["ach"],
        }
    ]


def _balance(facts: Facts, refresh: Refresh) -> dict[str, Any]:
    # Strictly rising, so that a refreshed balance always differs from the one before.
    current = facts.dice % 900_000 + 1000 * refresh.good + mix(facts.dice, refresh.good) % 1000
    body = {"as_of": int(refresh.good_at), "current": {"usd": current}}
    if facts.category == "credit":
        return {**body, "credit": {"used": {"usd": current}}, "type": "credit"}
    return {**body, "cash": {"available": {"usd": current - facts.dice % 97}}, "type": "cash"}


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
    """Return the id of what the latest successful ownership refresh found."""
    return seed.ownership_ids.encode(part(facts.index, refresh.good))


def owners(seed: Seed, facts: Facts, number: int, refreshed_at: float) -> list[dict[str, Any]]:
    """Return the owners that ownership refresh *number* found: one to three."""
    return [
        _owner(seed, facts, number, position, int(refreshed_at))
        for position in range(1 + facts.dice % 3)
    ]


def _owner(
    seed: Seed, facts: Facts, number: int, position: int, refreshed_at: int
) -> dict[str, Any]:
    dice = mix(facts.dice, 0x0A7E, position)
    name = _NAMES[dice % len(_NAMES)]
    mailbox = name.split()[0].lower().replace("ë", "e")
    address = f"{dice % 900 + 1} {_STREETS[dice % len(_STREETS)]}, Springfield, USA"
    return {
        "id": seed.owner_ids.encode(part(facts.index, number << 2 | position)),
        "object": "financial_connections.account_owner",
        "email": f"{mailbox}.{dice % 1000}@example.com" if dice % 5 else None,
        "name": name,
        "ownership": seed.ownership_ids.encode(part(facts.index, number)),
        "phone": f"+1 555-01{dice % 100:02}" if dice % 3 else None,
        "raw_address": address if dice % 4 else None,
        "refreshed_at": refreshed_at,
    }


def ownership(
    seed: Seed, facts: Facts, found: str, people: Sequence[dict[str, Any]], created: float
) -> dict[str, Any]:
    """Return the ownership object that ``expand[]=ownership`` puts in place of its id."""
    url = f"{ACCOUNTS_URL}/{facts.id}/owners?ownership={found}"
    return {
        "id": found,
        "object": "financial_connections.account_ownership",
        "created": int(created),
        "owners": page(url, list(people), False),
    }
