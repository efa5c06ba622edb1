"""pyreqwest, Rust's HTTP client: what a speed-minded user would pick; orjson, no retry."""

import orjson
from pyreqwest.client import ClientBuilder

from benchmarks import data

BODY = b"features[0]=balance"


class Peer:
    def __init__(self, url: str) -> None:
        self._root = url + data.ROOT
        headers = {"Authorization": f"Bearer {data.KEY}", "Stripe-Version": data.API_VERSION}
        self._client = ClientBuilder().default_headers(headers).build()

    async def refresh(self, account: str) -> str:
        request = self._client.post(f"{self._root}/{account}/refresh").body_bytes(BODY)
        request = request.header("Content-Type", "application/x-www-form-urlencoded")
        response = await request.build().send()
        return str(orjson.loads(bytes(await response.bytes()))["status"])

    async def walk(self, customer: str) -> int:
        active, start = 0, f"{self._root}?account_holder[customer]={customer}&limit=100"
        url = start
        while True:
            response = await self._client.get(url).build().send()
            page = orjson.loads(bytes(await response.bytes()))
            for account in page["data"]:
                active += account["status"] == "active"
            if not page["has_more"]:
                return active
            url = f"{start}&starting_after={page['data'][-1]['id']}"

    async def aclose(self) -> None:
        await self._client.close()


async def connect(url: str) -> Peer:
    return Peer(url)
