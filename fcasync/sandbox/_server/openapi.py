"""``/openapi.json``: what the sandbox serves, written from its own routes and checks."""

from functools import cache

from fcasync.sandbox._api import expand
from fcasync.sandbox._api.faults import KINDS
from fcasync.sandbox._api.params import List, Schema
from fcasync.sandbox._api.rates import PRESETS
from fcasync.sandbox._api.routes import (
    OPERATIONS,
    PREFIX,
    Operation,
)
from fcasync.sandbox._api.world import API_VERSION
from fcasync.sandbox._bank.seed import INSTITUTIONS
from fcasync.sandbox._bank.words import PERMISSIONS, PREFETCH, SUBCATEGORIES
from fcasync.sandbox._server.control import ACTIONS, LARGEST

_FORM = "application/x-www-form-urlencoded"
_TEXT: Schema = {"type": "string", "maxLength": 5000}
_TIME: Schema = {"type": "integer", "description": "Unix seconds"}
_MONEY: Schema = {"type": "object", "additionalProperties": {"type": "integer"}}


_COUNT: Schema = {"type": "integer", "minimum": 0, "maximum": LARGEST}
_RATE: Schema = {
    "anyOf": [{"type": "number", "exclusiveMinimum": 0, "maximum": LARGEST}, {"type": "null"}]
}
_CONTROL_QUERIES: dict[str, dict[str, Schema]] = {
    "accounts": {"skip": _COUNT},
    "ledger": {"since": _COUNT},
    "link": {"client_secret": _TEXT},
}


def _obj(required: str = "", **properties: Schema) -> Schema:
    return {"type": "object", "required": required.split(), "properties": properties}


def _one_of(*options: str) -> Schema:
    return {"type": "string", "enum": list(options)}


def _list_of(item: Schema) -> Schema:
    return {"type": "array", "items": item}


def _or_null(schema: Schema) -> Schema:
    return {"anyOf": [schema, {"type": "null"}]}


def _ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _page_of(name: str) -> Schema:
    return _obj(
        "object data has_more url",
        object=_one_of("list"),
        data=_list_of(_ref(name)),
        has_more={"type": "boolean"},
        url=_TEXT,
    )


def _refresh(**more: Schema) -> Schema:
    return _or_null(
        _obj(
            " ".join(["last_attempted_at next_refresh_available_at status", *more]),
            last_attempted_at=_TIME,
            next_refresh_available_at=_or_null(_TIME),
            status=_one_of("failed", "pending", "succeeded"),
            **more,
        )
    )


def _account() -> Schema:
    number = _obj(
        "identifier_type status supported_networks expected_expiry_date",
        expected_expiry_date=_or_null(_TIME),
        identifier_type=_one_of("account_number", "tokenized_account_number"),
        status=_one_of("deactivated", "expired", "pending", "transactable"),
        supported_networks=_list_of(_one_of("ach")),
    )
    balance = _obj(
        "as_of current type",
        as_of=_TIME,
        current=_MONEY,
        type=_one_of("cash", "credit"),
        cash=_obj("available", available=_or_null(_MONEY)),
        credit=_obj("used", used=_or_null(_MONEY)),
    )
    warning = _obj(
        "action cause expected_deactivation_date",
        action=_one_of("none", "relink_required"),
        cause=_one_of("access_expired", "institution_requirement", "unspecified"),
        expected_deactivation_date=_TIME,
    )
    return _obj(
        "id object account_holder balance balance_refresh category created display_name "
        "institution_name last4 livemode ownership ownership_refresh permissions status "
        "subcategory subscriptions supported_payment_method_types transaction_refresh",
        id=_TEXT,
        object=_one_of("financial_connections.account"),
        account_holder=_or_null(_ref("account_holder")),
        account_numbers=_or_null(_list_of(number)),
        balance=_or_null(balance),
        balance_refresh=_refresh(),
        category=_one_of("cash", "credit", "investment", "other"),
        created=_TIME,
        display_name=_or_null(_TEXT),
        institution_name=_TEXT,
        last4=_or_null(_TEXT),
        livemode={"type": "boolean"},
        ownership=_or_null({"anyOf": [_TEXT, _ref("account_ownership")]}),
        ownership_refresh=_refresh(),
        permissions=_list_of(_one_of(*PERMISSIONS)),
        status=_one_of("active", "disconnected", "inactive"),
        status_details=_obj(active=warning),
        subcategory=_one_of(*SUBCATEGORIES, "other"),
        subscriptions=_list_of(_one_of("transactions")),
        supported_payment_method_types=_list_of(_one_of("link", "us_bank_account")),
        transaction_refresh=_refresh(id=_TEXT),
    )


