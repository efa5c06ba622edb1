"""What a sync has to work on: accounts from its source, perhaps through a refresh."""

from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import aclosing
from datetime import timedelta
from typing import Any

import attrs

from fcasync._facts.clock import Clock
from fcasync.bulk import BulkRun, Tenants
from fcasync.bulk._work import sources
from fcasync.client import Client
from fcasync.errors import AuthenticationError, PermissionDeniedError
from fcasync.mirror._lookups import Key
from fcasync.mirror._nudged import Nudged
from fcasync.mirror._nudges import Nudges
from fcasync.mirror._reading import Item, Reading
from fcasync.models import Account


@attrs.frozen(kw_only=True)
class Settings:
    """What a sync was asked to do; already checked."""

    refresh: Sequence[str]
    """What to refresh first; empty for nothing."""
    max_age: timedelta | float | None
    wait_timeout: float
    concurrency: int
    progress: bool


class Intake:
    """Turns a source of any kind into items, one after the other."""

    def __init__(self, client: Client, source: Any, reading: Reading, settings: Settings) -> None:
        self._client, self._source = client, source
        self._reading, self._settings = reading, settings
        self._clock: Clock = client._engine.clock
        self.refreshing: BulkRun | None = None
        """The bulk job, once it has begun."""

    def items(self, put: Callable[[Item], Awaitable[None]]) -> AsyncGenerator[Item]:
        """Yield the items; *put* takes those that come up again in the meantime."""
        if self._settings.refresh:
            return self._refreshed(put)
        if isinstance(self._source, Nudges):
            return self._nudged(self._source)
        return (
            self._listed_of(self._source) if isinstance(self._source, Tenants) else self._listed()
        )

    async def settle(self, item: Item, *, is_answered: bool) -> None:
        """Remove the event that asked for *item*, unless nobody answered."""
        if not isinstance(self._source, Nudges):
            return
        key = item.tenant or "", item.account_id
        if is_answered:
            await self._source.synced(key)
        else:
            self._source.unanswered(key)

    async def give_back(self) -> None:
        """Give back what was taken from a source that others share, and not worked on."""
        if isinstance(self._source, Nudges):
            await self._source.give_back()

    async def _listed(self) -> AsyncGenerator[Item]:
        async with aclosing(sources.read(self._source)) as items:
            async for found in items:
                yield self._item(found)

    async def _nudged(self, source: Nudges) -> AsyncGenerator[Item]:
        async with aclosing(source.keys()) as keys:
            async for own_of, account in keys:
                yield self._item(account, own_of or None)

    async def _listed_of(self, source: Tenants) -> AsyncGenerator[Item]:
        async with aclosing(source.read()) as tenants:
            async for tenant, own in tenants:
                accounts = self._reading.of(tenant).client.accounts.list() if own is None else own
                try:
                    async with aclosing(sources.read(accounts)) as items:
                        async for found in items:
                            yield self._item(found, tenant)
                except (AuthenticationError, PermissionDeniedError) as error:
                    yield Item("", tenant=tenant, error=error)

    async def _refreshed(self, put: Callable[[Item], Awaitable[None]]) -> AsyncGenerator[Item]:
        async def repeat(key: Key) -> None:
            # One more event about an account that is being refreshed, or was.
            tenant, account = key
            await put(self._item(account, tenant or None))

        source = self._source
        if isinstance(source, Nudges):
            source = Nudged(source, repeat)
        self.refreshing = run = self._client.bulk.refresh(
            source,
            features=self._settings.refresh,
            wait=True,
            wait_timeout=self._settings.wait_timeout,
            max_age=self._settings.max_age,
        )
        async with run:
            async for outcome in run:
                yield Item(
                    outcome.account_id,
                    outcome.account,
                    self._clock.time(),
                    outcome,
                    tenant=outcome.stripe_account if isinstance(source, Tenants) else None,
                )

    def _item(self, found: Any, tenant: str | None = None) -> Item:
        account = found if isinstance(found, Account) else None
        name = found if account is None else account.id
        return Item(name, account, self._clock.time(), tenant=tenant)
