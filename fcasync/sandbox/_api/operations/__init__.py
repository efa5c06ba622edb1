"""The operations of the API, one file per resource.

An operation runs after its parameters have been checked: an error that it raises is a result, and
is kept under the idempotency key like any other.
"""

from urllib.parse import unquote

from fcasync.sandbox._api.operations import accounts, sessions, transactions
from fcasync.sandbox._api.operations.operation import OPERATIONS, Done, Emit, Input, Operation

__all__ = ["OPERATIONS", "PREFIX", "SCHEMAS", "Done", "Emit", "Input", "Operation", "route"]

PREFIX = "/v1/financial_connections/"
SCHEMAS = {**accounts.SCHEMAS, **sessions.SCHEMAS, **transactions.SCHEMAS}
"""The JSON Schemas of everything that operations answer with, as components of OpenAPI."""


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
