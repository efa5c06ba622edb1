"""What a run needs of the network, and the client's engine as just that."""

import hashlib
from collections.abc import AsyncIterable
from typing import Any, Protocol, TypeVar

import attrs

from fcasync._facts.clock import Clock
from fcasync._rules.pace import Pace
from fcasync._rules.request import Operation, Options, Request, Response, Template, build
from fcasync._wire.engine import Engine
from fcasync._wire.reads import Reads
from fcasync._wire.reporting import Reporter
from fcasync.errors import FCError
from fcasync.models import Account, Page
from fcasync.resources.accounts import LIST, RETRIEVE, Accounts

T = TypeVar("T")


class Party(Protocol):
    """Who works on a job, as its journal names it."""

    @property
    def clock(self) -> Clock:
        """Time, sleep and jitter."""

    api_key: str
    """Mode and fingerprint of the API key, never the key."""
    stripe_account: str | None
    stripe_version: str
    reads: Reads
    """Counts the GETs, those of all tenants and of the source together."""
    reporter: Reporter
    """Reports runs to hooks."""


class Network(Party, Protocol):
    """The network, as a run sees it. Everything raises what the client's calls raise."""

    pace: Pace
    """Paces the operation; GETs have paces of their own."""

    def of_tenant(self, stripe_account: str) -> "Network":
        """Return the network as a connected account sees it; '' stands for the key's own."""

    def accounts(self) -> AsyncIterable[Account]:
        """List all accounts."""

    async def send(self, account_id: str, idempotency_key: str) -> Response[Account]:
        """Send the operation once: no retry, no limiter."""

    async def retrieve(self, account_id: str) -> Response[Account]:
        """Fetch one account, with the client's retries."""

    async def list_page(self, starting_after: str | None, limit: int) -> Response[Page[Account]]:
        """Fetch one page of all accounts, with the client's retries."""


class EngineNetwork:
    """The network of a client."""

    def __init__(
        self,
        engine: Engine,
        options: Options,
        operation: Operation[Account],
        params: dict[str, Any],
    ) -> None:
        self._engine = engine
        self._options = options
        self._operation, self._params = operation, params
        self._template = Template(operation, options, params)
        self._closings: int | None = None  # of the client, at the first request
        self.clock = engine.clock
        self.pace = engine.limiter.pace(options.acting_for, operation.name)
        self.reads = Reads()
        self.reporter = engine.reporter
        self.api_key = fingerprint(options.api_key.reveal())
        self.stripe_account = options.stripe_account
        self.stripe_version = options.stripe_version

    def of_tenant(self, stripe_account: str) -> "EngineNetwork":
        """Return the network as a connected account sees it; '' stands for the key's own."""
        if not stripe_account:
            return self
        options = attrs.evolve(self._options, stripe_account=stripe_account)
        tenant = EngineNetwork(self._engine, options, self._operation, self._params)
        tenant.reads = self.reads
        tenant._closings = self._closings
        return tenant

    def accounts(self) -> AsyncIterable[Account]:
        """List all accounts."""
        return Accounts(self._engine, self._options).list()

    async def send(self, account_id: str, idempotency_key: str) -> Response[Account]:
        """Send the operation once: no retry, no limiter."""
        self._check()
        return await self._engine.attempt(self._template.build(account_id, idempotency_key))

    async def retrieve(self, account_id: str) -> Response[Account]:
        """Fetch one account, with the client's retries."""
        self._check()
        return await self._get(build(RETRIEVE, self._options, object_id=account_id))

    async def list_page(self, starting_after: str | None, limit: int) -> Response[Page[Account]]:
        """Fetch one page of all accounts, with the client's retries."""
        self._check()
        params = {"limit": limit, "starting_after": starting_after}
        return await self._get(build(LIST, self._options, params=params))

    async def _get(self, request: Request[T]) -> Response[T]:
        try:
            response = await self._engine.call(request)
        except FCError as error:
            self.reads.count += error.attempts
            raise
        self.reads.count += response.attempts
        return response

    def _check(self) -> None:
        if self._closings is None:
            self._closings = self._engine.closings
        if self._engine.closings != self._closings:
            raise RuntimeError(
                "the client was closed while a bulk run was at work; "
                "leave the run's block first, or keep the client open"
            )


def fingerprint(api_key: str) -> str:
    """Return what distinguishes one key from another without showing it: ``test 0f3a...``."""
    mode = "live" if "_live_" in api_key[:16] else "test"
    # A key is random and long, so a plain hash of it cannot be turned around.
    return f"{mode} {hashlib.sha256(b'fcasync journal ' + api_key.encode()).hexdigest()[:20]}"
