"""What is served is what is described: by this project's document, and by Stripe's."""

import json
from collections.abc import Iterator
from functools import cache
from typing import Any

import attrs
import orjson
import pytest

from fcasync.models import ThinEventType
from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.link import link
from fcasync.sandbox._api.messages import Request
from fcasync.sandbox._api.operations import OPERATIONS
from fcasync.sandbox._api.rates import RateLimit
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._api.world import Settings, World
from fcasync.sandbox._bank.seed import INSTITUTIONS
from fcasync.sandbox._bank.states import Timing
from fcasync.sandbox._server.openapi import document
from tests._paths import DATA
from tests.sandbox.conftest import Http
from tests.sandbox.worlds import (
    ACCOUNTS,
    EVENTS,
    SESSIONS,
    START,
    THIN_EVENTS,
    TRANSACTIONS,
    Driver,
    driver,
)

jsonschema = pytest.importorskip("jsonschema", reason="a development dependency")

STRIPES = DATA / "spec" / "fc_jsonschema.json"
FACTS = DATA / "spec" / "fc_facts.json"


PAGES = {
    "list": "financial_connections.account",
    "list_owners": "financial_connections.account_owner",
    "list_events": "event",
    "list_thin_events": "v2.core.event",
    "list_transactions": "financial_connections.transaction",
}
OBJECTS = {
    "create_session": "financial_connections.session",
    "retrieve_event": "event",
    "retrieve_thin_event": "v2.core.event",
    "retrieve_session": "financial_connections.session",
    "retrieve_transaction": "financial_connections.transaction",
}
# Stripe's specification of events, as tests/data/spec/fc_facts.json has it.
EVENT: dict[str, Any] = {
    "required": ["created", "data", "id", "livemode", "object", "pending_webhooks", "type"],
    "properties": {
        "account": {"type": "string"},
        "api_version": {"type": ["string", "null"]},
        "context": {"type": "string"},
        "created": {"type": "integer"},
        "data": {
            "required": ["object"],
            "properties": {
                "object": {"$ref": "#/$defs/financial_connections.account"},
                "previous_attributes": {"type": "object"},
            },
            "additionalProperties": False,
        },
        "id": {"type": "string", "pattern": "^evt_"},
        "livemode": {"type": "boolean"},
        "object": {"const": "event"},
        "pending_webhooks": {"type": "integer"},
        "request": {"type": ["object", "null"]},
        "type": {"enum": list(json.loads(FACTS.read_text())["events"])},
    },
}
# Those of https://docs.stripe.com/api/v2/core/events, as the official SDK 16.1.0 reads them.
THIN: dict[str, Any] = {
    "required": ["context", "created", "id", "livemode", "object", "reason", "type"],
    "properties": {
        "context": {"type": ["string", "null"]},
        "created": {"type": "string", "pattern": r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$"},
        "id": {"type": "string", "pattern": "^evt_"},
        "livemode": {"type": "boolean"},
        "object": {"const": "v2.core.event"},
        "reason": {"type": ["object", "null"]},
        "related_object": {
            "required": ["id", "type", "url"],
            "properties": {key: {"type": "string"} for key in ("id", "type", "url")},
            "additionalProperties": False,
        },
        "type": {"enum": list(map(str, ThinEventType))},
    },
}
V2_PAGE = {
    "properties": {
        "data": {"type": "array", "items": {"$ref": "#/$defs/v2.core.event"}},
        "next_page_url": {"type": ["string", "null"]},
        "previous_page_url": {"type": ["string", "null"]},
    },
    "required": ["data", "next_page_url", "previous_page_url"],
    "additionalProperties": False,
}
HOLDER = "account_holder[type]=customer&account_holder[customer]=cus_1"
FEATURES = ("balance", "ownership", "transactions")
EXPANDED = "&".join(
    f"expand[]=data.{path}"
    for path in ("ownership", "account_holder.customer", "account_holder.account")
)


@cache
def own(operation: str, status: int) -> Any:
    """Return a validator of what this project's document promises."""
    route = OPERATIONS[operation]
    responses = document()["paths"][route.url][route.method.lower()]["responses"]
    content = responses.get(str(status), responses["default"])["content"]["application/json"]
    return validator({**content["schema"], "components": document()["components"]})


@cache
def stripes(operation: str, status: int) -> Any:
    """Return a validator of what Stripe promises, and of nothing beside it."""
    defs = {**json.loads(STRIPES.read_text())["$defs"], "event": EVENT, "v2.core.event": THIN}
    for definition in defs.values():
        if "properties" in definition:
            definition.setdefault("additionalProperties", False)
    name = OBJECTS.get(operation, "financial_connections.account")
    if status == 200 and operation in PAGES:
        page = V2_PAGE if operation == "list_thin_events" else page_of(PAGES[operation])
        return validator({**page, "$defs": defs})
    return validator({"$ref": f"#/$defs/{name if status == 200 else 'error'}", "$defs": defs})


def page_of(name: str) -> dict[str, Any]:
    properties = {
        "object": {"const": "list"},
        "data": {"type": "array", "items": {"$ref": f"#/$defs/{name}"}},
        "has_more": {"type": "boolean"},
        "url": {"type": "string", "pattern": "^/v1/(financial_connections/|events$)"},
    }
    required = sorted(properties)
    return {"properties": properties, "required": required, "additionalProperties": False}


def validator(schema: dict[str, Any]) -> Any:
    return jsonschema.Draft202012Validator(schema)


CHANGES = sorted(
    (name for name, each in OPERATIONS.items() if each.path == f"accounts/{{account}}/{name}"),
    key="disconnect".__eq__,
)
"""The operations that change an account; the last one is *disconnect*, which ends all others."""
EXPANDED_HOLDER = "expand[]=account_holder.customer"


@attrs.define
class Witness(Driver):
    """A driver that keeps operation, status and body of every answer."""

    answers: list[tuple[str, int, Any]] = attrs.Factory(list)

    def send(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, Any]]:
        status, body = super().send(*args, **kwargs)
        (row,) = self.world.ledger.since(self.world.ledger.requests - 1)
        self.answers.append((row["operation"] or "list", status, body))
        return status, body


