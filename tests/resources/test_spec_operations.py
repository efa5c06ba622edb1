"""Every operation and every parameter of Stripe's specification."""

import inspect
import json
from collections.abc import Iterator
from typing import Any, get_type_hints

import pytest

import fcasync
from fcasync._rules.request import Operation
from fcasync.resources import accounts, sessions, transactions
from fcasync.resources.accounts import AccountHolderFilter, Accounts
from fcasync.resources.sessions import (
    SessionAccountHolder,
    SessionFilters,
    SessionLimits,
    SessionManualEntry,
    Sessions,
)
from fcasync.resources.transactions import InstantRange, TransactionRefreshFilter, Transactions
from tests._paths import DATA

SPEC = DATA / "spec" / "fc_openapi.json"

RESOURCES: dict[Any, Any] = {accounts: Accounts, sessions: Sessions, transactions: Transactions}
NESTED: dict[tuple[str, str], Any] = {
    ("list", "account_holder"): AccountHolderFilter,
    ("create_session", "account_holder"): SessionAccountHolder,
    ("create_session", "filters"): SessionFilters,
    ("create_session", "limits"): SessionLimits,
    ("create_session", "manual_entry"): SessionManualEntry,
    ("list_transactions", "transacted_at"): InstantRange,
    ("list_transactions", "transaction_refresh"): TransactionRefreshFilter,
}


def ours() -> dict[tuple[str, str], tuple[Operation[Any], Any]]:
    """Return fcasync's operations and their methods, by HTTP method and route."""
    found: dict[tuple[str, str], tuple[Operation[Any], Any]] = {}
    for module, resource in RESOURCES.items():
        for value in vars(module).values():
            if isinstance(value, Operation):
                found[value.method, value.route] = value, method_of(resource, value.name)
    return found


def method_of(resource: Any, operation: str) -> Any:
    """Return the method of an operation: `Sessions.create` is that of `create_session`."""
    plural = resource.__name__.lower()
    return getattr(resource, operation.removesuffix(f"_{plural}").removesuffix(f"_{plural[:-1]}"))


def published() -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Yield method, route and definition of each operation of the specification."""
    for route, methods in json.loads(SPEC.read_text())["paths"].items():
        for method, definition in methods.items():
            yield method.upper(), route, definition


def parameters(definition: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield the parameters of an operation: path, query and body alike."""
    for parameter in definition.get("parameters", []):
        yield parameter["name"], parameter["schema"]
    form = definition["requestBody"]["content"]["application/x-www-form-urlencoded"]["schema"]
    yield from form["properties"].items()


ROWS = [
    pytest.param(method, route, name, schema, id=f"{method} {route} {name}")
    for method, route, definition in published()
    for name, schema in parameters(definition)
]


def test_the_operations_are_those_of_the_specification() -> None:
    """The operations are exactly those of the specification, which is not newer."""
    assert ours().keys() == {(method, route) for method, route, _ in published()}
    version = json.loads(SPEC.read_text())["info"]["version"]
    assert version <= fcasync.API_VERSION  # tests/models/test_official_sdk.py has what came since


@pytest.mark.parametrize(("method", "route", "name", "schema"), ROWS)
def test_a_parameter_of_the_specification_is_an_argument(
    method: str, route: str, name: str, schema: dict[str, Any]
) -> None:
    """Each has Stripe's name, and each nested one has all of Stripe's keys."""
    operation, function = ours()[method, route]
    assert name in inspect.signature(function).parameters
    variants = [schema, *schema.get("anyOf", [])]
    for properties in (variant["properties"] for variant in variants if "properties" in variant):
        assert get_type_hints(NESTED[operation.name, name]).keys() == properties.keys()


def test_every_post_takes_an_idempotency_key() -> None:
    """Every POST takes one, and no GET does."""
    for operation, method in ours().values():
        takes = "idempotency_key" in inspect.signature(method).parameters
        assert takes is (operation.method == "POST")
