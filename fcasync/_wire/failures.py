"""What goes wrong on the wire, as the errors that users see."""

from typing import Any

import aiohttp

from fcasync._facts.redact import printable
from fcasync._rules.request import Request
from fcasync._wire.body import TooLargeError, TruncatedBodyError
from fcasync.errors import (
    APIConnectionError,
    APITimeoutError,
    FCError,
    InvalidArgumentError,
    ProtocolError,
)


class LostConnectionError(Exception):
    """The connection broke after the request was, or may have been, sent."""


class StaleConnectionError(LostConnectionError):
    """The same on a connection that had been idle in the pool, before any answer."""


class NotHttpError(Exception):
    """The answer cannot be parsed as HTTP."""


BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)
"""How a connection breaks before the head of an answer has arrived."""

FAILURES = (
    TimeoutError,
    LostConnectionError,
    NotHttpError,
    TooLargeError,
    TruncatedBodyError,
    aiohttp.ClientError,
)
"""Everything that :func:`explain` understands."""


def explain(
    error: BaseException, request: Request[Any], *, timeout: float, most: int, was_sent: bool
) -> tuple[FCError, BaseException | None]:
    """Return the error to raise and what may be shown as its cause.

    Args:
        error: One of FAILURES.
        request: What was to be sent.
        timeout: Seconds that the attempt had.
        most: Largest answer in bytes.
        was_sent: Whether the request was, or may have been, sent.
    """
    may_have_executed = request.has_effect and was_sent
    if sentence := _not_the_api(error, most):
        # aiohttp's own errors hold the headers, and so the key: none of them is the cause.
        return ProtocolError(sentence, may_have_executed=may_have_executed), None
    match error:
        case TimeoutError():
            sentence = f"no whole answer from {request.operation.route} within {timeout:g} s"
            return APITimeoutError(sentence, may_have_executed=may_have_executed), error
        case LostConnectionError():
            lost = _lost(error.__cause__ or error, may_have_executed=may_have_executed)
            lost.is_stale = isinstance(error, StaleConnectionError)
            return lost, error.__cause__
        case aiohttp.ClientHttpProxyError():
            return _proxy_refusal(error), None
        case _:
            return _not_connected(error, request, may_have_executed=may_have_executed), error


def _not_the_api(error: BaseException, most: int) -> str | None:
    match error:
        case TooLargeError():
            return (
                f"the answer is larger than {most} bytes (max_response_bytes, after decompression)"
            )
        case NotHttpError():
            return f"the answer is not HTTP: {printable(str(error), 120)}"
        case aiohttp.ClientResponseError() if not isinstance(error, aiohttp.ClientHttpProxyError):
            return f"the answer is not HTTP: {printable(error.message, 120)}"
    return None


def closed() -> APIConnectionError:
    """Return the error of a request that was waiting for a connection when the client closed."""
    return APIConnectionError(
        "the client's session was closed before this request was sent", retryable=False
    )


def _lost(reason: BaseException, *, may_have_executed: bool) -> APIConnectionError:
    what = str(reason) if isinstance(reason, TruncatedBodyError) else type(reason).__name__
    return APIConnectionError(
        f"the connection broke before a whole answer arrived: {what}",
        may_have_executed=may_have_executed,
    )


def _proxy_refusal(error: aiohttp.ClientHttpProxyError) -> APIConnectionError:
    reason = f"{error.status} {printable(error.message, 60)}"
    return APIConnectionError(
        f"the proxy refused the connection: {reason}", retryable=error.status >= 500
    )


def _not_connected(
    error: BaseException, request: Request[Any], *, may_have_executed: bool
) -> FCError:
    origin = request.options.base_url.split("/", 3)
    address = "/".join(origin[:3])
    match error:
        case aiohttp.ClientConnectorCertificateError():
            return APIConnectionError(f"no trusted TLS connection to {address}", retryable=False)
        case aiohttp.ClientProxyConnectionError():
            return APIConnectionError(f"cannot connect to the proxy: {error.strerror}")
        case aiohttp.ClientConnectorError():
            reason = error.strerror or type(error).__name__
            return APIConnectionError(f"cannot connect to {address}: {reason}")
        case aiohttp.InvalidURL():
            return InvalidArgumentError("base_url or proxy is not a URL that can be connected to")
        case _:
            return _lost(error, may_have_executed=may_have_executed)
