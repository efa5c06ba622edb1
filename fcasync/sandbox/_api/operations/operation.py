"""What an operation is: its route, its parameters, what it answers with and what it does.

Each operation is one function below a row that says the rest; the row enters it into
:data:`OPERATIONS`, from which the router, the faults, ``/openapi.json`` and the page read.
"""

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from fcasync.sandbox._api.params import Check, Integer, List, Object, Text
from fcasync.sandbox._bank.events import Emit
from fcasync.sandbox._bank.store import Store

PREFIX = "/v1/financial_connections/"
EXPAND: Mapping[str, Check] = {"expand": List(Text())}
PAGE: Mapping[str, Check] = {
    **EXPAND,
    "limit": Integer(1, 100),
    "starting_after": Text(),
    "ending_before": Text(),
}
IDS: Mapping[str, Check] = {"account": Text(), "customer": Text(), "customer_account": Text()}


@attrs.frozen
class Done:
    """What an operation has done."""

    body: dict[str, Any]
    executed: bool = False
    """Whether something changed."""
    effects: tuple[Emit, ...] = ()


@attrs.frozen
class Input:
    """One call of an operation: the id in its path, its checked parameters, the time."""

    target: str
    params: dict[str, Any]
    now: float


Run = Callable[[Store, Input], Done]


@attrs.frozen
class Operation:
    """One thing the API can do. Names are those of the ledger, the faults and the limits."""

    name: str
    method: str
    path: str
    """Below its base."""
    params: Object
    returns: str
    """The kind of object it answers with: a key of ``expand.TREE`` and a component of OpenAPI."""
    run: Run
    base: str = PREFIX
    preview: Mapping[str, Check] = attrs.field(factory=dict)
    """The parameters that a preview version adds."""

    def accepts(self, *, preview: bool) -> Object:
        """Return the parameters that a request may send."""
        if not (preview and self.preview):
            return self.params
        return Object({**self.params.fields, **self.preview}, self.params.required)

    @property
    def url(self) -> str:
        """The whole path, with a placeholder for the id."""
        return self.base + self.path

    @property
    def writes(self) -> bool:
        """Whether it may change something, so that an idempotency key matters."""
        return self.method == "POST"


OPERATIONS: dict[str, Operation] = {}
"""Every operation by its name, in the order of their definitions."""


def operation(
    name: str,
    method: str,
    path: str,
    *,
    returns: str,
    params: Object | None = None,
    base: str = PREFIX,
    preview: Mapping[str, Check] | None = None,
) -> Callable[[Run], Run]:
    """Enter the function below into :data:`OPERATIONS`; without *params* it has only ``expand``."""

    def enter(run: Run) -> Run:
        checks = Object(EXPAND) if params is None else params
        OPERATIONS[name] = Operation(name, method, path, checks, returns, run, base, preview or {})
        return run

    return enter
