"""Everything that fcasync raises, but for `mirror.MirrorError` and `cluster.ClusterError`.

::

    FCError                                 .may_have_executed, .idempotency_key, .attempts
    ├── InvalidArgumentError (ValueError)   refused before any I/O
    ├── APIConnectionError                  no whole answer
    │   ├── APITimeoutError                 one attempt took longer than `timeout`
    │   └── DeadlineExceededError           the whole call took longer than `deadline`; .account
    ├── APIStatusError                      Stripe answered with an error
    │   ├── InvalidRequestError             400, 402 and every other 4xx; .available_at
    │   │   ├── NotFoundError               404
    │   │   └── UnknownCursorError          `after` names no refresh of the account
    │   ├── AuthenticationError             401
    │   ├── PermissionDeniedError           403
    │   ├── IdempotencyError                the key is in use, or was used with other parameters
    │   ├── ConflictError                   409
    │   ├── RateLimitError                  429; .reason
    │   └── ServerError                     5xx
    ├── ProtocolError                       an answer that is not what the API promises
    ├── PaginationError                     a cursor that leads nowhere; .cursor
    ├── SignatureVerificationError          a webhook that Stripe did not sign
    ├── WebhookPayloadError                 a signed webhook that is not an event
    ├── EventInProgress                     a webhook that is still being handled
    └── JournalError                        a bulk journal that cannot be used; .path

Every error compares by identity, survives pickling with all its attributes, and holds no API key.
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from fcasync._facts.redact import describe as describe  # noqa: PLC0414 - for the whole package

__all__ = [
    "APIConnectionError",
    "APIStatusError",
    "APITimeoutError",
    "AuthenticationError",
    "ConflictError",
    "DeadlineExceededError",
    "EventInProgress",
    "FCError",
    "IdempotencyError",
    "InvalidArgumentError",
    "InvalidRequestError",
    "JournalError",
    "NotFoundError",
    "PaginationError",
    "PermissionDeniedError",
    "ProtocolError",
    "RateLimitError",
    "ServerError",
    "SignatureVerificationError",
    "UnknownCursorError",
    "WebhookPayloadError",
]


class FCError(Exception):
    """The root of everything that fcasync raises.

    Attributes:
        idempotency_key: The key of the POST that failed, so that it can be repeated safely;
            None when no POST was sent.
        attempts: Requests sent for the call; 0 when it failed before any I/O.
        cursor: In a list walk, the ``starting_after`` or ``ending_before`` that resumes it.
        may_have_executed: Whether Stripe may have carried out the POST all the same: no whole
            answer to one of its attempts arrived, or it was a 5xx, or the key is in use. Repeat it
            with :attr:`idempotency_key` to find out without doing it twice. False for a GET.
        not_retried: Why a failure that can pass was not retried, such as an empty retry quota;
            None where that does not apply. It is part of the message.
    """

    idempotency_key: str | None = None
    attempts: int = 0
    cursor: str | None = None
    may_have_executed: bool = False
    not_retried: str | None = None
    retryable: bool = False
    """Whether the same request may succeed later; Stripe's answer may say otherwise."""

    def __str__(self) -> str:
        message = super().__str__()
        return message if self.not_retried is None else f"{message}; {self.not_retried}"

    def __reduce__(self) -> tuple[Any, ...]:
        # Attributes are not constructor arguments here, so the default would lose or misplace them.
        return _restore, (type(self), self.args, self.__dict__)


def _restore(cls: type[FCError], args: tuple[Any, ...], state: Mapping[str, Any]) -> FCError:
    error = cls.__new__(cls, *args)
    error.__dict__.update(state)
    return error


class InvalidArgumentError(FCError, ValueError):
    """An argument that can never be valid; nothing was sent."""


class APIConnectionError(FCError):
    """No whole answer arrived: refused, reset, timed out or cut short."""

    retryable: bool = True
    is_stale: bool = False
    """Whether an idle connection turned out to be closed, so that a new one is tried at once."""

    def __init__(
        self, message: str, *, may_have_executed: bool = False, retryable: bool | None = None
    ) -> None:
        super().__init__(message)
        self.may_have_executed = may_have_executed
        if retryable is not None:
            self.retryable = retryable


class APITimeoutError(APIConnectionError):
    """One attempt took longer than the client's ``timeout``, its body included."""


class DeadlineExceededError(APIConnectionError):
    """The whole call, its waits included, took longer than the client's ``deadline``.

    Attributes:
        account: From ``refresh_and_wait``, the account as it was last seen; None otherwise.
    """

    retryable: bool = False

    def __init__(
        self, message: str, *, may_have_executed: bool = False, account: Any = None
    ) -> None:
        super().__init__(message, may_have_executed=may_have_executed)
        self.account = account


