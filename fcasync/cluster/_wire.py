"""What driver and lanes say to each other, as bytes.

Each exchange is one JSON document, because Dask serializes nested lists twenty times as slowly as
one string of bytes.
"""

from typing import Any, TypeAlias

import attrs
import orjson

from fcasync.bulk._journal import cells
from fcasync.bulk._plan.task import Row

OVER = "over"
"""Answers the admission of an account that this run has nothing to do with any more."""


@attrs.frozen(kw_only=True)
class Hello:
    """The driver asks a worker who it is."""

    operation: str
    client: dict[str, Any]
    """Arguments of the client, none of them secret."""


@attrs.frozen(kw_only=True)
class Welcome:
    """The worker's answer."""

    version: str
    python: str
    api_key: str
    """Mode and fingerprint of its API key, never the key."""
    stripe_version: str
    time: int
    """The server's Unix time."""


@attrs.frozen(kw_only=True)
class Open:
    """The driver opens a lane; an older one of the same job on the same worker is closed."""

    lane: str
    """Its id: whoever says another one is not heard."""
    job: str
    """The job's id."""
    last_seq: int
    created: int
    """The server's Unix time at which the job began."""
    time: int
    """The server's Unix time."""
    is_suspect: bool
    """Whether the journal may have lost what it knew."""
    operation: str
    features: list[str]
    concurrency: int
    max_rate: float | None
    wait: bool
    wait_timeout: float
    retry_failed: bool
    max_age: float | None
    lease: float
    """Seconds without the driver after which nothing is sent any more."""
    client: dict[str, Any]
    """Arguments of the client, none of them secret."""


@attrs.frozen(kw_only=True)
class Exchange:
    """The driver's part of an exchange; half a second later, or earlier, the lane answers."""

    lane: str
    job: str
    number: int
    """1, 2, 3, ... in each lane."""
    acks: list[list[Any]] = attrs.field(factory=list)
    """``[number of the write, what was known before]``: the row's cells, OVER or null."""
    feed: list[list[Any]] = attrs.field(factory=list)
    """``[tenant, account ids, whether these are the last]``; null for the ids: list them."""
    total_rate: float | None = None
    """Most requests a second of this lane."""
    is_last: bool = False
    """Whether the lane is to close."""


@attrs.frozen(kw_only=True)
class Answer:
    """The lane's part of an exchange. The counters are totals of the lane."""

    writes: list[list[Any]] = attrs.field(factory=list)
    """``[number, whether it is an admission, the row's cells]``."""
    listed: list[str] = attrs.field(factory=list)
    """Tenants whose accounts were listed to the end; all of them were admitted before."""
    barred: list[str] = attrs.field(factory=list)
    """Tenants that have taken their access away."""
    time: int = 0
    """The server's Unix time."""
    requests: int = 0
    retries: int = 0
    rate_limited: int = 0
    replays: int = 0
    in_flight: int = 0
    reads: int = 0


@attrs.frozen(kw_only=True)
class Gone:
    """There is no such lane here: it was replaced, or its lease has run out."""


@attrs.frozen(kw_only=True)
class Failed:
    """The lane, or the worker, cannot go on; raising would make Dask log the arguments."""

    error: str | None = None
    """An error of fcasync's, see :mod:`fcasync.bulk._journal.stored_errors`."""
    text: str = ""
    """Any other."""


Message: TypeAlias = Hello | Welcome | Open | Exchange | Answer | Gone | Failed
_CLASSES: dict[str, type[Message]] = {
    cls.__name__: cls for cls in (Hello, Welcome, Open, Exchange, Answer, Gone, Failed)
}


def encode(message: Message) -> bytes:
    """Return *message* as bytes."""
    fields = {name: getattr(message, name) for name in attrs.fields_dict(type(message))}
    return orjson.dumps({"is": type(message).__name__, **fields})


def decode(data: bytes) -> Message:
    """Return the message that was encoded.

    Raises:
        ValueError: *data* is not a message of this version.
    """
    fields = orjson.loads(data)
    try:
        return _CLASSES[fields.pop("is")](**fields)
    except (AttributeError, KeyError, TypeError) as error:
        raise ValueError("not a message of this version of fcasync") from error


def row_to_cells(row: Row) -> orjson.Fragment:
    """Return *row* as it travels in a message."""
    return orjson.Fragment(cells.wire_form(row))


def cells_to_row(values: list[Any]) -> Row:
    """Return the row that has travelled."""
    return cells.to_row(values)
