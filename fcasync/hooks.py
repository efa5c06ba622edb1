"""What a call tells to whoever listens: frozen events, in the order in which things happen.

A hook is any callable that takes one event. It runs in the task of the call and must not block;
an exception that it raises is logged and never reaches the call. ``CallStarted`` and
``CallFinished`` come once per call, ``AttemptFinished`` once per request sent.
"""

from typing import Protocol

import attrs


@attrs.frozen(kw_only=True, eq=False)
class Call:
    """The call that an event belongs to; one object per call, so it can be a dictionary key."""

    operation: str
    """fcasync's name for it, such as ``refresh``."""
    method: str
    route: str
    """The path with placeholders, so that its values are few: ``/v1/.../accounts/{account}``."""
    idempotency_key: str | None = None
    stripe_account: str | None = None
    base_url: str | None = None
    """Where it goes, such as ``https://api.stripe.com``; it never holds user info."""


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
    """One request was answered, or was not."""

    call: Call
    attempt: int
    """1 for the first."""
    elapsed: float
    """Seconds from sending to the last byte, or to the failure."""
    status: int | None = None
    """The HTTP status; None when no whole answer arrived."""
    request_id: str | None = None
    error: BaseException | None = None
    """None when its answer was good; a CancelledError when the call was cancelled meanwhile."""


@attrs.frozen(kw_only=True)
class RetryScheduled:
    """An attempt failed, and another one will follow."""

    call: Call
    attempt: int
    """The attempt that failed."""
    wait: float
    """Seconds until the next one."""
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
    """None when the call returned a value; a CancelledError when it was cancelled."""


HookEvent = CallStarted | LimiterWaiting | AttemptFinished | RetryScheduled | CallFinished


class Hook(Protocol):
    """Anything that can be called with an event."""

    def __call__(self, event: HookEvent, /) -> None:
        """Take note of *event*; do not block."""
