"""From a call to the bytes of its request: pure, and done once per call, not once per attempt."""

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from fcasync._facts.random_keys import new_key
from fcasync._facts.redact import Hidden, Secret
from fcasync._rules import checks, form
from fcasync._rules.retry_policy import RetryPolicy
from fcasync._version import __version__
from fcasync.hooks import Call

T = TypeVar("T")

API_BASE = "https://api.stripe.com"
API_VERSION = "2026-10-28.endive"
"""The version of Stripe's API that the models were written for."""


@attrs.frozen(kw_only=True)
class Operation(Generic[T]):
    """One of Stripe's operations."""

    name: str
    method: str
    route: str
    """The path with a placeholder for the id, if it has one."""
    decode: Callable[[object], T]
    """Structures the parsed answer; raises ProtocolError."""
    prefix: str = attrs.field(init=False)
    """The path up to the id."""
    suffix: str = attrs.field(init=False)
    """The path behind the id."""
    id_name: str = attrs.field(init=False)
    """What the id is called in messages; empty for a path without one."""

    @prefix.default
    def _prefix(self) -> str:
        return self.route.partition("{")[0]

    @suffix.default
    def _suffix(self) -> str:
        return self.route.partition("}")[2]

    @id_name.default
    def _id_name(self) -> str:
        return self.route.partition("{")[2].partition("}")[0]

    def path(self, object_id: str | None) -> str:
        """Return the path for *object_id*, which was checked."""
        return f"{self.prefix}{object_id}{self.suffix}" if self.id_name else self.prefix


@attrs.frozen(kw_only=True)
class Options:
    """What holds for every call of one client view; already checked."""

    api_key: Secret
    base_url: str
    timeout: float
    deadline: float
    retry: RetryPolicy
    stripe_account: str | None = None
    stripe_context: str | None = None
    stripe_version: str = API_VERSION
    content_type: str = "application/x-www-form-urlencoded"
    """Of the body of a POST."""
    extra_headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    get_headers: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)
    """Every header of a GET but those of the connection."""
    post_headers: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)
    """The same of a POST, without its idempotency key."""
    get_head: Hidden = attrs.field(init=False, repr=False, eq=False)
    """What follows the target of a GET on the wire, to the end of the head."""
    post_head: Hidden = attrs.field(init=False, repr=False, eq=False)
    """The same of a POST, up to the value of its ``Idempotency-Key``."""

    @get_headers.default
    def _get_headers(self) -> Mapping[str, str]:
        common = {
            "Accept": "application/json",
            "Accept-Encoding": "gzip, deflate",
            "User-Agent": f"fcasync/{__version__}",
            **{name: Hidden(value) for name, value in self.extra_headers.items()},
            "Authorization": Hidden(f"Bearer {self.api_key.reveal()}"),
            "Stripe-Version": self.stripe_version,
        }
        if self.stripe_account is not None:
            common["Stripe-Account"] = self.stripe_account
        if self.stripe_context is not None:
            common["Stripe-Context"] = self.stripe_context
        return common

    @post_headers.default
    def _post_headers(self) -> Mapping[str, str]:
        return {**self.get_headers, "Content-Type": self.content_type}

    @get_head.default
    def _get_head(self) -> Hidden:
        return Hidden(f"{self._head(self.get_headers)}\r\n")

    @post_head.default
    def _post_head(self) -> Hidden:
        return Hidden(f"{self._head(self.post_headers)}Idempotency-Key: ")

    def _head(self, headers: Mapping[str, str]) -> Hidden:
        host = self.base_url.split("/", 3)[2]
        lines = "".join(f"{name}: {value!s}\r\n" for name, value in headers.items())
        return Hidden(f" HTTP/1.1\r\nHost: {host}\r\n{lines}")

    @property
    def acting_for(self) -> str | None:
        """The account whose rate limit counts; None for the key's own."""
        return self.stripe_context or self.stripe_account


