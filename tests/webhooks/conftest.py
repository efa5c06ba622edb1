"""Fixtures of the tests about events that an endpoint has missed."""

from collections.abc import AsyncIterator

import pytest

from fcasync import Client
from fcasync.sandbox import Sandbox


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=300, varied=False) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with Client(sandbox.api_key, base_url=sandbox.url) as client:
        yield client
