"""A request and its answer as plain data, and what can be read off a request without a world."""

from collections.abc import Mapping
from email.utils import formatdate
from functools import lru_cache
from typing import Any

import attrs

from fcasync._rules.form import decode
from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.operations import Emit

_FORM = "application/x-www-form-urlencoded"


@attrs.frozen
class Request:
    """A request as it stands on the wire.

    Args:
        method: In capitals.
        path: Still percent-encoded, without the query.
        query: Without the question mark.
        body: Decompressed.
        headers: Looked up by names in lower case.
    """

    method: str
    path: str
    query: str = ""
    body: bytes = b""
    headers: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Answer:
    """What an operation, or a gate before it, answers with."""

    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict)
    executed: bool = False
    """Whether the operation changed something."""
    replayed: bool = False
    """Whether this is the stored result of an earlier request."""
    effects: tuple[Emit, ...] = ()


@lru_cache(maxsize=16)
def date(second: int) -> str:
    """Return the value of a Date header."""
    return formatdate(second, usegmt=True)


def is_form(headers: Mapping[str, str]) -> bool:
    """Return whether a body with these headers is form-encoded; without a type it is."""
    return headers.get("content-type", _FORM).partition(";")[0].strip().lower() == _FORM


def read_params(request: Request) -> dict[str, Any]:
    """Return the parameters of query and body together, as text.

    Raises:
        ApiError: They are not form-encoded.
    """
    if not request.body and not request.query:
        return {}
    if request.body and not is_form(request.headers):
        message = f"Invalid request: the content type of a POST must be {_FORM}."
        raise error_bodies.ApiError(400, message)
    try:
        body = request.body.decode()
        return decode("&".join(part for part in (request.query, body) if part))
    except ValueError as error:
        raise error_bodies.ApiError(400, f"Invalid request: {error}") from None
