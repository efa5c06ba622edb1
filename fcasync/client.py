"""The client: it checks its arguments and offers the resources."""

import os
import ssl as _ssl
from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any, NoReturn, Self

import attrs

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._facts.frames import forgets_frames
from fcasync._rules import checks, urls
from fcasync._rules.acting import checked_hooks
from fcasync._rules.limiter import Limiter
from fcasync._rules.limits import Limits
from fcasync._rules.request import API_BASE, API_VERSION, Options
from fcasync._rules.retry_policy import RetryPolicy
from fcasync._wire.engine import Engine
from fcasync._wire.protocol import Transport
from fcasync._wire.transport import AiohttpTransport, ClientSession
from fcasync.errors import InvalidArgumentError
from fcasync.hooks import Hook
from fcasync.resources.accounts import Accounts
from fcasync.resources.any_request import AnyRequest
from fcasync.resources.events import Events
from fcasync.resources.sessions import Sessions
from fcasync.resources.transactions import Transactions

if TYPE_CHECKING:
    from fcasync.bulk import Bulk


class Client(AnyRequest):
    """A client of Stripe Financial Connections.

    A client may be built outside a loop, shared by any number of tasks, loops and threads, and used
    again after a fork. The first call in a loop opens a pool of connections for that loop; it is
    closed by :meth:`aclose`, by ``async with``, or by ``asyncio.run`` when the loop ends.

    Args:
        api_key: ``sk_...`` or ``rk_...``; None reads the environment variable ``STRIPE_API_KEY``.
        base_url: The URL of the API; None reads the environment variable ``STRIPE_API_BASE`` and
            defaults to ``https://api.stripe.com``. Never take it from untrusted input: the key is
            sent there.
        stripe_account: The connected account to act for (``acct_...``).
        stripe_context: The value of the ``Stripe-Context`` header.
        stripe_version: The version of Stripe's API; the models are written for the default.
        timeout: Seconds that one attempt may take, its body included.
        deadline: Seconds that a whole call may take, its waits and retries included.
        retry: When to retry; ``RetryPolicy(attempts=1)`` never does.
        limits: An upper bound for the rate of requests; None learns the limit from 429s alone.
        max_connections: The most open connections per loop.
        session: An aiohttp session to use instead of the client's own; the client never closes it.
        proxy: The URL of an HTTP proxy; proxies of the environment are ignored.
        ssl: Your own TLS context, for TLS 1.2 or later; certificate checks cannot be turned off.
        hooks: Get the events of every call, and may add headers to it (:mod:`fcasync.hooks`).
        max_response_bytes: The size of the largest accepted body, after decompression.
        extra_headers: Headers to send with every request; they cannot override fcasync's own.
        clock: The source of time, sleep and randomness; tests pass a
            ``fcasync.testing.FakeClock``.
        transport: What sends the requests, in place of aiohttp (:class:`fcasync.Transport`).

    Raises:
        InvalidArgumentError: An argument is invalid or unsafe.
    """

    @forgets_frames
    def __init__(
        self,
        api_key: str | None = None,
        *,
        base_url: str | None = None,
        stripe_account: str | None = None,
        stripe_context: str | None = None,
        stripe_version: str = API_VERSION,
        timeout: float = 30.0,
        deadline: float = 90.0,
        retry: RetryPolicy | None = None,
        limits: Limits | None = None,
        max_connections: int = 100,
        session: ClientSession | None = None,
        proxy: str | None = None,
        ssl: _ssl.SSLContext | None = None,
        hooks: Iterable[Hook] = (),
        max_response_bytes: int = 8 * 1024 * 1024,
        extra_headers: Mapping[str, str] | None = None,
        clock: Clock = SYSTEM_CLOCK,
        transport: Transport | None = None,
    ) -> None:
        key = checks.api_key(os.environ.get("STRIPE_API_KEY") if api_key is None else api_key)
        if base_url is None:
            base_url = os.environ.get("STRIPE_API_BASE") or API_BASE
        checks.tls_context(ssl, key)
        self._options = Options(
            api_key=key,
            base_url=urls.base_url(base_url, key),
            timeout=checks.seconds(timeout, "timeout"),
            deadline=checks.seconds(deadline, "deadline"),
            retry=RetryPolicy() if retry is None else _policy(retry),
            extra_headers=checks.extra_headers({} if extra_headers is None else extra_headers),
            **_checked_headers(stripe_account, stripe_context, stripe_version),
        )
        limits = Limits() if limits is None else checks.instance(limits, Limits, "limits")
        self._engine = Engine(
            transport
            or AiohttpTransport(
                max_connections=checks.count(max_connections, "max_connections"),
                max_response_bytes=checks.count(max_response_bytes, "max_response_bytes"),
                proxy=urls.proxy(proxy),
                ssl=ssl,
                session=None if session is None else _session(session),
            ),
            clock=clock,
            limiter=Limiter(limits),
            hooks=checked_hooks(hooks),
        )

    @cached_property
    def accounts(self) -> Accounts:
        """Linked bank accounts."""
        return Accounts(self._engine, self._options)

    @cached_property
    def sessions(self) -> Sessions:
        """The sessions in which users link their accounts."""
        return Sessions(self._engine, self._options)

    @cached_property
    def transactions(self) -> Transactions:
        """The transactions of linked accounts."""
        return Transactions(self._engine, self._options)

    @cached_property
    def events(self) -> Events:
        """What happened at Stripe in the last 30 days."""
        return Events(self._engine, self._options)

    @cached_property
    def bulk(self) -> "Bulk":
        """Jobs: one operation on any number of accounts."""
        from fcasync.bulk import Bulk  # noqa: PLC0415 - half of the import time

        return Bulk(self._engine, self._options)

    @forgets_frames
    def with_options(
        self,
        *,
        stripe_account: str | None = None,
        stripe_context: str | None = None,
        stripe_version: str | None = None,
        timeout: float | None = None,
        deadline: float | None = None,
        retry: RetryPolicy | None = None,
        extra_headers: Mapping[str, str] | None = None,
    ) -> Self:
        """Return a client with other options that shares connections, retry quota and limits.

        Options that are None stay as they are; *extra_headers* are added to the existing ones.

        Raises:
            InvalidArgumentError: An option is invalid.
        """
        headers = _checked_headers(stripe_account, stripe_context, stripe_version)
        options = _changed(self._options, headers, timeout, deadline, retry, extra_headers)
        view = type(self).__new__(type(self))
        vars(view).update(vars(self), _options=options)
        for name in _RESOURCES:
            vars(view).pop(name, None)
        return view

    async def aclose(self) -> None:
        """Close the connections of the running loop; a later call opens new ones."""
        await self._engine.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        if "_options" not in vars(self):
            return "<Client without valid arguments>"  # in the traceback of its constructor
        account = self._options.stripe_account
        acting = f" for {account}" if account else ""
        return f"<Client {self._options.api_key!r}{acting} at {self._options.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Client cannot be pickled, because it holds a key and sockets; build one per process"
        )


