"""aiohttp as people use it: a dict for the form, ``.json()`` for the response; no retry."""

import aiohttp

from benchmarks import data


class Peer:
    def __init__(self, url: str) -> None:
        self._root = url + data.ROOT
        self._session = aiohttp.ClientSession(
            headers={"Authorization": f"Bearer {data.KEY}", "Stripe-Version": data.API_VERSION},
        )

    async def refresh(self, account: str) -> str:
        url = f"{self._root}/{account}/refresh"
        async with self._session.post(url, data={"features[0]": "balance"}) as response:
            response.raise_for_status()
            refreshed = await response.json()
            return str(refreshed["status"])

    async def walk(self, customer: str) -> int:
        active = 0
        params = {"account_holder[customer]": customer, "limit": "100"}
        while True:
            async with self._session.get(self._root, params=params) as response:
                response.raise_for_status()
                page = await response.json()
            for account in page["data"]:
                active += account["status"] == "active"
            if not page["has_more"]:
                return active
            params["starting_after"] = page["data"][-1]["id"]

    async def aclose(self) -> None:
        await self._session.close()


async def connect(url: str) -> Peer:
    return Peer(url)
