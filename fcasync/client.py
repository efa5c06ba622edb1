"""The client: arguments in, resources out."""

import os
import ssl as _ssl
from collections.abc import Iterable, Mapping
from functools import cached_property
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn, Self

import attrs

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._rules import checks
from fcasync._rules.limiter import Limiter
from fcasync._rules.pace import Limits
from fcasync._rules.request import API_BASE, API_VERSION, Options
from fcasync._rules.retry import RetryPolicy
from fcasync._wire.engine import Engine
from fcasync._wire.transport import AiohttpTransport, ClientSession, Transport
from fcasync.hooks import Hook
from fcasync.resources.accounts import Accounts
from fcasync.resources.sessions import Sessions
from fcasync.resources.transactions import Transactions

if TYPE_CHECKING:
    from fcasync.bulk import Bulk


class Client:
    """A client of Stripe Financial Connections.

    May be built outside a loop, shared by any number of tasks, loops and threads, and used again
    after a fork. One pool of connections per running loop is opened by the first call and closed
    by :meth:`aclose`, by ``async with``, or by ``asyncio.run`` when its loop ends.

    Args:
        api_key: ``sk_...`` or ``rk_...``; None reads the environment variable ``STRIPE_API_KEY``.
        base_url: Where the API is; None reads ``STRIPE_API_BASE``, else ``https://api.stripe.com``.
            Never let it come from untrusted input: the key is sent there.
        stripe_account: Act for this connected account (``acct_...``).
        stripe_context: Value of the ``Stripe-Context`` header.
        stripe_version: Version of Stripe's API; the models are written for the default.
        timeout: Seconds for one attempt, its body included.
        deadline: Seconds for a whole call, its waits and retries included.
        retry: When to send again; ``RetryPolicy(attempts=1)`` for never.
        limits: Ceilings for the rate of requests; None learns the limit from the 429s.
        max_connections: Open connections per loop.
        session: An aiohttp session to use instead; it is never closed by the client.
        proxy: URL of an HTTP proxy; the environment is never asked for one.
        ssl: A TLS context of your own, at least TLS 1.2; there is no switch to turn checks off.
        hooks: Called with every event of :mod:`fcasync.hooks`.
        max_response_bytes: Largest answer accepted, after decompression.
        extra_headers: Sent with every request; fcasync's own headers cannot be overridden.
        clock: Time, sleep and dice; tests pass a ``fcasync.testing.FakeClock``.
        transport: Sends the requests; tests pass a ``fcasync.testing.ScriptedTransport``.

    Raises:
        InvalidArgumentError: An argument that could not work, or that would not be safe.
    """

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
            base_url=checks.base_url(base_url, key),
            timeout=checks.seconds(timeout, "timeout"),
            deadline=checks.seconds(deadline, "deadline"),
            retry=RetryPolicy() if retry is None else _policy(retry),
            extra_headers=checks.extra_headers(extra_headers or {}),
            **_checked_headers(stripe_account, stripe_context, stripe_version),
        )
        if limits is not None:
            checks.instance(limits, Limits, "limits")
        self._engine = Engine(
            transport
            or AiohttpTransport(
                max_connections=checks.count(max_connections, "max_connections"),
                max_response_bytes=checks.count(max_response_bytes, "max_response_bytes"),
                proxy=checks.proxy(proxy),
                ssl=ssl,
                session=session,
            ),
            clock=clock,
            limiter=Limiter(
                Limits() if limits is None else checks.instance(limits, Limits, "limits")
            ),
            hooks=checks.hooks(hooks),
        )

    @cached_property
    def accounts(self) -> Accounts:
        """Linked bank accounts."""
        return Accounts(self._engine, self._options)

    @cached_property
    def sessions(self) -> Sessions:
        """The flows in which people link their accounts."""
        return Sessions(self._engine, self._options)

    @cached_property
    def transactions(self) -> Transactions:
        """What happened on the accounts."""
        return Transactions(self._engine, self._options)

    @cached_property
    def bulk(self) -> "Bulk":
        """One operation on any number of accounts."""
        from fcasync.bulk import Bulk  # noqa: PLC0415 - half of all that there is to import

        return Bulk(self._engine, self._options)

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
        """Return a view on the same connections, retry quota and limits, with other options.

        What is None stays as it is; *extra_headers* are added to those already there.

        Raises:
            InvalidArgumentError: An option that could not work.
        """
        changes: dict[str, Any] = _checked_headers(stripe_account, stripe_context, stripe_version)
        if extra_headers is not None:
            added = checks.extra_headers(extra_headers)
            changes["extra_headers"] = {**self._options.extra_headers, **added}
        if timeout is not None:
            changes["timeout"] = checks.seconds(timeout, "timeout")
        if deadline is not None:
            changes["deadline"] = checks.seconds(deadline, "deadline")
        if retry is not None:
            changes["retry"] = _policy(retry)
        view = type(self).__new__(type(self))
        # Resources are bound to the options that they were made with.
        kept = {name: value for name, value in vars(self).items() if name not in _RESOURCES}
        vars(view).update(kept)
        view._options = attrs.evolve(self._options, **changes)
        return view

    async def aclose(self) -> None:
        """Close the connections of the running loop; a later call opens new ones."""
        await self._engine.transport.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.aclose()

    def __repr__(self) -> str:
        account = self._options.stripe_account
        acting = f" for {account}" if account else ""
        return f"<Client {self._options.api_key!r}{acting} at {self._options.base_url}>"

    def __reduce__(self) -> NoReturn:
        raise TypeError(
            "a Client is not pickled: it holds a key and sockets; build one per process"
        )


_RESOURCES = frozenset(
    name for name, value in vars(Client).items() if isinstance(value, cached_property)
)


def _policy(retry: object) -> RetryPolicy:
    return checks.instance(retry, RetryPolicy, "retry")


def _checked_headers(
    account: str | None, context: str | None, version: str | None
) -> dict[str, str]:
    given = {"stripe_account": account, "stripe_context": context, "stripe_version": version}
    return {
        name: checks.header_value(value, name) for name, value in given.items() if value is not None
    }