_RESOURCES = frozenset(
    name for name, value in vars(Client).items() if isinstance(value, cached_property)
)
"""What a view must make again, because it is bound to the options with which it was made."""


def _session(session: object) -> ClientSession:
    checked = checks.instance(session, ClientSession, "session")
    if getattr(checked, "auth", None) is not None:
        raise InvalidArgumentError(
            "session must not have auth= of its own: it would take the place of the API key"
        )
    return checked


def _policy(retry: object) -> RetryPolicy:
    return checks.instance(retry, RetryPolicy, "retry")


def _changed(
    options: Options,
    headers: Mapping[str, str],
    timeout: float | None,
    deadline: float | None,
    retry: RetryPolicy | None,
    extra_headers: Mapping[str, str] | None,
) -> Options:
    """Return *options* with the changes that are not None."""
    changes: dict[str, Any] = {**headers}
    if extra_headers is not None:
        added = checks.extra_headers(extra_headers)
        changes["extra_headers"] = {**options.extra_headers, **added}
    if timeout is not None:
        changes["timeout"] = checks.seconds(timeout, "timeout")
    if deadline is not None:
        changes["deadline"] = checks.seconds(deadline, "deadline")
    if retry is not None:
        changes["retry"] = _policy(retry)
    return attrs.evolve(options, **changes)


def _checked_headers(
    account: str | None, context: str | None, version: str | None
) -> dict[str, str]:
    headers = {"stripe_account": account, "stripe_context": context, "stripe_version": version}
    if isinstance(account, str) and not account.startswith("acct_"):
        # Not shown: what is pasted here by mistake may be a key of another vendor.
        raise InvalidArgumentError(
            "stripe_account must be the id of a connected account (acct_...)"
        )
    return {
        name: checks.header_value(value, name)
        for name, value in headers.items()
        if value is not None
    }
