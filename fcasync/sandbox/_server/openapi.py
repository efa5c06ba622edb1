"""``/openapi.json``: what the sandbox serves, written from its own operations and actions."""

from functools import cache

from fcasync.sandbox._api import expand
from fcasync.sandbox._api.operations import OPERATIONS, SCHEMAS, Operation
from fcasync.sandbox._api.params import List
from fcasync.sandbox._bank.event_bodies import API_VERSION
from fcasync.sandbox._bank.schema import TEXT, Schema, list_of, obj, one_of, ref
from fcasync.sandbox._server.control import ACTIONS, WORLD, Action, first_line

_FORM = "application/x-www-form-urlencoded"


def _error() -> Schema:
    types = ("api_error", "card_error", "idempotency_error", "invalid_request_error")
    texts = ("code", "doc_url", "param", "request_log_url")
    return obj(dict.fromkeys(texts, TEXT), type=one_of(*types), message=TEXT)


def _fields(operation: Operation) -> dict[str, Schema]:
    """Return the schemas of an operation's parameters by their names on the wire.

    OpenAPI has no style for ``features[]=balance`` or ``filters[country]=US``, so the brackets are
    part of the name here, and any tool can send them.
    """
    fields = operation.params.schemas("")
    paths = expand.paths(operation.returns)
    return fields | {"expand[]": list_of(one_of(*paths))} if paths else fields


def _required(operation: Operation) -> list[str]:
    """Return the names that must be sent; those inside a required mapping stand for it."""
    names = []
    for name in operation.params.required:
        check = operation.params.fields[name]
        inside = [f"{name}[{field}]" for field in getattr(check, "required", ())]
        names += inside or [f"{name}[]" if isinstance(check, List) else name]
    return names


def _query(operation: Operation) -> list[Schema]:
    required = _required(operation)
    return [
        {"name": name, "in": "query", "required": name in required, "schema": schema}
        for name, schema in _fields(operation).items()
    ]


def _body(operation: Operation) -> Schema:
    schema = {
        "type": "object",
        "required": _required(operation),
        "properties": _fields(operation),
        "additionalProperties": False,
    }
    return {"required": bool(operation.params.required), "content": {_FORM: {"schema": schema}}}


def _described(operation: Operation) -> Schema:
    target = operation.path.partition("{")[2].partition("}")[0]
    path = [{"name": target, "in": "path", "required": True, "schema": {**TEXT, "minLength": 1}}]
    described: Schema = {
        "operationId": operation.name,
        "summary": first_line(operation.run),
        "parameters": path if target else [],
        "responses": {
            "200": _answer(ref(operation.returns)),
            "default": _answer(ref("error")),
        },
    }
    if operation.writes:
        key = {
            "type": "string",
            "minLength": 1,
            "maxLength": 255,
            "pattern": "^[!-~]([ -~]*[!-~])?$",
        }
        header = {"name": "Idempotency-Key", "in": "header", "required": False, "schema": key}
        return {
            **described,
            "parameters": [*described["parameters"], header],
            "requestBody": _body(operation),
        }
    return {**described, "parameters": described["parameters"] + _query(operation)}


def _controlled(method: str, path: str, action: Action) -> Schema:
    """Describe one action of the control plane, which works without a key too."""
    described: Schema = {
        "operationId": f"{method.lower()}_{path.rpartition('/')[2]}",
        "summary": action.summary,
        "security": [{}, {"bearerAuth": []}],
        "parameters": [
            {"name": query, "in": "query", "required": "default" not in schema, "schema": schema}
            for query, schema in action.query.items()
        ]
        + [{"name": WORLD.title(), "in": "header", "required": False, "schema": TEXT}],
        "responses": {"200": _answer({"type": "object"}), "default": _answer(ref("error"))},
    }
    if action.body is not None:
        content = {"application/json": {"schema": action.body}}
        described["requestBody"] = {"required": True, "content": content}
    return described


def _answer(schema: Schema) -> Schema:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


@cache
def document() -> Schema:
    """Return the OpenAPI 3.1 document."""
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS.values():
        methods = paths.setdefault(operation.url, {})
        methods[operation.method.lower()] = _described(operation)
    for (method, path), action in ACTIONS.items():
        paths.setdefault(path, {})[method.lower()] = _controlled(method, path, action)
    return {
        "openapi": "3.1.0",
        "info": {"title": "fcasync sandbox: Stripe Financial Connections", "version": API_VERSION},
        "security": [{"basicAuth": []}, {"bearerAuth": []}],
        "paths": paths,
        "components": {
            "schemas": {**SCHEMAS, "error": obj(error=_error())},
            "securitySchemes": {
                "basicAuth": {"type": "http", "scheme": "basic"},
                "bearerAuth": {"type": "http", "scheme": "bearer"},
            },
        },
    }
