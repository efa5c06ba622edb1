"""Stripe's objects as JSON, with the same values each time."""

from typing import Any, Final

Json = dict[str, Any]

ACCOUNTS: Final = "/v1/financial_connections/accounts"

_CREATED: Final = 1_700_000_000
_REFRESHED: Final = _CREATED + 86_400
_ACCOUNT_ID: Final = "fca_1TestAccount0000000000000"
_OWNERSHIP_ID: Final = "fcaowns_1TestOwnership00000000000"
_TRANSACTION_REFRESH_ID: Final = "fctxnref_1TestRefresh000000000000"


def account() -> Json:
    """Return an active checking account with a fresh balance."""
    refresh = {"last_attempted_at": _REFRESHED, "status": "succeeded"}
    return {
        "id": _ACCOUNT_ID,
        "object": "financial_connections.account",
        "account_holder": {"type": "customer", "customer": "cus_1TestCustomer"},
        "account_numbers": [
            {
                "expected_expiry_date": None,
                "identifier_type": "account_number",
                "status": "transactable",
                "supported_networks": ["ach"],
            }
        ],
        "balance": {
            "as_of": _REFRESHED,
            "cash": {"available": {"usd": 118_450}},
            "current": {"usd": 123_450},
            "type": "cash",
        },
        "balance_refresh": {**refresh, "next_refresh_available_at": _REFRESHED + 21_600},
        "category": "cash",
        "created": _CREATED,
        "display_name": "Everyday Checking",
        "institution_name": "Test Institution",
        "last4": "6789",
        "livemode": False,
        "ownership": _OWNERSHIP_ID,
        "ownership_refresh": {**refresh, "next_refresh_available_at": None},
        "permissions": ["balances", "ownership", "payment_method", "transactions"],
        "status": "active",
        "subcategory": "checking",
        "subscriptions": [],
        "supported_payment_method_types": ["us_bank_account"],
        "transaction_refresh": {
            "id": _TRANSACTION_REFRESH_ID,
            **refresh,
            "next_refresh_available_at": _REFRESHED + 21_600,
        },
    }


def authorization() -> Json:
    """Return an active authorization."""
    return {
        "id": "fcauth_1TestAuthorization0000000",
        "object": "financial_connections.authorization",
        "institution_name": "Test Institution",
        "livemode": False,
        "status": "active",
        "status_details": {
            "active": {"action": "none", "expected_deactivation_date": _CREATED + 180 * 86_400}
        },
    }


def owner() -> Json:
    """Return an owner of the account."""
    return {
        "id": "fcaown_1TestOwner000000000000000",
        "object": "financial_connections.account_owner",
        "email": "jo.tester@example.com",
        "name": "Jo Tester",
        "ownership": _OWNERSHIP_ID,
        "phone": "+1 555-0100",
        "raw_address": "1 Main Street, Springfield, USA",
        "refreshed_at": _REFRESHED,
    }


def ownership() -> Json:
    """Return the ownership of the account, with its owner."""
    url = f"{ACCOUNTS}/{_ACCOUNT_ID}/owners?ownership={_OWNERSHIP_ID}"
    return {
        "id": _OWNERSHIP_ID,
        "object": "financial_connections.account_ownership",
        "created": _REFRESHED,
        "owners": {"object": "list", "data": [owner()], "has_more": False, "url": url},
    }


def transaction() -> Json:
    """Return a posted transaction of the account."""
    return {
        "id": "fctxn_1TestTransaction000000000",
        "object": "financial_connections.transaction",
        "account": _ACCOUNT_ID,
        "amount": -1_250,
        "currency": "usd",
        "description": "Corner Grocery",
        "livemode": False,
        "status": "posted",
        "status_transitions": {"posted_at": _CREATED, "void_at": None},
        "transacted_at": _CREATED - 3_600,
        "transaction_refresh": _TRANSACTION_REFRESH_ID,
        "updated": _CREATED,
    }


def session() -> Json:
    """Return a session without linked accounts."""
    return {
        "id": "fcsess_1TestSession000000000000",
        "object": "financial_connections.session",
        "account_holder": {"type": "customer", "customer": "cus_1TestCustomer"},
        "accounts": {"object": "list", "data": [], "has_more": False, "url": ACCOUNTS},
        "client_secret": "fcsess_1TestSession000000000000_secret_0000",
        "filters": {"country": "US"},
        "livemode": False,
        "permissions": ["balances", "transactions"],
        "prefetch": [],
    }


def event() -> Json:
    """Return an event without its type and its object."""
    return {
        "id": "evt_1TestEvent00000000000000000",
        "object": "event",
        "api_version": "2026-10-28.endive",
        "created": _REFRESHED,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
    }


def related_account() -> Json:
    """Return how a thin event names the account of :func:`account`."""
    account_id = account()["id"]
    return {
        "id": account_id,
        "type": "financial_connections.account",
        "url": f"{ACCOUNTS}/{account_id}",
    }


def thin_event() -> Json:
    """Return a thin event without its type and its object."""
    return {
        "id": "evt_test_1ThinEvent000000000000000",
        "object": "v2.core.event",
        "context": None,
        "created": "2026-11-20T12:00:00.000Z",
        "livemode": False,
        "reason": None,
    }
