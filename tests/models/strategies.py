"""JSON for hypothesis: from the models' own annotations, and from Stripe's published schemas."""

import json
from collections.abc import Callable
from datetime import UTC
from typing import Any, get_args

from hypothesis import strategies as st

from fcasync.models._kinds import hints, kind_of, open_enum, without_none
from fcasync.models._rfc3339 import written
from tests._paths import DATA

SPEC = DATA / "spec"

strings = st.text(max_size=12)
unix_times = st.integers(-62_135_596_800, 253_402_300_799)
integers = st.integers(-(2**53), 2**53)
anything = st.recursive(
    st.none() | st.booleans() | integers | strings,
    lambda inside: st.lists(inside, max_size=2) | st.dictionaries(strings, inside, max_size=2),
    max_leaves=4,
)


def unknown_fields(known: set[str]) -> st.SearchStrategy[dict[str, Any]]:
    """Return fields that Stripe may add later."""
    names = st.sampled_from(["x_new", "extra", "_extra", "self", "class"]) | strings
    return st.dictionaries(names.filter(lambda name: name not in known), anything, max_size=2)


@st.composite
def json_of(draw: st.DrawFn, cls: Any) -> dict[str, Any]:
    """Draw JSON that fits the model *cls*, with null and absent fields."""
    fields = hints(cls)
    drawn = draw(unknown_fields(set(fields)))
    for name, hint in fields.items():
        kind = without_none(hint)
        value = draw(st.sampled_from(["absent", "null", "value", "value"]))
        if kind is hint or value == "value":
            drawn[name] = draw(value_of(kind))
        elif value == "null":
            drawn[name] = None
    return drawn


def value_of(cls: Any) -> st.SearchStrategy[Any]:
    """Return values that fit an annotation without its None."""
    return BY_KIND[kind_of(cls)](cls)


BY_KIND: dict[str, Callable[[Any], st.SearchStrategy[Any]]] = {
    "constant": lambda cls: st.just(get_args(cls)[0]),
    "text": lambda _: strings,
    "flag": lambda _: st.booleans(),
    "number": lambda _: integers,
    "instant": lambda _: unix_times,
    "rfc3339": lambda _: st.datetimes(timezones=st.just(UTC)).map(written),
    "json": lambda _: st.dictionaries(strings, anything, max_size=2),
    "amounts": lambda _: st.dictionaries(strings, integers, max_size=2),
    "enum": lambda cls: st.sampled_from([str(each) for each in open_enum(cls)]) | strings,
    "enums": lambda cls: st.lists(value_of(get_args(cls)[0]), max_size=2),
    "list": lambda cls: st.lists(value_of(get_args(cls)[0]), max_size=2),
    "expandable": lambda cls: strings | value_of(cls[1]),
    "model": lambda cls: st.deferred(lambda: json_of(cls)),
}


def schemas() -> dict[str, Any]:
    """Return Stripe's schemas by name."""
    schemas: dict[str, Any] = json.loads((SPEC / "fc_jsonschema.json").read_text())["$defs"]
    return schemas


def json_in(schema: dict[str, Any], defs: dict[str, Any]) -> st.SearchStrategy[Any]:
    """Return JSON that fits a schema or a later version of it."""
    if "$ref" in schema:
        return st.deferred(lambda: json_in(defs[schema["$ref"].rpartition("/")[2]], defs))
    if "anyOf" in schema:
        return st.one_of([json_in(each, defs) for each in schema["anyOf"]])
    if schema["type"] == "object":
        return object_in(schema, defs)
    if schema["type"] == "array":
        return st.lists(json_in(schema["items"], defs), max_size=2)
    return leaf_in(schema)


def leaf_in(schema: dict[str, Any]) -> st.SearchStrategy[Any]:
    if "pattern" in schema:
        return st.just(schema["pattern"].lstrip("^"))
    if "enum" in schema:
        known = st.sampled_from(schema["enum"])
        return known if len(schema["enum"]) == 1 else known | strings
    whole = unix_times if schema.get("format") == "unix-time" else integers
    return {"null": st.none(), "boolean": st.booleans(), "string": strings, "integer": whole}[
        schema["type"]
    ]


@st.composite
def object_in(draw: st.DrawFn, schema: dict[str, Any], defs: dict[str, Any]) -> dict[str, Any]:
    if "properties" not in schema:
        values = json_in(schema["additionalProperties"], defs)
        return draw(st.dictionaries(strings, values, max_size=2))
    known = schema["properties"]
    drawn = draw(unknown_fields(set(known)))
    for name, inside in known.items():
        if name in schema.get("required", ()) or draw(st.booleans()):
            drawn[name] = draw(json_in(inside, defs))
    return drawn


def without_nulls(value: Any) -> Any:
    """Return JSON without fields that are null."""
    if isinstance(value, dict):
        return {name: without_nulls(v) for name, v in value.items() if v is not None}
    return [without_nulls(v) for v in value] if isinstance(value, list) else value
