"""fcasync's bulk refresh without a journal, with a pace that is not in the way."""

from collections.abc import Iterable

import fcasync as fc
from benchmarks import data

UNLIMITED = 1e9
"""Requests a second, so that the cost of bulk is measured and not the rate limit."""


class Peer:
    def __init__(self, url: str) -> None:
        self._client = fc.Client(data.KEY, base_url=url, limits=fc.Limits(max_rate=UNLIMITED))

    async def refresh_all(
        self, accounts: Iterable[str], concurrency: int, journal: str | None = None
    ) -> int:
        run = self._client.bulk.refresh(
            accounts, features=["balance"], concurrency=concurrency, journal=journal
        )
        count = 0
        async with run:
            async for outcome in run:
                count += outcome.status == "succeeded"
        return count

    async def aclose(self) -> None:
        await self._client.aclose()


async def connect(url: str) -> Peer:
    return Peer(url)
