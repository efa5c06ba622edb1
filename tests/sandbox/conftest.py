"""A running sandbox, and plain HTTP to it."""

from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import attrs
import pytest

from fcasync.sandbox import Sandbox
from tests.sandbox.worlds import ACCOUNTS


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    """A sandbox whose accounts are all active, with every permission."""
    async with Sandbox(varied=False) as sandbox:
        yield sandbox


@attrs.define
class Http:
    """Plain HTTP to one sandbox."""

    session: aiohttp.ClientSession
    sandbox: Sandbox

    async def send(
        self, method: str, path: str, **options: Any
    ) -> tuple[int, Any, aiohttp.ClientResponse]:
        """Return status, JSON and the whole answer; every answer must be JSON."""
        async with self.session.request(method, path, allow_redirects=False, **options) as answer:
            await answer.read()
            return answer.status, await answer.json(), answer

    async def control(self, action: str, body: Any = None, **headers: str) -> Any:
        """Return what the control plane answers, which must be a success."""
        method = "GET" if body is None else "POST"
        path = f"/_sandbox/{action}"
        async with self.session.request(method, path, json=body, headers=headers) as answer:
            data = await answer.json()
            assert answer.status == 200, data
            return data

    async def account(self, index: int = 0) -> str:
        """Return the path of an account, counted from the newest."""
        _, page, _ = await self.send("GET", ACCOUNTS)
        return f"{ACCOUNTS}/{page['data'][index]['id']}"


@pytest.fixture
async def http(sandbox: Sandbox) -> AsyncIterator[Http]:
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    async with aiohttp.ClientSession(sandbox.url, headers=headers) as session:
        yield Http(session, sandbox)