def witness(*faults: Fault, failure_rate: float = 0.0, **settings: Any) -> Witness:
    timing = Timing(failure_rate=failure_rate)
    return Witness(World(Settings(accounts=32, faults=faults, timing=timing, **settings)))


def accounts_in_every_state(failure_rate: float) -> Witness:
    """Refresh, list and change accounts of all kinds, before and after their banks answer."""
    api = witness(failure_rate=failure_rate)
    for wait in (0, 10):
        for index in range(32):
            for feature in FEATURES:
                api.send("POST", api.url(index, "refresh"), f"features[]={feature}")
        api.now += wait
        api.send("GET", ACCOUNTS, "limit=100")
        api.send("GET", ACCOUNTS, f"limit=100&{EXPANDED}")
    for index in range(3, 14):
        for name in CHANGES:
            takes_features = "features" in OPERATIONS[name].params.fields
            params = "features[]=transactions" if takes_features else EXPANDED_HOLDER
            api.send("POST", api.url(index, name), params)
        api.send("GET", api.url(index), "expand[]=ownership")
    events = api.send("GET", EVENTS, "limit=100")[1]["data"]
    api.send("GET", f"{EVENTS}/{events[0]['id']}")
    thin = api.send("GET", THIN_EVENTS, "limit=100")[1]["data"]
    api.send("GET", f"{THIN_EVENTS}/{thin[0]['id']}")
    return api


def parts_of_accounts() -> Witness:
    """Look at owners, transactions and a session that was filled."""
    api = witness(varied=False)
    for index in range(0, 32, 5):
        account = api.send("GET", api.url(index))[1]
        api.send("GET", api.url(index, "owners"), f"ownership={account['ownership']}")
        items = api.send("GET", TRANSACTIONS, f"account={account['id']}&limit=100")[1]["data"]
        api.send("GET", f"{TRANSACTIONS}/{items[0]['id']}")
    more = (
        "&permissions[]=balances&permissions[]=ownership&prefetch[]=ownership&limits[accounts]=2"
        "&return_url=https://example.com&filters[country]=US&manual_entry[mode]=automatic"
    )
    for params in (f"{HOLDER}&permissions[]=balances", HOLDER + more):
        made = api.send("POST", SESSIONS, params)[1]
        link(api.world.store, api.world.store.sessions[made["id"]], INSTITUTIONS[0], [0], api.now)
        api.send("GET", f"{SESSIONS}/{made['id']}", "expand[]=accounts.data.account_holder")
    return api


