"""The operations of the API, one file per resource.

An operation runs after its parameters have been checked: an error that it raises is a result, and
is kept under the idempotency key like any other.
"""

from urllib.parse import unquote

from fcasync.sandbox._api.operations import (
    accounts,
    events,
    sessions,
    thin_events,
    transactions,
)
from fcasync.sandbox._api.operations.operation import OPERATIONS, Done, Input, Operation
from fcasync.sandbox._bank.events import Emit

__all__ = ["OPERATIONS", "SCHEMAS", "Done", "Emit", "Input", "Operation", "route"]

SCHEMAS = {
    **accounts.SCHEMAS,
    **events.SCHEMAS,
    **thin_events.SCHEMAS,
    **sessions.SCHEMAS,
    **transactions.SCHEMAS,
}
"""The JSON Schemas of everything that operations answer with, as components of OpenAPI."""


def _shape(operation: Operation) -> tuple[str, str, str, int, str]:
    parts = operation.path.split("/")
    verb = parts[2] if len(parts) > 2 else ""
    return operation.method, operation.base, parts[0], len(parts), verb


_BY_SHAPE = {_shape(operation): operation for operation in OPERATIONS.values()}
_BASES = sorted({operation.base for operation in OPERATIONS.values()}, key=len, reverse=True)


def route(method: str, path: str) -> tuple[Operation, str] | None:
    """Return the operation that *path* (still percent-encoded) names, and the id in it."""
    base = next((base for base in _BASES if path.startswith(base)), None)
    if base is None:
        return None
    parts = path[len(base) :].split("/")
    verb = parts[2] if len(parts) > 2 else ""
    operation = _BY_SHAPE.get((method, base, parts[0], len(parts), verb))
    if operation is None or not all(parts):
        return None
    return operation, unquote(parts[1]) if len(parts) > 1 else ""
