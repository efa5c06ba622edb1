"""The models against Stripe's published schemas, field by field."""

import json
from datetime import datetime
from typing import Any, Literal, get_args, get_origin

import pytest

from fcasync import models
from fcasync.models._convert import decoder, to_dict
from fcasync.models._kinds import hints, open_enum, without_none
from tests.models.strategies import SPEC, schemas, without_nulls

DEFS = schemas()
FACTS = json.loads((SPEC / "fc_facts.json").read_text())
ROOTS = {
    "financial_connections.account": models.Account,
    "financial_connections.account_owner": models.AccountOwner,
    "financial_connections.account_ownership": models.AccountOwnership,
    "financial_connections.authorization": models.Authorization,
    "financial_connections.session": models.Session,
    "financial_connections.transaction": models.Transaction,
    "token": models.BankAccountToken,
}
NOT_MODELS = {"api_errors", "error"}
"""Schemas that `fcasync.errors` covers."""

OTHERS = {name for name in DEFS if set(DEFS[name].get("properties", ())) == {"id", "object"}}
"""Objects of other Stripe products, whose schemas have only id and object."""

PLAIN = {"string": str, "boolean": bool, "integer": int}


def resolve(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema without the alternative null."""
    while "$ref" in schema or "anyOf" in schema:
        if "$ref" in schema:
            return {"name": schema["$ref"].rpartition("/")[2]}
        inside = [each for each in schema["anyOf"] if each.get("type") != "null"]
        if len(inside) > 1:
            return {"either": inside}
        (schema,) = inside
    return schema


def check(schema: dict[str, Any], kind: Any, path: str, seen: set[str]) -> None:
    """Assert that an annotation matches its schema, and collect the schemas on the way."""
    schema = resolve(schema)
    if name := schema.get("name"):
        seen.add(name)
        if name in OTHERS:
            assert kind is models.ExpandedObject, path
        else:
            check_object(DEFS[name], kind, path, seen)
    elif either := schema.get("either"):
        assert kind[0] is str, path
        check(either[1], kind[1], path, seen)
    elif schema["type"] == "array":
        assert get_origin(kind) is list, path
        check(schema["items"], get_args(kind)[0], f"{path}[]", seen)
    elif schema["type"] == "object":
        check_object(schema, kind, path, seen)
    else:
        check_leaf(schema, kind, path)


def check_object(schema: dict[str, Any], kind: Any, path: str, seen: set[str]) -> None:
    if "properties" not in schema:
        assert kind == dict[str, int], path
        return
    fields = hints(kind)
    assert set(fields) == set(schema["properties"]), path
    for name, inside in schema["properties"].items():
        check(inside, without_none(fields[name]), f"{path}.{name}", seen)


def check_leaf(schema: dict[str, Any], kind: Any, path: str) -> None:
    if path.endswith(".object"):
        assert kind == Literal[schema["enum"][0]], path
    elif "enum" in schema:
        enum = open_enum(kind)
        assert enum, path
        assert {member.value for member in enum} >= set(schema["enum"]), path
    elif schema.get("format") == "unix-time":
        assert kind is datetime, path
    else:
        assert kind is PLAIN[schema["type"]], path


def test_every_schema_and_field_is_a_model_of_the_same_type() -> None:
    """The models have exactly the fields of the specification, with the same types."""
    seen: set[str] = set()
    for name, model in ROOTS.items():
        if name in DEFS:
            seen.add(name)
            check_object(DEFS[name], model, name, seen)
    part_of_errors = {"payment_intent", "payment_method", "setup_intent", "source"}
    assert set(DEFS) - seen == NOT_MODELS | part_of_errors


@pytest.mark.parametrize("name", FACTS.get("fixtures_public", ()))
def test_the_published_examples_are_decoded(name: str) -> None:
    """Stripe's own examples can be decoded and converted back, without nulls."""
    example = FACTS["fixtures_public"][name]
    assert without_nulls(to_dict(decoder(ROOTS[name])(example))) == without_nulls(example)


def test_authorizations_have_the_published_fields() -> None:
    """The authorization, which occurs only in events, is complete."""
    published = FACTS["authorization_schema"]["properties"]
    assert set(hints(models.Authorization)) == set(published)
    inside = hints(models.AuthorizationStatusDetails)
    assert set(inside) == set(published["status_details"])
    for name, kind in inside.items():
        assert set(hints(without_none(kind))) == set(published["status_details"][name])
    assert [str(status) for status in models.AuthorizationStatus] == published["status"]


def test_events_have_the_published_fields() -> None:
    """The envelope is complete."""
    published = FACTS["event_object"]["properties"]
    event = models.Event[models.Account]
    assert set(hints(event)) == set(published)
    assert set(hints(without_none(hints(event)["data"]))) == set(published["data"])
    assert set(hints(models.EventRequest)) == {"id", "idempotency_key"}


def test_every_event_type_holds_its_object() -> None:
    """Each of the 14 event types is known and holds the object that Stripe documents."""
    assert {str(kind) for kind in models.EventType} == set(FACTS["events"])
    for kind, name in FACTS["events"].items():
        inside = {"id": "x_1", "object": name}
        event = decoder(models.Event)(
            {"id": "evt_1", "object": "event", "type": kind, "data": {"object": inside}}
        )
        assert type(event.data.object) is ROOTS[name]
