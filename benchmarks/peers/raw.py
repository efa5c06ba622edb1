"""The lower bound: aiohttp with a prepared body and headers, and orjson; no key, no retry."""

import aiohttp
import orjson
from multidict import CIMultiDict

from benchmarks import data

BODY = b"features[0]=balance"


class Peer:
    def __init__(self, url: str, session: aiohttp.ClientSession) -> None:
        self._root = url + data.ROOT
        common = {"Authorization": f"Bearer {data.KEY}", "Stripe-Version": data.API_VERSION}
        self._get = CIMultiDict(common)
        form = {"Content-Type": "application/x-www-form-urlencoded"}
        self._post = CIMultiDict(common | form)
        self._session = session

    async def refresh(self, account: str) -> str:
        url = f"{self._root}/{account}/refresh"
        async with self._session.post(url, data=BODY, headers=self._post) as response:
            return str(orjson.loads(await response.read())["status"])

    async def walk(self, customer: str) -> int:
        active, start = 0, f"{self._root}?account_holder[customer]={customer}&limit=100"
        url = start
        while True:
            async with self._session.get(url, headers=self._get) as response:
                page = orjson.loads(await response.read())
            for account in page["data"]:
                active += account["status"] == "active"
            if not page["has_more"]:
                return active
            url = f"{start}&starting_after={page['data'][-1]['id']}"

    async def aclose(self) -> None:
        await self._session.close()


async def connect(url: str) -> Peer:
    return Peer(url, aiohttp.ClientSession())