def _session() -> Schema:
    return _obj(
        "id object account_holder accounts client_secret livemode permissions prefetch",
        id=_TEXT,
        object=_one_of("financial_connections.session"),
        account_holder=_or_null(_ref("account_holder")),
        accounts=_page_of("account"),
        client_secret=_or_null(_TEXT),
        filters=_obj(
            account_subcategories=_or_null(_list_of(_one_of(*SUBCATEGORIES))),
            country=_or_null(_TEXT),
            require_payment_method_support=_one_of("all", "at_least_one", "none"),
        ),
        limits=_obj("accounts", accounts={"type": "integer"}),
        livemode={"type": "boolean"},
        manual_entry=_obj(mode=_one_of("automatic", "disabled")),
        permissions=_list_of(_one_of(*PERMISSIONS)),
        prefetch=_list_of(_one_of(*PREFETCH)),
        return_url=_TEXT,
    )


def _transaction() -> Schema:
    return _obj(
        "id object account amount currency description livemode status status_transitions "
        "transacted_at transaction_refresh updated",
        id=_TEXT,
        object=_one_of("financial_connections.transaction"),
        account=_TEXT,
        amount={"type": "integer", "description": "Minor units; negative leaves the account"},
        currency=_TEXT,
        description=_TEXT,
        livemode={"type": "boolean"},
        status=_one_of("pending", "posted", "void"),
        status_transitions=_obj(
            "posted_at void_at", posted_at=_or_null(_TIME), void_at=_or_null(_TIME)
        ),
        transacted_at=_TIME,
        transaction_refresh=_TEXT,
        updated=_TIME,
    )


_FAULT = _obj(
    "kind",
    operation=_one_of("*", *OPERATIONS),
    kind=_one_of(*KINDS),
    status=_or_null({"type": "integer", "minimum": 400, "maximum": 599}),
    executed=_or_null({"type": "boolean"}),
    stored=_or_null({"type": "boolean"}),
    probability={"type": "number", "minimum": 0, "maximum": 1},
    times=_or_null({"type": "integer", "minimum": 1}),
    seconds={"type": "number", "minimum": 0, "maximum": 3600},
    headers={"type": "object", "additionalProperties": {"type": "string"}},
)
_CONTROL_BODIES: dict[str, Schema] = {
    "faults": _list_of(_FAULT),
    "rate_limit": {
        "anyOf": [
            {**_obj("preset", preset=_one_of(*PRESETS)), "additionalProperties": False},
            {
                **_obj(rate=_RATE, endpoint=_RATE, concurrency=_RATE),
                "additionalProperties": False,
            },
        ]
    },
    "advance": _obj("seconds", seconds={"type": "number", "exclusiveMinimum": 0}),
    "reset": {"type": "object"},
    "account": _obj("account event", account=_TEXT, event=_one_of("deactivate", "reactivate")),
    "link": _obj(
        "client_secret institution accounts",
        client_secret=_TEXT,
        institution=_one_of(*INSTITUTIONS),
        accounts=_list_of({"type": "integer", "minimum": 0}),
    ),
}


