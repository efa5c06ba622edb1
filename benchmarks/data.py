"""Accounts as Stripe sends them: full ones, with a balance and three refreshes."""

import json
from typing import Any

PAGE = 100
"""Stripe's largest page."""
ROOT = "/v1/financial_connections/accounts"
KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
API_VERSION = "2026-10-28.endive"

_NOW = 1_760_000_000


def account_id(number: int) -> str:
    return f"fca_1SpeedTest{number:014d}"


def account(number: int) -> dict[str, Any]:
    """Return account *number*: the sample of `fcasync.testing` with values that vary."""
    # Competitors import this module, and their memory is measured: they must not import fcasync.
    from fcasync.testing import _samples as samples

    cents = 100_000 + number % 900_000
    return samples.account() | {
        "id": account_id(number),
        "account_holder": {"customer": f"cus_Speed{number:09d}", "type": "customer"},
        "balance": {
            "as_of": _NOW - number % 1000,
            "cash": {"available": {"usd": cents - 99}},
            "current": {"usd": cents},
            "type": "cash",
        },
        "balance_refresh": _refresh(number),
        "created": _NOW - 86_400 - number % 1000,
        "display_name": f"Everyday Checking {number % 97}",
        "institution_name": f"Bank of Somewhere {number % 31}",
        "last4": f"{number % 10_000:04d}",
        "ownership": f"fcaowns_1Speed{number:014d}",
        "ownership_refresh": _refresh(number),
        "subscriptions": ["transactions"],
        "transaction_refresh": {"id": f"fctxnref_1Speed{number:014d}"} | _refresh(number),
    }


def transactions() -> bytes:
    """Return a page of transactions of account number 0, whose digits are in each id."""
    from fcasync.testing import _samples as samples

    sample, number = samples.transaction(), account_id(0)[-14:]
    data = [
        sample
        | {
            "id": f"fctxn_1Speed{line:03d}{number}",
            "account": account_id(0),
            "amount": -1_000 - line,
            "description": f"Corner Grocery {line}",
            "transacted_at": _NOW - 86_400 * line,
            "transaction_refresh": f"fctxnref_1Speed{1:014d}",
        }
        for line in range(PAGE)
    ]
    url = ROOT.replace("accounts", "transactions")
    return json.dumps({"object": "list", "data": data, "has_more": False, "url": url}).encode()


def _refresh(number: int) -> dict[str, Any]:
    return {
        "last_attempted_at": _NOW - number % 1000,
        "next_refresh_available_at": _NOW + 86_400,
        "status": "succeeded",
    }


def page(first: int = 0, *, has_more: bool = True) -> bytes:
    """Return a page of the accounts from number *first* on."""
    data = [account(number) for number in range(first, first + PAGE)]
    return json.dumps({"object": "list", "data": data, "has_more": has_more, "url": ROOT}).encode()
