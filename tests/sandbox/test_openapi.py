"""What is served is what is described: by this project's document, and by Stripe's."""

import json
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from fcasync.sandbox._openapi import document
from fcasync.sandbox._routes import OPERATIONS, PREFIX
from fcasync.sandbox._states import Timing
from tests.sandbox.conftest import Http
from tests.sandbox.worlds import ACCOUNTS, SESSIONS, TRANSACTIONS, driver

jsonschema = pytest.importorskip("jsonschema", reason="a development dependency")

STRIPES = Path(__file__).parents[3] / "shared/spec/fc_jsonschema.json"


@cache
def own(name: str) -> Any:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document()["components"]}
    return jsonschema.Draft202012Validator(schema)


@cache
def stripes(name: str) -> Any:
    if not STRIPES.exists():
        pytest.skip("Stripe's schemas are not beside this checkout")
    schema = {"$ref": f"#/$defs/{name}", "$defs": json.loads(STRIPES.read_text())["$defs"]}
    return jsonschema.Draft202012Validator(schema)


def bodies() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield own schema, Stripe's schema and body of many kinds of answer."""
    for failure_rate in (0.0, 1.0):
        api = driver(accounts=64, timing=Timing(failure_rate=failure_rate))
        for wait in (0, 10):
            for index in range(64):
                for feature in ("balance", "ownership", "transactions"):
                    api.send("POST", api.url(index, "refresh"), f"features[]={feature}")
            api.now += wait
            page = api.get(ACCOUNTS, ("limit", 100), ("expand[]", "data.ownership"))
            for account in page["data"]:
                yield "account", "financial_connections.account", account
        holder = [("account_holder[type]", "customer"), ("account_holder[customer]", "cus_1")]
        session = api.post(SESSIONS, *holder, ("permissions[]", "balances"))
        yield "session", "financial_connections.session", session
    api = driver(varied=False)
    for item in api.get(TRANSACTIONS, ("account", api.account_id(0)))["data"]:
        yield "transaction", "financial_connections.transaction", item
    found = api.get(api.url(0))["ownership"]
    for item in api.get(api.url(0, "owners"), ("ownership", found))["data"]:
        yield "account_owner", "financial_connections.account_owner", item
    yield "error", "error", api.send("GET", ACCOUNTS, "limit=0")[1]


@pytest.mark.parametrize("side", ["own", "stripes"])
def test_every_answer_fits_its_schema(side: str) -> None:
    """Whatever state an account is in, its JSON is what both documents promise."""
    for mine, theirs, body in bodies():
        validator = own(mine) if side == "own" else stripes(theirs)
        assert [error.message for error in validator.iter_errors(body)] == []


def test_absent_is_not_null_where_stripe_says_so() -> None:
    """Keys that Stripe always sends are there even when they are null."""
    account = driver().get(ACCOUNTS, ("limit", 1))["data"][0]
    needed = document()["components"]["schemas"]["account"]["required"]

    assert set(needed) <= account.keys()


async def test_the_document_is_served_and_names_every_operation(http: Http) -> None:
    """Tools of other languages find all eleven operations at /openapi.json."""
    _, told, _ = await http.send("GET", "/openapi.json")
    served = {
        operation["operationId"]: (method.upper(), path)
        for path, methods in told["paths"].items()
        if path.startswith(PREFIX)
        for method, operation in methods.items()
    }

    assert told == document()
    assert served == {
        name: (operation.method, PREFIX + operation.path) for name, operation in OPERATIONS.items()
    }