class APIStatusError(FCError):
    """Stripe answered with an error.

    Attributes:
        status: The HTTP status.
        type: Stripe's error type, such as ``invalid_request_error``; None if the body had none.
        code: Stripe's error code, such as ``resource_missing``.
        param: The parameter at fault, in form notation (``account_holder[customer]``).
        message: What Stripe said, cut at 500 characters.
        doc_url: The page that explains the code.
        request_id: Stripe's ``req_...`` id; quote it to support.
        idempotent_replayed: Whether Stripe repeated the stored answer of an earlier request.
        body: The answer as text, cut at 500 characters.
        headers: The answer's headers, looked up without regard to case.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int,
        type: str | None = None,
        code: str | None = None,
        param: str | None = None,
        doc_url: str | None = None,
        request_id: str | None = None,
        idempotent_replayed: bool = False,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        retryable: bool | None = None,
    ) -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.type = type
        self.code = code
        self.param = param
        self.doc_url = doc_url
        self.request_id = request_id
        self.idempotent_replayed = idempotent_replayed
        self.body = body
        self.headers: Mapping[str, str] = {} if headers is None else headers
        if retryable is not None:
            self.retryable = retryable

    def __str__(self) -> str:
        facts = [str(self.status), self.code or self.type, self.request_id]
        return f"{super().__str__()} ({', '.join(fact for fact in facts if fact)})"


class InvalidRequestError(APIStatusError):
    """Stripe cannot act on the request as it is; sending it again will not help.

    Attributes:
        available_at: When the account can be refreshed again, if ``accounts.refresh(account)`` was
            given an `Account` that says so; None otherwise. Stripe's answer does not say.
    """

    available_at: datetime | None = None


class NotFoundError(InvalidRequestError):
    """No such object for this API key (404)."""


class UnknownCursorError(InvalidRequestError):
    """Stripe does not know ``transactions.sync(after=...)``; begin again with ``after=None``."""


class AuthenticationError(APIStatusError):
    """The API key is missing, wrong or expired (401)."""


class PermissionDeniedError(APIStatusError):
    """The API key may not do this (403)."""


class IdempotencyError(APIStatusError):
    """The idempotency key is still in use, or was used with other parameters."""


class ConflictError(APIStatusError):
    """Another request changed the same object at the same time (409)."""

    retryable: bool = True


class RateLimitError(APIStatusError):
    """Too many requests (429); waiting is the cure.

    Attributes:
        reason: Which limit was met, from ``Stripe-Rate-Limited-Reason`` (``global-rate``,
            ``endpoint-rate``, ``global-concurrency``, ``endpoint-concurrency``,
            ``resource-specific``); None if Stripe did not say.
        retry_after: Seconds until a slot is free, when fcasync's own limiter refused the call
            because its deadline comes first; None otherwise.
    """

    retryable: bool = True

    def __init__(
        self,
        message: str,
        *,
        status: int,
        reason: str | None = None,
        retry_after: float | None = None,
        **facts: Any,
    ) -> None:
        super().__init__(message, status=status, **facts)
        self.reason = reason
        self.retry_after = retry_after

    @property
    def is_about_one_object(self) -> bool:
        """Whether one object is busy, which says nothing about the rate of requests."""
        return self.reason == "resource-specific" or self.code == "lock_timeout"


class ServerError(APIStatusError):
    """Something went wrong on Stripe's side (5xx)."""

    retryable: bool = True


class ProtocolError(FCError):
    """An answer that is not what the API promises.

    Attributes:
        status: The HTTP status, or None where there is none.
        body: The answer as text, cut at 500 characters.
        request_id: Stripe's ``req_...`` id, if the answer had one.
    """

    def __init__(
        self,
        message: str,
        *,
        status: int | None = None,
        body: str = "",
        request_id: str | None = None,
        may_have_executed: bool = False,
    ) -> None:
        super().__init__(message)
        self.status = status
        self.body = body
        self.request_id = request_id
        self.may_have_executed = may_have_executed


class PaginationError(FCError):
    """A list page that leads nowhere: its cursor stands still, or it is empty and promises more.

    :attr:`cursor` is the last id seen; a new walk that starts there misses nothing.
    """

    def __init__(self, message: str, *, cursor: str | None = None) -> None:
        super().__init__(message)
        self.cursor = cursor


class SignatureVerificationError(FCError):
    """A webhook whose ``Stripe-Signature`` header does not prove that Stripe sent it now."""


class WebhookPayloadError(FCError):
    """A correctly signed webhook whose payload is not an event."""


class EventInProgress(FCError):
    """A repeat of a webhook whose first delivery is still being handled.

    Respond with status 409: nobody knows yet whether that handling succeeds, and if it does not,
    Stripe must deliver the event again.
    """

    retryable: bool = True


class JournalError(FCError):
    """A bulk journal that is damaged, in use, or belongs to another job; it was not changed.

    Attributes:
        path: The journal file.
    """

    def __init__(self, message: str, *, path: str) -> None:
        super().__init__(message)
        self.path = path