@attrs.define
class Request(Generic[T]):
    """One call, ready to be sent any number of times."""

    operation: Operation[T]
    options: Options = attrs.field(repr=False)
    path: str
    """Below the base URL."""
    query: str
    body: bytes | None
    idempotency_key: str | None = None
    object_id: str | None = None
    """The id in the path: an answer about another object is not the answer to this request."""
    _call: Call | None = attrs.field(default=None, init=False, repr=False, eq=False)

    @property
    def method(self) -> str:
        """``GET`` or ``POST``."""
        return self.operation.method

    @property
    def target(self) -> str:
        """The path and the query, encoded."""
        return f"{self.path}?{self.query}" if self.query else self.path

    @property
    def url(self) -> str:
        """The whole URL, encoded."""
        return self.options.base_url + self.target

    @property
    def headers(self) -> Mapping[str, str]:
        """Every header but those of the connection."""
        if self.idempotency_key is None:
            return self.options.get_headers
        return {**self.options.post_headers, "Idempotency-Key": self.idempotency_key}

    def with_headers(self, added: Mapping[str, str]) -> "Request[T]":
        """Return the same request with more headers, which were checked."""
        headers = {**self.options.extra_headers, **added}
        copy = attrs.evolve(self, options=attrs.evolve(self.options, extra_headers=headers))
        copy._call = self._call
        return copy

    @property
    def has_effect(self) -> bool:
        """Whether carrying it out may change something at Stripe."""
        return self.body is not None

    @property
    def call(self) -> Call:
        """What hooks and messages say of it; the same object each time, made when first asked."""
        if self._call is None:
            self._call = Call(
                operation=self.operation.name,
                method=self.operation.method,
                route=self.operation.route,
                idempotency_key=self.idempotency_key,
                stripe_account=self.options.stripe_account,
                base_url=self.options.base_url,
            )
        return self._call


def build(
    operation: Operation[T],
    options: Options,
    *,
    object_id: object = None,
    params: Mapping[str, Any] | None = None,
    idempotency_key: str | None = None,
) -> Request[T]:
    """Return the request of one call; a POST gets an idempotency key if it has none.

    Raises:
        InvalidArgumentError: The id, the key or a parameter is not what Stripe could accept.
    """
    checked_id = checks.object_id(object_id, operation.id_name) if operation.id_name else None
    path = operation.path(checked_id)
    if params:
        checks.expand(params.get("expand"))
    encoded = form.encode(params) if params else ""
    if operation.method == "GET":
        return Request(operation, options, path, encoded, None, None, checked_id)
    if idempotency_key is None:
        idempotency_key = new_key()
    else:
        idempotency_key = checks.idempotency_key(idempotency_key)
    return Request(operation, options, path, "", encoded.encode(), idempotency_key, checked_id)


class Template(Generic[T]):
    """Requests that differ in the id and the key alone: what they share is checked and made once.

    Raises:
        InvalidArgumentError: A parameter is not what Stripe could accept.
    """

    __slots__ = ("_body", "_operation", "_options")

    def __init__(
        self, operation: Operation[T], options: Options, params: Mapping[str, Any] | None
    ) -> None:
        self._operation = operation
        self._options = options
        self._body = form.encode(params).encode() if params else b""

    def build(self, object_id: str, idempotency_key: str) -> Request[T]:
        """Return the request for *object_id*; it and the key were checked."""
        path = self._operation.path(object_id)
        return Request(
            self._operation, self._options, path, "", self._body, idempotency_key, object_id
        )


def _keep() -> None:
    """Do nothing: there is no connection behind this answer."""


@attrs.define  # not frozen, which would triple what making one costs
class Answer:
    """What came back over the wire: a whole answer, its body decompressed."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes = attrs.field(repr=False)
    discard: Callable[[], None] = attrs.field(default=_keep, repr=False, eq=False)
    """Closes the connection that it came over, so that nothing else is read from it."""


@attrs.frozen(kw_only=True)
class Response(Generic[T]):
    """A result together with what the answer said about itself."""

    value: T
    status: int
    headers: Mapping[str, str] = attrs.field(repr=False)
    """Looked up without regard to case."""
    request_id: str | None
    """Stripe's ``req_...`` id."""
    idempotency_key: str | None
    """The key that was sent; None for a GET."""
    idempotent_replayed: bool
    """Whether Stripe repeated the stored answer of an earlier request with the same key."""
    attempts: int
    """Requests sent, 1 if the first one was answered."""
    elapsed: float
    """Seconds, waits included."""
