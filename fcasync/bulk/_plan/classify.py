"""Errors of calls as events of the plan."""

from fcasync.bulk._plan.events import Broken, Denied, Event, Limited, Lost, Refused, Unseen
from fcasync.errors import (
    APIStatusError,
    AuthenticationError,
    FCError,
    PermissionDeniedError,
    RateLimitError,
    ServerError,
)


def after_sending(error: FCError) -> Event:
    """Return what *error* means for the task whose request failed with it."""
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
    """Return what *error* means for the task whose account could not be fetched."""
    match error:
        case AuthenticationError() | PermissionDeniedError():
            return Denied(error)
        case APIStatusError() if not isinstance(error, RateLimitError) and not error.retryable:
            return Refused(error)
    return Unseen(error)
