"""Responses in the shape of Stripe's published examples."""

from typing import Any

from fcasync.testing import _samples as samples


def account(**changes: Any) -> dict[str, Any]:
    """Return a full account as JSON; a change to None makes a field null."""
    refresh = {
        "last_attempted_at": 1_735_689_600,
        "next_refresh_available_at": 1_735_693_200,
        "status": "succeeded",
    }
    ours = {
        "id": "fca_1PgcExample",
        "account_holder": {"customer": "cus_Example", "type": "customer"},
        "account_numbers": [
            {
                "expected_expiry_date": 1_767_225_600,
                "identifier_type": "tokenized_account_number",
                "status": "transactable",
                "supported_networks": ["ach"],
            }
        ],
        "balance": {
            "as_of": 1_735_689_600,
            "cash": {"available": {"usd": 1_234_567_890}},
            "current": {"usd": 1_234_567_890},
            "type": "cash",
        },
        "balance_refresh": dict(refresh),
        "created": 1_735_603_200,
        "ownership": "fcaowns_Example",
        "ownership_refresh": dict(refresh),
        "subscriptions": ["transactions"],
        "supported_payment_method_types": ["us_bank_account", "link"],
        "transaction_refresh": {"id": "fctxnref_Example", **refresh},
    }
    return {**samples.account(), **ours, **changes}


def account_page(*changes: dict[str, Any], has_more: Any = False) -> dict[str, Any]:
    """Return a page of accounts as JSON, one for each of *changes*."""
    data = [account(**each) for each in changes]
    url = "/v1/financial_connections/accounts"
    return {"object": "list", "url": url, "has_more": has_more, "data": data}
