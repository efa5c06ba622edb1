"""The eleven operations: their URLs and parameters. What they do stands in ``_operations``."""

from collections.abc import Mapping
from urllib.parse import unquote

import attrs

from fcasync.sandbox._api.params import (
    Check,
    Choice,
    Either,
    Holder,
    Integer,
    List,
    Object,
    Text,
    Url,
)
from fcasync.sandbox._bank.words import FEATURES, PERMISSIONS, PREFETCH, SUBCATEGORIES

PREFIX = "/v1/financial_connections/"

EXPAND: Mapping[str, Check] = {"expand": List(Text())}
PAGE: Mapping[str, Check] = {
    **EXPAND,
    "limit": Integer(1, 100),
    "starting_after": Text(),
    "ending_before": Text(),
}
_IDS: Mapping[str, Check] = {"account": Text(), "customer": Text(), "customer_account": Text()}
_FEATURES = Object({**EXPAND, "features": List(Choice(FEATURES))}, ("features",))
_SUBSCRIPTION = Object({**EXPAND, "features": List(Choice(("transactions",)))}, ("features",))
_RANGE = Object({name: Integer() for name in ("gt", "gte", "lt", "lte")})
_FILTERS = Object(
    {
        "account_subcategories": List(Choice(SUBCATEGORIES)),
        "country": Text(),
        "require_payment_method_support": Choice(("all", "at_least_one", "none")),
    }
)
_SESSION = Object(
    {
        **EXPAND,
        "account_holder": Holder({**_IDS, "type": Choice(("account", "customer"))}, ("type",)),
        "filters": _FILTERS,
        "limits": Object({"accounts": Integer(1, may_be_empty=True)}, ("accounts",)),
        "manual_entry": Object({"mode": Choice(("automatic", "disabled"))}),
        "permissions": List(Choice(PERMISSIONS)),
        "prefetch": List(Choice(PREFETCH)),
        "return_url": Url(),
    },
    ("account_holder", "permissions"),
)
_TRANSACTIONS = Object(
    {
        **PAGE,
        "account": Text(),
        "transacted_at": Either(_RANGE, Integer()),
        "transaction_refresh": Object({"after": Text()}, ("after",)),
    },
    ("account",),
)


@attrs.frozen
class Operation:
    """One thing the API can do. Names are those of the ledger, the faults and the limits."""

    name: str
    method: str
    path: str
    params: Object
    returns: str
    """What it answers with, in the words of ``_expand.TREE``."""

    @property
    def writes(self) -> bool:
        """Tell whether it may change something, so that an idempotency key matters."""
        return self.method == "POST"


OPERATIONS = {
    operation.name: operation
    for operation in (
        Operation(
            "list",
            "GET",
            "accounts",
            Object({**PAGE, "account_holder": Holder(_IDS), "session": Text()}),
            "accounts",
        ),
        Operation("retrieve", "GET", "accounts/{account}", Object(EXPAND), "account"),
        Operation(
            "list_owners",
            "GET",
            "accounts/{account}/owners",
            Object({**PAGE, "ownership": Text()}, ("ownership",)),
            "owners",
        ),
        Operation("refresh", "POST", "accounts/{account}/refresh", _FEATURES, "account"),
        Operation("subscribe", "POST", "accounts/{account}/subscribe", _SUBSCRIPTION, "account"),
        Operation(
            "unsubscribe", "POST", "accounts/{account}/unsubscribe", _SUBSCRIPTION, "account"
        ),
        Operation("disconnect", "POST", "accounts/{account}/disconnect", Object(EXPAND), "account"),
        Operation("create_session", "POST", "sessions", _SESSION, "session"),
        Operation("retrieve_session", "GET", "sessions/{session}", Object(EXPAND), "session"),
        Operation("list_transactions", "GET", "transactions", _TRANSACTIONS, "transactions"),
        Operation(
            "retrieve_transaction",
            "GET",
            "transactions/{transaction}",
            Object(EXPAND),
            "transaction",
        ),
    )
}


def _shape(operation: Operation) -> tuple[str, str, int, str]:
    parts = operation.path.split("/")
    return operation.method, parts[0], len(parts), parts[2] if len(parts) > 2 else ""


_BY_SHAPE = {_shape(operation): operation for operation in OPERATIONS.values()}


def route(method: str, path: str) -> tuple[Operation, str] | None:
    """Return the operation that *path* (still percent-encoded) names, and the id in it."""
    if not path.startswith(PREFIX):
        return None
    parts = path[len(PREFIX) :].split("/")
    verb = parts[2] if len(parts) > 2 else ""
    operation = _BY_SHAPE.get((method, parts[0], len(parts), verb))
    if operation is None or not all(parts):
        return None
    return operation, unquote(parts[1]) if len(parts) > 1 else ""
