"""JSON Schemas in few words, so that an object's schema can stand beside what builds the object."""

from typing import Any

Schema = dict[str, Any]

TEXT: Schema = {"type": "string", "maxLength": 5000}
TIME: Schema = {"type": "integer", "description": "Unix seconds"}
MONEY: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}
FLAG: Schema = {"type": "boolean"}


def obj(optional: dict[str, Schema] | None = None, /, **fields: Schema) -> Schema:
    """Return the schema of an object that always has *fields*, and may have the optional ones."""
    return {
        "type": "object",
        "required": list(fields),
        "properties": {**fields, **(optional or {})},
    }


def one_of(*options: str) -> Schema:
    """Return the schema of a closed set of strings."""
    return {"type": "string", "enum": list(options)}


def list_of(item: Schema) -> Schema:
    """Return the schema of an array."""
    return {"type": "array", "items": item}


def or_null(schema: Schema) -> Schema:
    """Return the schema of a value that may be null."""
    return {"anyOf": [schema, {"type": "null"}]}


def ref(name: str) -> Schema:
    """Return a reference to the component *name* of the OpenAPI document."""
    return {"$ref": f"#/components/schemas/{name}"}


def page_of(name: str) -> Schema:
    """Return the schema of a list object of one kind of component."""
    return obj(
        object=one_of("list"),
        data=list_of(ref(name)),
        has_more=FLAG,
        url=TEXT,
    )
