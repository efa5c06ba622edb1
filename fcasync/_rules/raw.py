"""Requests that fcasync has no method for, and parameters that its methods do not know."""

import re
from collections.abc import Callable, Mapping
from typing import Any, Final, TypeVar

import attrs
import orjson

from fcasync._rules.request import Operation, Options, Request, build
from fcasync.errors import InvalidArgumentError, describe

T = TypeVar("T")

METHODS: Final = ("GET", "POST")
_PATH: Final = re.compile(r"/v[12](/[A-Za-z0-9_-]{1,255}){1,16}")
_ID: Final = re.compile(r"(?<=/)[a-z]+_(?=[A-Za-z_-]*[0-9])[A-Za-z0-9_-]+")


def raw_request(
    method: object,
    path: object,
    options: Options,
    decode: Callable[[object], T],
    *,
    params: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Request[T]:
    """Return the request for any path of the API.

    Bodies are form-encoded below ``/v1`` and JSON below ``/v2``, as Stripe documents
    (https://docs.stripe.com/api-v2-overview); a POST gets an idempotency key if it has none.

    Args:
        method: GET or POST.
        path: Letters, digits, ``_`` and ``-`` between slashes, below ``/v1`` or ``/v2``.
        options: Of the client.
        decode: Structures the parsed answer.
        params: The query of a GET, the body of a POST.
        idempotency_key: 1 to 255 printable characters.

    Raises:
        InvalidArgumentError: One of them is not what Stripe could accept.
    """
    if method not in METHODS:
        raise InvalidArgumentError(f"method must be 'GET' or 'POST', not {describe(method)}")
    if not isinstance(path, str) or not _PATH.fullmatch(path):
        raise InvalidArgumentError(
            "path must begin with /v1/ or /v2/ and have only letters, digits, '_' and '-' between "
            f"its slashes, not {describe(path)}; parameters go into params="
        )
    given = _mapping(params or {}, "params")
    # What hooks and paces know it by: with the ids, each object would be an operation of its own.
    route = _ID.sub(":id", path)
    operation = Operation(name=f"{method} {route}", method=str(method), route=route, decode=decode)
    if method == "GET" or path.startswith("/v1/"):
        request = build(operation, options, params=given, idempotency_key=idempotency_key)
    else:
        json = attrs.evolve(options, content_type="application/json")
        request = build(operation, json, idempotency_key=idempotency_key)
        request.body = _json(given)
    request.path = path
    return request


def _json(params: Mapping[str, Any]) -> bytes:
    try:
        return orjson.dumps(params)
    except TypeError as error:
        sentence = str(error)
    raise InvalidArgumentError(f"params cannot be sent as JSON: {sentence}")


def with_extra(params: Mapping[str, Any], extra: object) -> Mapping[str, Any]:
    """Return *params* with the parameters that a method does not know.

    Raises:
        InvalidArgumentError: *extra* is not a mapping of names, or one of them is the method's own.
    """
    if extra is None:
        return params
    for name in (added := _mapping(extra, "extra_params")):
        if name in params:
            raise InvalidArgumentError(
                f"extra_params: {describe(name)} is an argument of the method itself"
            )
    return {**params, **added}


def _mapping(value: object, name: str) -> Mapping[str, Any]:
    if isinstance(value, Mapping) and all(isinstance(key, str) for key in value):
        return value
    raise InvalidArgumentError(
        f"{name} must be a mapping of names to values, not {describe(value)}"
    )
