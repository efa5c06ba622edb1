"""What spans and metrics say of a call: names of the conventions, and values that are few."""

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, TypeAlias
from urllib.parse import urlsplit

from fcasync.errors import APIConnectionError, APIStatusError
from fcasync.hooks import Call, Run

SCHEMA: Final = "https://opentelemetry.io/schemas/1.44.0"
"""The version of the semantic conventions that defines the names."""

BOUNDARIES: Final = (
    *(0.005, 0.01, 0.025, 0.05, 0.075),
    *(0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0),
)
"""Bucket boundaries in seconds, as the conventions define them for request durations."""

Attributes: TypeAlias = Mapping[str, str | int]


def of_call(call: Call) -> Attributes:
    """Return what is said of a call."""
    return {"fcasync.operation": call.operation}


def of_request(call: Call) -> Attributes:
    """Return what is said of each of its requests."""
    server = _server(call.base_url) if call.base_url else {}
    return {"http.request.method": call.method, "url.template": call.route, **server}


def of_run(run: Run) -> Attributes:
    """Return what is said of a run."""
    return {"fcasync.run.kind": run.kind, "fcasync.operation": run.operation}


@lru_cache(maxsize=64)
def _server(base_url: str) -> Attributes:
    parts = urlsplit(base_url)
    default = 443 if parts.scheme == "https" else 80
    return {"server.address": parts.hostname or "", "server.port": parts.port or default}


def of_outcome(status: int | None, error: BaseException | None) -> Attributes:
    """Return what is said of how a request ended."""
    found: dict[str, str | int] = dict(of_error(error))
    if status is not None:
        found["http.response.status_code"] = status
    return found


def of_error(error: BaseException | None) -> Attributes:
    """Return what is said of an error: the status if there is one, else its class."""
    if error is None:
        return {}
    if isinstance(error, APIStatusError):
        return {"error.type": str(error.status)}
    return {"error.type": f"{type(error).__module__}.{type(error).__qualname__}"}


def description(error: BaseException) -> str | None:
    """Return what the type of an error does not say; only these messages name no object."""
    return str(error) if isinstance(error, APIConnectionError) else None
