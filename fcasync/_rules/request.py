"""From a call to the bytes of its request: pure, and done once per call, not once per attempt."""

import os
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

import attrs

from fcasync._facts.redact import Hidden, Secret
from fcasync._rules import checks, form
from fcasync._rules.retry import RetryPolicy
from fcasync._version import __version__
from fcasync.errors import InvalidArgumentError
from fcasync.hooks import Call

T = TypeVar("T")

API_BASE = "https://api.stripe.com"
API_VERSION = "2026-09-30.endive"
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
    suffix: str = attrs.field(init=False)
    id_name: str = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        prefix, _, rest = self.route.partition("{")
        id_name, _, suffix = rest.partition("}")
        for name, value in (("prefix", prefix), ("suffix", suffix), ("id_name", id_name)):
            object.__setattr__(self, name, value)

    def path(self, object_id: object = None) -> str:
        """Return the path for *object_id*, which is checked."""
        if not self.id_name:
            return self.prefix
        return f"{self.prefix}{checks.object_id(object_id, self.id_name)}{self.suffix}"


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
    extra_headers: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    get_headers: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)
    post_headers: Mapping[str, str] = attrs.field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
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
        post = common | {"Content-Type": "application/x-www-form-urlencoded"}
        object.__setattr__(self, "get_headers", common)
        object.__setattr__(self, "post_headers", post)

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
    headers: Mapping[str, str] = attrs.field(repr=False)
    body: bytes | None
    idempotency_key: str | None = None
    _call: Call | None = attrs.field(default=None, init=False, repr=False, eq=False)

    @property
    def url(self) -> str:
        """The whole URL, encoded."""
        url = self.options.base_url + self.path
        return f"{url}?{self.query}" if self.query else url

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
    path = operation.path(object_id)
    if params and type(params.get("expand")) is str:
        raise InvalidArgumentError("expand must be a list such as ['ownership'], not a string")
    encoded = form.encode(params) if params else ""
    if operation.method == "GET":
        return Request(operation, options, path, encoded, options.get_headers, None)
    if idempotency_key is None:
        idempotency_key = new_key()
    else:
        idempotency_key = checks.idempotency_key(idempotency_key)
    headers = {**options.post_headers, "Idempotency-Key": idempotency_key}
    return Request(operation, options, path, "", headers, encoded.encode(), idempotency_key)


def new_key() -> str:
    """Return a random UUID of version 4, at a third of the cost of ``str(uuid.uuid4())``."""
    digits = os.urandom(16).hex()
    return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"


@attrs.define  # not frozen, which would triple what making one costs
class Answer:
    """What came back over the wire: a whole answer, its body decompressed."""

    status: int
    headers: Mapping[str, str]
    """Looked up without regard to case."""
    body: bytes = attrs.field(repr=False)


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
