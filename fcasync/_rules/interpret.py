"""From an answer to a value or a typed error: pure."""

from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from typing import Any, TypeVar

import orjson
from multidict import CIMultiDict

from fcasync._facts.collector import without_collections
from fcasync._facts.redact import CUT, printable
from fcasync._rules.parse import parse
from fcasync._rules.request import Answer, Request
from fcasync.errors import (
    APIStatusError,
    AuthenticationError,
    ConflictError,
    IdempotencyError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    ServerError,
)

T = TypeVar("T")

LARGE = 16 * 1024
"""Bytes of a body from which on the garbage collector is paused: a page, not an object."""

RETRYABLE_STATUSES = frozenset({409, 429, 500, 502, 503, 504})

_BY_STATUS: dict[int, type[APIStatusError]] = {
    401: AuthenticationError,
    403: PermissionDeniedError,
    404: NotFoundError,
    409: ConflictError,
    429: RateLimitError,
}
_IDEMPOTENCY_STATUSES = frozenset({400, 404, 409})


def interpret(request: Request[T], answer: Answer) -> T:
    """Return the value that *answer* holds.

    Raises:
        APIStatusError: Stripe answered with an error; the subclass says which.
        ProtocolError: The answer is not what the API promises.
    """
    if 200 <= answer.status < 300:
        return _value(request, answer)
    if answer.status < 400:
        raise _protocol_error(_not_final(answer), request, answer)
    raise error_from(answer)


def _value(request: Request[T], answer: Answer) -> T:
    decode, body = request.operation.decode, answer.body
    try:
        if len(body) < LARGE:
            value = decode(parse(body))
        else:
            value = without_collections(lambda: decode(parse(body)))
    except ProtocolError as error:
        cause, sentence = error.__cause__, str(error)
    except ValueError as error:
        # The parser's own error holds the whole body.
        cause, sentence = None, _not_json(answer, str(error))
    else:
        asked = request.object_id
        if asked is None or getattr(value, "id", asked) == asked:
            return value
        cause, sentence = None, _crossed(asked, value)
    raise _protocol_error(sentence, request, answer) from cause


def _crossed(asked: str, value: Any) -> str:
    return (
        f"Stripe's answer is about {printable(value.id, 80)!r}, not {asked!r}: answers are crossed "
        "on this connection, which is closed; is a proxy in between?"
    )


def _protocol_error(sentence: str, request: Request[Any], answer: Answer) -> ProtocolError:
    return ProtocolError(
        sentence,
        status=answer.status,
        body=text_of(answer.body),
        request_id=request_id(answer.headers),
        may_have_executed=request.has_effect,
    )


def _not_json(answer: Answer, reason: str) -> str:
    kind = answer.headers.get("Content-Type", "no content type")
    return (
        f"Stripe's answer is not JSON ({printable(kind, 60)}): {printable(reason, 120)}; "
        "is a proxy or a captive portal in between?"
    )


def _not_final(answer: Answer) -> str:
    if answer.status < 300 or answer.status == 304:
        return f"unexpected status {answer.status}"
    target = answer.headers.get("Location", "nowhere")
    return (
        f"the server redirects ({answer.status}) to {printable(target, 120)}; Stripe never does, "
        "and fcasync does not follow: check base_url"
    )


def error_from(answer: Answer) -> APIStatusError:
    """Return the typed error that *answer*, of status 400 or above, stands for.

    An error body that cannot be read leaves an error typed by the status alone.
    """
    fields = _error_fields(answer.body)
    status, error_type, code = answer.status, _text(fields, "type"), _text(fields, "code")
    cls = _error_class(status, error_type, code)
    facts: dict[str, Any] = {}
    if issubclass(cls, RateLimitError):
        facts["reason"] = _header(answer, "Stripe-Rate-Limited-Reason")
    return cls(
        _message(status, fields),
        status=status,
        type=error_type,
        code=code,
        param=_text(fields, "param"),
        doc_url=_text(fields, "doc_url"),
        request_id=request_id(answer.headers),
        idempotent_replayed=is_replay(answer.headers),
        body=text_of(answer.body),
        headers=_shown_headers(answer.headers),
        retryable=_is_retryable(cls, status, answer.headers.get("Stripe-Should-Retry")),
        **facts,
    )


def _error_class(status: int, error_type: str | None, code: str | None) -> type[APIStatusError]:
    if code == "rate_limit" and status == 400:
        return RateLimitError
    is_key_trouble = error_type == "idempotency_error" or code == "idempotency_key_in_use"
    if is_key_trouble and status in _IDEMPOTENCY_STATUSES:
        return IdempotencyError
    return _BY_STATUS.get(status, ServerError if status >= 500 else InvalidRequestError)


def _is_retryable(cls: type[APIStatusError], status: int, advice: str | None) -> bool:
    # Stripe's word counts only in its exact spelling, as in the official SDKs.
    if advice in ("true", "false"):
        return advice == "true"
    if issubclass(cls, IdempotencyError):
        return False
    return issubclass(cls, RateLimitError) or status in RETRYABLE_STATUSES


def _error_fields(body: bytes) -> Mapping[str, Any]:
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError:
        return {}
    error = parsed.get("error") if isinstance(parsed, dict) else None
    return error if isinstance(error, dict) else {}


def _shown_headers(headers: Mapping[str, str]) -> Mapping[str, str]:
    """Return *headers* as they may be logged and pickled; Retry-After is read, so it stays."""
    shown = CIMultiDict[str]()
    for name, value in headers.items():
        word = name.lower()
        if word == "set-cookie":
            continue  # the session of a proxy in between
        shown.add(name, value if word == "retry-after" and value.isdigit() else printable(value))
    return shown


def _header(answer: Answer, name: str) -> str | None:
    value = answer.headers.get(name)
    return None if value is None else printable(value)


def _text(fields: Mapping[str, Any], name: str) -> str | None:
    value = fields.get(name)
    return printable(value) if isinstance(value, str) else None


def _message(status: int, fields: Mapping[str, Any]) -> str:
    return _text(fields, "message") or f"Stripe answered {status} without saying why"


def request_id(headers: Mapping[str, str]) -> str | None:
    """Return Stripe's ``req_...`` id as text that is safe to log; None where there is none."""
    value = headers.get("Request-Id")
    return None if value is None else printable(value, 255)


def is_replay(headers: Mapping[str, str]) -> bool:
    """Return whether the answer is a stored one, repeated for its idempotency key."""
    return headers.get("Idempotent-Replayed") == "true"


def text_of(body: bytes) -> str:
    """Return the start of *body* as text that is safe to log."""
    return printable(body[: 4 * CUT].decode(errors="backslashreplace"))


def retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a ``Retry-After`` header asks for.

    A date counts from the answer's own ``Date``. None when there is no header, or one that cannot
    be read, such as a negative wait (RFC 9110, section 10.2.3).
    """
    value = headers.get("Retry-After")
    if value is None:
        return None
    try:
        wait = float(value) if not value[-1:].isalpha() else _seconds_until(value, headers)
    except (KeyError, ValueError, TypeError, OverflowError):
        return None
    return wait if wait >= 0 else None  # also drops NaN


def _seconds_until(date: str, headers: Mapping[str, str]) -> float:
    sent = parsedate_to_datetime(headers["Date"])
    return (parsedate_to_datetime(date) - sent).total_seconds()
