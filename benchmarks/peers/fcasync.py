"""fcasync: typed, idempotent, covered by the limiter and the retry layer."""

import fcasync as fc
from benchmarks import data


class Peer:
    def __init__(self, url: str) -> None:
        self._client = fc.Client(data.KEY, base_url=url)

    async def refresh(self, account: str) -> str:
        refreshed = await self._client.accounts.refresh(account, features=["balance"])
        return str(refreshed.status)

    async def walk(self, customer: str) -> int:
        active = 0
        async for account in self._client.accounts.list(account_holder={"customer": customer}):
            active += account.status == "active"
        return active

    async def aclose(self) -> None:
        await self._client.aclose()


async def connect(url: str) -> Peer:
    return Peer(url)
