"""A running sandbox, and plain HTTP to it."""

import asyncio
import json
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


def port_of(sandbox: Sandbox) -> int:
    """Return the port that the sandbox listens on."""
    return int(sandbox.url.rpartition(":")[2])


async def raw(sandbox: Sandbox, request: bytes) -> tuple[bytes, Any]:
    """Send bytes, and return the status line and the JSON that come back."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(sandbox))
    writer.write(request)
    answer = await asyncio.wait_for(reader.read(), 10)
    writer.close()
    await writer.wait_closed()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"Content-Type: application/json" in head
    return head.split(b"\r\n")[0], json.loads(body)
