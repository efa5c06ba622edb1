"""Stripe's JSON for the owners of an account, and their schemas."""

from collections.abc import Sequence
from typing import Any

from fcasync.sandbox._bank.dice import Salt, mix
from fcasync.sandbox._bank.ids import part
from fcasync.sandbox._bank.objects import ACCOUNTS_URL, page
from fcasync.sandbox._bank.schema import TEXT, TIME, obj, one_of, or_null, page_of
from fcasync.sandbox._bank.seed import Facts, Seed

_NAMES = ("Ana Lindqvist", "Jane Smith", "Kofi Mensah", "Lin Wei", "Noor Haddad", "Zoë Åkesson")
_STREETS = ("Alder Way", "Harbor Street", "Mill Lane", "Orchard Road")


def owners(seed: Seed, facts: Facts, number: int, refreshed_at: float) -> list[dict[str, Any]]:
    """Return the owners that ownership refresh *number* brought: one to three."""
    return [
        _owner(seed, facts, number, position, int(refreshed_at))
        for position in range(1 + facts.seed % 3)
    ]


def _owner(
    seed: Seed, facts: Facts, number: int, position: int, refreshed_at: int
) -> dict[str, Any]:
    own_seed = mix(facts.seed, Salt.OWNER, position)
    name = _NAMES[own_seed % len(_NAMES)]
    mailbox = name.split()[0].lower().replace("ë", "e")
    address = f"{own_seed % 900 + 1} {_STREETS[own_seed % len(_STREETS)]}, Springfield, USA"
    return {
        "id": seed.owner_ids.encode(part(facts.index, number << 2 | position)),
        "object": "financial_connections.account_owner",
        "email": f"{mailbox}.{own_seed % 1000}@example.com" if own_seed % 5 else None,
        "name": name,
        "ownership": seed.ownership_ids.encode(part(facts.index, number)),
        "phone": f"+1 555-01{own_seed % 100:02}" if own_seed % 3 else None,
        "raw_address": address if own_seed % 4 else None,
        "refreshed_at": refreshed_at,
    }


def ownership(
    facts: Facts, ownership_id: str, people: Sequence[dict[str, Any]], created: float
) -> dict[str, Any]:
    """Return the ownership object that ``expand[]=ownership`` puts in place of its id."""
    url = f"{ACCOUNTS_URL}/{facts.id}/owners?ownership={ownership_id}"
    return {
        "id": ownership_id,
        "object": "financial_connections.account_ownership",
        "created": int(created),
        "owners": page(url, list(people), False),
    }


SCHEMAS = {
    "account_owner": obj(
        id=TEXT,
        object=one_of("financial_connections.account_owner"),
        email=or_null(TEXT),
        name=TEXT,
        ownership=TEXT,
        phone=or_null(TEXT),
        raw_address=or_null(TEXT),
        refreshed_at=or_null(TIME),
    ),
    "account_ownership": obj(
        id=TEXT,
        object=one_of("financial_connections.account_ownership"),
        created=TIME,
        owners=page_of("account_owner"),
    ),
    "owners": page_of("account_owner"),
}
