"""Stripe's objects with every field filled in, for tests that are about a few fields."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypeVar

import attrs
import orjson

from fcasync.models import (
    Account,
    AccountOwner,
    AccountOwnership,
    AnyEvent,
    Authorization,
    Event,
    EventType,
    Page,
    Session,
    Transaction,
)
from fcasync.models._base import Model
from fcasync.models._convert import decoder, to_dict
from fcasync.webhooks import sign

M = TypeVar("M", bound=Model)
Json = dict[str, Any]

_CREATED: Final = 1_700_000_000
_REFRESHED: Final = _CREATED + 86_400
_ACCOUNTS: Final = "/v1/financial_connections/accounts"
_ACCOUNT_ID: Final = "fca_1TestAccount0000000000000"
_OWNERSHIP_ID: Final = "fcaowns_1TestOwnership00000000000"
_TRANSACTION_REFRESH_ID: Final = "fctxnref_1TestRefresh000000000000"


def make_account(**fields: Any) -> Account:
    """Return an active checking account with a fresh balance.

    Args:
        fields: Fields to set to other values, as models and datetimes or in the shape of Stripe's
            JSON. ``extra`` holds fields that fcasync does not know.

    Raises:
        TypeError: The model has no such field.
        ProtocolError: A value does not fit its field.
    """
    made: Account = _make(Account, _account(), fields)
    return made


def make_authorization(**fields: Any) -> Authorization:
    """Return an active authorization; for *fields* see :func:`make_account`."""
    made: Authorization = _make(Authorization, _authorization(), fields)
    return made


def make_owner(**fields: Any) -> AccountOwner:
    """Return an owner of an account; for *fields* see :func:`make_account`."""
    made: AccountOwner = _make(AccountOwner, _owner(), fields)
    return made


def make_ownership(**fields: Any) -> AccountOwnership:
    """Return the ownership of an account; for *fields* see :func:`make_account`."""
    made: AccountOwnership = _make(AccountOwnership, _ownership(), fields)
    return made


def make_transaction(**fields: Any) -> Transaction:
    """Return a posted transaction of an account; for *fields* see :func:`make_account`."""
    made: Transaction = _make(Transaction, _transaction(), fields)
    return made


def make_session(**fields: Any) -> Session:
    """Return a session without linked accounts; for *fields* see :func:`make_account`."""
    made: Session = _make(Session, _session(), fields)
    return made


def make_event(
    type: EventType | str = EventType.ACCOUNT_REFRESHED_BALANCE,
    object: Model | Mapping[str, Any] | None = None,
    **fields: Any,
) -> AnyEvent:
    """Return the event that a webhook would deliver.

    Args:
        type: What happened.
        object: The object that it happened to; None makes one with :func:`make_account` or, for
            types about authorizations, with :func:`make_authorization`.
        fields: See :func:`make_account`.
    """
    usual = _authorization() if ".authorization." in type else _account()
    about = usual if object is None else _plain(object)
    body = {**_event(), "type": str(type), "data": {"object": about}}
    event: AnyEvent = _make(Event, body, fields)
    return event


def make_page(items: Sequence[M] = (), *, has_more: bool = False, url: str = _ACCOUNTS) -> Page[M]:
    """Return *items* as a page of a list."""
    return Page(data=list(items), has_more=has_more, url=url)


def signed_webhook(
    event: AnyEvent | Mapping[str, Any], secret: str, timestamp: int | None = None
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers with which Stripe would deliver *event*.

    Args:
        event: An event from :func:`make_event`, or one in the shape of Stripe's JSON.
        secret: The endpoint's ``whsec_...`` secret.
        timestamp: When it is delivered, as a Unix time; None for now.
    """
    body = orjson.dumps(_plain(event))
    signature = sign(body, secret, timestamp)
    return body, {"Content-Type": "application/json", "Stripe-Signature": signature}


def _make(cls: Any, body: Json, fields: Mapping[str, Any]) -> Any:
    changes = dict(fields)
    extra = changes.pop("extra", {})
    for name in changes:
        if name not in attrs.fields_dict(cls):
            raise TypeError(f"{cls.__name__} has no field {name!r}; pass extra={{{name!r}: ...}}")
    return decoder(cls)({**body, **_plain(changes), **extra})


def _plain(value: Any) -> Any:
    """Return *value* in the shape of Stripe's JSON."""
    if isinstance(value, Model):
        return to_dict(value)
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value


def _account() -> Json:
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


def _authorization() -> Json:
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


def _owner() -> Json:
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


def _ownership() -> Json:
    url = f"{_ACCOUNTS}/{_ACCOUNT_ID}/owners?ownership={_OWNERSHIP_ID}"
    return {
        "id": _OWNERSHIP_ID,
        "object": "financial_connections.account_ownership",
        "created": _REFRESHED,
        "owners": {"object": "list", "data": [_owner()], "has_more": False, "url": url},
    }


def _transaction() -> Json:
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


def _session() -> Json:
    return {
        "id": "fcsess_1TestSession000000000000",
        "object": "financial_connections.session",
        "account_holder": {"type": "customer", "customer": "cus_1TestCustomer"},
        "accounts": {"object": "list", "data": [], "has_more": False, "url": _ACCOUNTS},
        "client_secret": "fcsess_1TestSession000000000000_secret_0000",
        "filters": {"country": "US"},
        "livemode": False,
        "permissions": ["balances", "transactions"],
        "prefetch": [],
    }


def _event() -> Json:
    return {
        "id": "evt_1TestEvent00000000000000000",
        "object": "event",
        "api_version": "2026-09-30.endive",
        "created": _REFRESHED,
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
    }
