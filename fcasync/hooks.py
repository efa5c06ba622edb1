"""Events emitted during a call: frozen, in the order in which things happen.

A hook is any callable that takes one event. It runs in the task of the call and must not block;
an exception that it raises is logged and never reaches the call. ``CallStarted`` and
``CallFinished`` are emitted once per call, ``AttemptFinished`` once per request sent.
"""

from typing import Protocol

import attrs


@attrs.frozen(kw_only=True, eq=False)
class Call:
    """The call that an event belongs to; one object per call, usable as a dictionary key."""

    operation: str
    """The name of the operation, such as ``refresh``."""
    method: str
    route: str
    """The path with placeholders, so that it takes few values: ``/v1/.../accounts/{account}``."""
    idempotency_key: str | None = None
    stripe_account: str | None = None
    base_url: str | None = None
    """The API's base URL, such as ``https://api.stripe.com``; it never contains credentials."""


@attrs.frozen(kw_only=True)
class CallStarted:
    """A call passed its checks and is about to be sent."""

    call: Call


@attrs.frozen(kw_only=True)
class LimiterWaiting:
    """An attempt waits for its turn under the rate limit."""

    call: Call
    wait: float
    """Seconds."""


@attrs.frozen(kw_only=True)
class AttemptFinished:
    """One request finished, with or without an answer."""

    call: Call
    attempt: int
    """The number of the attempt; 1 for the first."""
    elapsed: float
    """Seconds from sending to the last byte, or to the failure."""
    status: int | None = None
    """The HTTP status; None if no complete response arrived."""
    request_id: str | None = None
    error: BaseException | None = None
    """None if the response was a success; a CancelledError if the call was cancelled meanwhile."""


@attrs.frozen(kw_only=True)
class RetryScheduled:
    """An attempt failed, and another one will follow."""

    call: Call
    attempt: int
    """The number of the attempt that failed."""
    wait: float
    """Seconds until the next attempt."""
    error: BaseException


@attrs.frozen(kw_only=True)
class CallFinished:
    """A call is over, with a result, an error or its cancellation."""

    call: Call
    attempts: int
    elapsed: float
    """Seconds, waits included."""
    status: int | None = None
    request_id: str | None = None
    idempotent_replayed: bool = False
    error: BaseException | None = None
    """None if the call returned a value; a CancelledError if it was cancelled."""


HookEvent = CallStarted | LimiterWaiting | AttemptFinished | RetryScheduled | CallFinished


class Hook(Protocol):
    """Anything that can be called with an event."""

    def __call__(self, event: HookEvent, /) -> None:
        """Handle *event* without blocking."""