def refusals() -> Witness:
    """Meet an error of every kind that needs no other key."""
    slow = Fault(kind="delay", operation="refresh", seconds=5, times=1)
    down = [Fault(kind="status", operation="retrieve", status=n, times=1) for n in range(500, 505)]
    api = witness(slow, *down, rate_limit=RateLimit(endpoint=8))
    for _ in range(10):
        api.send("GET", api.url(0))
    api.send("POST", api.url(1, "refresh"), "features[]=balance", key="k")
    api.send("POST", api.url(1, "refresh"), "features[]=balance", key="k")
    api.send("POST", api.url(1, "refresh"), "features[]=ownership", key="k")
    api.send("POST", api.url(5, "refresh"), "features[]=balance")
    for query in ("limit=0", "session=fcsess_1", "colour=red", "expand[]=colour"):
        api.send("GET", ACCOUNTS, query)
    for path in (f"{TRANSACTIONS}/fctxn_1", f"{SESSIONS}/fcsess_1", "/v1/colours"):
        api.send("GET", path)
    return api


def refused_keys() -> Iterator[tuple[str, int, Any]]:
    """Yield what is answered before there is a world to answer."""
    realm = Realm(Settings(), "sk_test_1")
    key = {"authorization": "Bearer sk_test_1"}
    for headers in ({}, {"authorization": "Bearer sk_live_1"}, key | {"stripe-account": "x"}):
        _, reply, _ = realm.apply(Request("GET", ACCOUNTS, headers=headers), START)
        yield "list", reply.status, orjson.loads(reply.body)


@cache
def answers() -> list[tuple[str, int, Any]]:
    worlds = [accounts_in_every_state(0.0), accounts_in_every_state(1.0), parts_of_accounts()]
    kept = [answer for api in (*worlds, refusals()) for answer in api.answers]
    return [*kept, *refused_keys()]


def test_the_answers_are_of_every_kind() -> None:
    """All operations succeed, all statuses are met, and so are all states of accounts."""
    met = {status for _, status, _ in answers()}
    pages = [body["data"] for name, status, body in answers() if (name, status) == ("list", 200)]
    listed = [account for page in pages for account in page]
    refreshes = [
        account[f"{name}_refresh"] for account in listed for name in ("balance", "ownership")
    ]

    assert {name for name, status, _ in answers() if status == 200} == OPERATIONS.keys()
    assert met == {200, 400, 401, 403, 404, 409, 429, 500, 501, 502, 503, 504}
    assert {account["status"] for account in listed} == {"active", "inactive", "disconnected"}
    assert {account["category"] for account in listed} == {"cash", "credit", "investment", "other"}
    assert {refresh and refresh["status"] for refresh in refreshes} == {
        None, "pending", "succeeded", "failed"
    }  # fmt: skip
    assert {type(account["ownership"]) for account in listed} == {type(None), str, dict}
    assert any("status_details" in account for account in listed)
    assert any("account_numbers" not in account for account in listed)


@pytest.mark.parametrize("promised", [own, stripes])
def test_every_answer_fits_its_schema(promised: Any) -> None:
    """Whatever state an account is in, its JSON is what both documents promise."""
    for operation, status, body in answers():
        errors = promised(operation, status).iter_errors(body)
        assert [f"{operation} {error.json_path}: {error.message}" for error in errors] == []


def test_absent_is_not_null_where_stripe_says_so() -> None:
    """Keys that Stripe always sends are there even when they are null."""
    account = driver().get(ACCOUNTS, ("limit", 1))["data"][0]
    needed = document()["components"]["schemas"]["account"]["required"]

    assert set(needed) <= account.keys()


async def test_the_document_is_served_and_names_every_operation(http: Http) -> None:
    """Tools of other languages find all operations at /openapi.json."""
    _, served_document, _ = await http.send("GET", "/openapi.json")
    served = {
        operation["operationId"]: (method.upper(), path)
        for path, methods in served_document["paths"].items()
        if path.startswith(("/v1/", "/v2/"))
        for method, operation in methods.items()
    }

    assert served_document == document()
    assert served == {
        name: (operation.method, operation.url) for name, operation in OPERATIONS.items()
    }
