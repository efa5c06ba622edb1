"""Errors as events of the plan, and as text in the journal."""

from typing import Any

import orjson

from fcasync import errors
from fcasync.bulk._task import Broken, Denied, Event, Limited, Lost, Refused, Unseen
from fcasync.errors import (
    APIStatusError,
    AuthenticationError,
    FCError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)

_FACTS = ("type", "code", "param", "doc_url", "request_id")


def after_sending(error: FCError) -> Event:
    """Return what *error* means for the task whose request it ended."""
    match error:
        case RateLimitError():
            return Limited(error.reason)
        case AuthenticationError() | PermissionDeniedError():
            return Denied(error)
        case ServerError():
            return Broken(error, error.idempotent_replayed)
        case APIStatusError() if error.status != 409 and not error.retryable:
            return Refused(error)
    return Lost(error)


def after_looking(error: FCError) -> Event:
    """Return what *error* means for the task whose account was to be fetched."""
    match error:
        case AuthenticationError() | PermissionDeniedError():
            return Denied(error)
        case APIStatusError() if not isinstance(error, RateLimitError) and not error.retryable:
            return Refused(error)
    return Unseen(error)


def dump(error: FCError | None) -> str | None:
    """Return *error* as JSON, without the body of the answer; None for None."""
    if error is None:
        return None
    facts: dict[str, Any] = {"class": type(error).__name__, "message": str(error)}
    if isinstance(error, APIStatusError):
        facts |= {"message": error.message, "status": error.status}
        facts |= {name: value for name in _FACTS if (value := getattr(error, name)) is not None}
    return orjson.dumps(facts).decode()


def load(text: str | None) -> FCError | None:
    """Return an error like the one that was dumped; None for None.

    Raises:
        ValueError: *text* was not dumped by this module.
    """
    if text is None:
        return None
    facts = orjson.loads(text)
    name = facts.pop("class") if isinstance(facts, dict) and "class" in facts else None
    cls = getattr(errors, name, None) if name in errors.__all__ else None
    if cls is None:
        raise ValueError(f"no error of fcasync: {text[:80]}")
    error = cls(facts.pop("message"), **facts)
    assert isinstance(error, FCError)  # noqa: S101 - everything in errors.__all__ is one
    return error