def _schemas() -> dict[str, Schema]:
    expanded = _obj("id object", id=_TEXT, object=_one_of("account", "customer"))
    return {
        "account": _account(),
        "accounts": _page_of("account"),
        "account_holder": _obj(
            "type",
            account={"anyOf": [_TEXT, expanded]},
            customer={"anyOf": [_TEXT, expanded]},
            customer_account=_TEXT,
            type=_one_of("account", "customer"),
        ),
        "account_owner": _obj(
            "id object email name ownership phone raw_address refreshed_at",
            id=_TEXT,
            object=_one_of("financial_connections.account_owner"),
            email=_or_null(_TEXT),
            name=_TEXT,
            ownership=_TEXT,
            phone=_or_null(_TEXT),
            raw_address=_or_null(_TEXT),
            refreshed_at=_or_null(_TIME),
        ),
        "account_ownership": _obj(
            "id object created owners",
            id=_TEXT,
            object=_one_of("financial_connections.account_ownership"),
            created=_TIME,
            owners=_page_of("account_owner"),
        ),
        "error": _obj("error", error=_error()),
        "owners": _page_of("account_owner"),
        "session": _session(),
        "transaction": _transaction(),
        "transactions": _page_of("transaction"),
    }


def _error() -> Schema:
    types = ("api_error", "card_error", "idempotency_error", "invalid_request_error")
    texts = ("code", "doc_url", "message", "param", "request_log_url")
    return _obj("type message", type=_one_of(*types), **dict.fromkeys(texts, _TEXT))


def _fields(operation: Operation) -> dict[str, Schema]:
    """Return the schemas of an operation's parameters by their names on the wire.

    OpenAPI has no style for ``features[]=balance`` or ``filters[country]=US``, so the brackets are
    part of the name here, and any tool can send them.
    """
    fields = operation.params.told("")
    paths = expand.paths(operation.returns)
    return fields | {"expand[]": _list_of(_one_of(*paths))} if paths else fields


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
    path = [{"name": target, "in": "path", "required": True, "schema": {**_TEXT, "minLength": 1}}]
    told: Schema = {
        "operationId": operation.name,
        "parameters": path if target else [],
        "responses": {
            "200": _answer(_ref(operation.returns)),
            "default": _answer(_ref("error")),
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
            **told,
            "parameters": [*told["parameters"], header],
            "requestBody": _body(operation),
        }
    return {**told, "parameters": told["parameters"] + _query(operation)}


def _action(method: str, path: str, told: str) -> Schema:
    """Describe one action of the control plane; it needs no key."""
    name = path.rpartition("/")[2]
    described: Schema = {
        "operationId": f"{method.lower()}_{name}",
        "summary": told.strip().splitlines()[0],
        "security": [{}, {"bearerAuth": []}],
        "parameters": [
            {"name": query, "in": "query", "required": "minimum" not in schema, "schema": schema}
            for query, schema in _CONTROL_QUERIES.get(name, {}).items()
        ],
        "responses": {"200": _answer({"type": "object"}), "default": _answer(_ref("error"))},
    }
    if method == "POST":
        content = {"application/json": {"schema": _CONTROL_BODIES[name]}}
        return {
            **described,
            "parameters": [],
            "requestBody": {"required": True, "content": content},
        }
    return described


def _answer(schema: Schema) -> Schema:
    return {"description": "", "content": {"application/json": {"schema": schema}}}


@cache
def document() -> Schema:
    """Return the OpenAPI 3.1 document."""
    paths: dict[str, Schema] = {}
    for operation in OPERATIONS.values():
        place = paths.setdefault(PREFIX + operation.path, {})
        place[operation.method.lower()] = _described(operation)
    for (method, path), action in ACTIONS.items():
        paths.setdefault(path, {})[method.lower()] = _action(method, path, action.__doc__ or "")
    return {
        "openapi": "3.1.0",
        "info": {"title": "fcasync sandbox: Stripe Financial Connections", "version": API_VERSION},
        "security": [{"basicAuth": []}, {"bearerAuth": []}],
        "paths": paths,
        "components": {
            "schemas": _schemas(),
            "securitySchemes": {
                "basicAuth": {"type": "http", "scheme": "basic"},
                "bearerAuth": {"type": "http", "scheme": "bearer"},
            },
        },
    }
