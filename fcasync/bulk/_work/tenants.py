"""Many connected accounts as the source of one job."""

import re
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Iterable, Iterator, Mapping
from contextlib import aclosing
from typing import Any, Final, TypeAlias
from zlib import crc32

from fcasync._rules import checks
from fcasync.bulk._work import sources
from fcasync.bulk._work.sources import Source
from fcasync.bulk._work.turns import Turns
from fcasync.errors import InvalidArgumentError, describe

TenantSource: TypeAlias = str | tuple[str, Source]
"""A connected account, or one with the accounts that the job is about."""

_TENANT: Final = re.compile(r"acct_[A-Za-z0-9]{1,240}")


class Tenants:
    """Connected accounts (``acct_...``), each with bank accounts of its own.

    ::

        tenants = Tenants(["acct_1...", "acct_2..."])
        async with client.bulk.refresh(tenants, features=["balance"], journal="all.sqlite") as run:
            async for outcome in run:
                print(outcome.stripe_account, outcome.account_id, outcome.status)

    The tenants share the process, the journal and the connections; each has a rate limit of its
    own, which the job learns for each. They take turns, so that none holds up the others. A tenant
    that has taken its access away ends alone: its accounts are ``failed: denied``.

    Args:
        sources: Tenants, or pairs of a tenant and a source (ids or Accounts), or a mapping from
            the one to the other. A tenant without a source stands for all its accounts.
        at_once: Most tenants in work at a time; 100 take about as much memory as 1000 in turn.

    Raises:
        InvalidArgumentError: A tenant is not an ``acct_...`` id, or is named twice. Of an
            iterator, which can be read only once, this is found out while it is read, and ends the
            run.
    """

    def __init__(
        self,
        sources: (Mapping[str, Source] | Iterable[TenantSource] | AsyncIterable[TenantSource]),
        *,
        at_once: int = 100,
    ) -> None:
        self.at_once: int = checks.count(at_once, "at_once")
        if isinstance(sources, str | bytes) or not isinstance(sources, Iterable | AsyncIterable):
            raise InvalidArgumentError(
                "Tenants takes connected accounts, or pairs of one and its source, "
                f"not {describe(sources)}"
            )
        self._items: Any = sources.items() if isinstance(sources, Mapping) else sources
        if isinstance(self._items, Iterable) and not isinstance(self._items, Iterator):
            known = set[str]()
            for item in self._items:
                _checked(item, known)

    def __repr__(self) -> str:
        return f"<Tenants, {self.at_once} at once>"

    def through(self, wrap: Callable[[Any], Any]) -> "Tenants":
        """Return the same tenants, whose sources, and themselves, are read through *wrap*."""

        async def wrapped() -> AsyncGenerator[tuple[str, Any], None]:
            async with aclosing(sources.read(wrap(self._items))) as items:
                async for item in items:
                    tenant, source = _checked(item, set())
                    yield tenant, None if source is None else wrap(source)

        return Tenants(wrapped(), at_once=self.at_once)

    async def read(self, shard: tuple[int, int] = (0, 1)) -> AsyncGenerator[tuple[str, Any], None]:
        """Yield the tenants of a shard, each with its source or None.

        Args:
            shard: ``(i, n)``: only every tenant whose CRC-32, modulo *n*, is *i*.
        """
        number, count = shard
        known = set[str]()
        turns = Turns()
        async with aclosing(sources.read(self._items)) as items:
            async for item in items:
                await turns.step()
                tenant, source = _checked(item, known)
                if crc32(tenant.encode()) % count == number:
                    yield tenant, source


def _checked(item: object, known: set[str]) -> tuple[str, Any]:
    tenant, source = item if isinstance(item, tuple) and len(item) == 2 else (item, None)
    if not isinstance(tenant, str) or not _TENANT.fullmatch(tenant):
        raise InvalidArgumentError(
            f"a tenant must be a connected account (acct_...), not {describe(tenant)}"
        )
    if tenant in known:
        raise InvalidArgumentError(f"the tenant {tenant} is named twice")
    known.add(tenant)
    if source is not None:
        sources.check(source)
    return tenant, source


def check_shard(shard: object) -> tuple[int, int]:
    """Return *shard* if it is ``(i, n)`` with ``0 <= i < n``.

    Raises:
        InvalidArgumentError: It is not.
    """
    match shard:
        case (int(number), int(count)) if 0 <= number < count:
            return number, count
    raise InvalidArgumentError(
        f"shard must be (i, n) with i from 0 to n - 1, not {describe(shard)}"
    )
