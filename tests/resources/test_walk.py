"""Long walks: few requests and flat memory."""

import gc
import tracemalloc
from collections.abc import AsyncIterator
from typing import Any

import pytest

import fcasync
from fcasync._rules.request import Answer
from fcasync.sandbox import Sandbox
from fcasync.testing import InstantTransport, answer

ACCOUNTS = 2_000


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=ACCOUNTS) as sandbox:
        yield sandbox


async def walked(sandbox: Sandbox, **arguments: Any) -> list[str]:
    """Return the ids that a walk yields."""
    async with fcasync.Client(sandbox.api_key, base_url=sandbox.url) as client:
        return [account.id async for account in client.accounts.list(**arguments)]


async def test_a_walk_makes_one_request_per_hundred_accounts(sandbox: Sandbox) -> None:
    """Pages have 100 items, none is fetched twice, and walking backwards reverses the order."""
    ids = await walked(sandbox)
    assert len(set(ids)) == ACCOUNTS
    assert len(sandbox.ledger) == ACCOUNTS // 100
    back = await walked(sandbox, ending_before=ids[-1])
    assert back == ids[-2::-1]
    assert len(sandbox.ledger) == 2 * ACCOUNTS // 100


async def test_a_long_walk_is_flat_in_memory() -> None:
    """Between the first and the last tenth of 1 000 pages memory grows by less than one page."""

    def next_page(request: object) -> Answer:
        first = transport.sent * 100
        kind = "financial_connections.account"
        data = [{"id": f"fca_{first + n}", "object": kind} for n in range(100)]
        return answer({"object": "list", "data": data, "has_more": transport.sent < 1_000})

    transport = InstantTransport(next_page)
    client = fcasync.Client("sk_test_x1", transport=transport)
    seen, early = 0, 0
    tracemalloc.start()
    async for _ in client.accounts.list():
        seen += 1
        if seen == 10_000:
            gc.collect()
            early = tracemalloc.get_traced_memory()[0]
    gc.collect()
    grown = tracemalloc.get_traced_memory()[0] - early
    tracemalloc.stop()
    assert (seen, transport.sent) == (100_000, 1_000)
    assert grown < 100_000
