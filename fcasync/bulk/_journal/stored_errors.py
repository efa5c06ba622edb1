"""Errors as text in the journal."""

from typing import Any

import orjson

from fcasync import errors
from fcasync.errors import APIStatusError, FCError

_FACTS = ("type", "code", "param", "doc_url", "request_id")


def dump(error: FCError | None) -> str | None:
    """Return *error* as JSON, without the body of the response; None for None."""
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
        raise ValueError(f"not an error of fcasync: {text[:80]}")
    error = cls(facts.pop("message"), **facts)
    assert isinstance(error, FCError)  # noqa: S101 - everything in errors.__all__ is one
    return error
