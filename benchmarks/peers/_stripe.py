"""The official SDK, over either of its asynchronous HTTP clients, as its README shows it."""

import stripe

from benchmarks import data


class Peer:
    def __init__(self, url: str, http_client: stripe.HTTPClient) -> None:
        self._http = http_client
        client = stripe.StripeClient(data.KEY, base_addresses={"api": url}, http_client=http_client)
        self._accounts = client.v1.financial_connections.accounts

    async def refresh(self, account: str) -> str:
        refreshed = await self._accounts.refresh_async(account, {"features": ["balance"]})
        return refreshed.status

    async def walk(self, customer: str) -> int:
        active = 0
        page = await self._accounts.list_async(
            {"account_holder": {"customer": customer}, "limit": 100}
        )
        async for account in page.auto_paging_iter():
            active += account.status == "active"
        return active

    async def aclose(self) -> None:
        await self._http.close_async()
