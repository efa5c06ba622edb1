"""Hooks: functions that get the events of every call, and may add headers to every request.

A hook is any callable that takes one event. It runs in the task of the call, is synchronous and
must not block; an exception that it raises is logged and never reaches the call. Events are frozen
and come in the order in which things happen. A hook may also have any of these methods:

======================  ===========================================================================
``__call__``            ``CallStarted`` and ``CallFinished`` once per call, ``AttemptFinished`` once
                        per request sent, ``LimiterWaiting`` and ``RetryScheduled`` as often as it
                        happens. The requests of a bulk job have no call of their own.
``before_attempt``      Once per request, just before it is sent (:class:`ActingHook`). It may add
                        headers.
``run_started``,        Once per bulk job and once per sync of a mirror (:class:`RunHook`).
``run_finished``
======================  ===========================================================================

Hooks are called in the order in which the client was given them, and in the opposite order at the
end of a request, a call or a run, so that what one of them opens is closed inside out.
"""

from collections.abc import Callable, MutableMapping
from typing import Literal, Protocol

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
    """One request finished, with or without an answer, or was refused before it was sent."""

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


@attrs.frozen(kw_only=True, eq=False)
class OutgoingRequest:
    """A request that is about to be sent. It takes headers; all else is decided."""

    call: Call
    attempt: int
    """The number of the attempt; 1 for the first."""
    headers: MutableMapping[str, str]
    """The headers that hooks have added so far. Setting one adds it to this request alone, also in
    place of the client's ``extra_headers``; names are looked up without regard to case, and reprs
    never show the values. A header that fcasync or HTTP itself writes (``Authorization``,
    ``Idempotency-Key``, ``User-Agent``, ...), and what is not legal in a header, raises
    InvalidArgumentError."""
    is_traced: bool = False
    """Whether the HTTP library records a span for this request: an aiohttp session that
    OpenTelemetry has instrumented."""


class ActingHook(Hook, Protocol):
    """A hook that adds headers, such as a trace context or a gateway's token."""

    def before_attempt(self, request: OutgoingRequest, /) -> None:
        """Add headers to one request; called once per attempt, just before it is sent.

        It runs in the task of the call, while the request's timeout runs, and must not block.

        Raises:
            InvalidArgumentError: A header is refused. It ends the call before the request is sent.
                Any other exception is logged, and the request is sent without the headers that
                this hook has added.
        """


@attrs.frozen(kw_only=True)
class Figures:
    """How far a run has come."""

    done: int
    """Accounts with an outcome, in a bulk job those of earlier runs included."""
    failed: int
    """How many of those have failed."""
    waiting: int
    """Accounts that were read from the source and have no outcome yet."""
    settling: int
    """How many of those wait for their banks."""
    in_flight: int
    """Requests of a bulk job in flight; accounts that a sync is at work on."""
    requests: int
    """Requests that change accounts, sent by this run."""
    reads: int
    """GETs that this run has sent."""
    limit: float | None
    """The rate limit as learnt, in requests a second; None before the first 429."""


@attrs.frozen(kw_only=True, eq=False)
class Run:
    """A bulk job or a sync of a mirror; one object per run, usable as a dictionary key."""

    kind: Literal["bulk", "mirror"]
    operation: str
    """What is done to each account: ``refresh``, ``subscribe``, ..., or ``sync`` of a mirror."""
    figures: Callable[[], Figures]
    """Returns how far the run has come; may be called at any time, from any thread."""


class RunHook(Hook, Protocol):
    """A hook that is called when a run begins and when it ends.

    Both methods are called in a context of the run's own, which all its tasks inherit.
    """

    def run_started(self, run: Run, /) -> None:
        """Take note that the block of a run was entered; called once per run."""

    def run_finished(self, run: Run, error: BaseException | None, /) -> None:
        """Take note that a run is over; called once per run that has started.

        Args:
            run: The run.
            error: What ended it early: a failure of its own, or what its block has raised.
        """
