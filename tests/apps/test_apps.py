"""Web services that use fcasync: many requests, an outage, and a clean shutdown."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import aiohttp
import attrs
import pytest

import fcasync
from fcasync.sandbox import Sandbox
from fcasync.testing import make_event, signed_webhook
from tests.apps import _serving, aiohttp_app

pytest.importorskip("fastapi", reason="needs fastapi and uvicorn")

from tests.apps import fastapi_app

BAD_DAY = [
    {"kind": "status", "status": 503, "probability": 0.05},
    {"kind": "status", "status": 409, "probability": 0.02},
    {"kind": "reset_before", "probability": 0.03},
    {"kind": "reset_after", "probability": 0.03},
    {"kind": "truncate", "probability": 0.03},
    {"kind": "delay", "seconds": 0.02, "probability": 0.1},
]
# The rules are those of the default policy; only the waits are shorter.
HASTY = fcasync.RetryPolicy(base=0.01, rate_limit_base=0.01)

SERVICES: dict[str, tuple[Callable[..., Any], Callable[..., Any]]] = {
    "fastapi": (fastapi_app.build, _serving.uvicorn_server),
    "aiohttp.web": (aiohttp_app.build, _serving.aiohttp_server),
}


@attrs.frozen
class Service:
    """A running service, the sandbox behind it, and an HTTP client for it."""

    sandbox: Sandbox
    browser: aiohttp.ClientSession
    refreshed: list[str]
    """Ids of the accounts that webhooks reported."""

    @property
    def account_ids(self) -> list[str]:
        store = self.sandbox.world.store
        return [store.seed.account_ids.encode(index) for index in range(store.total)]


Serve = Callable[..., AbstractAsyncContextManager[Service]]


@pytest.fixture(params=SERVICES)
def serve(request: pytest.FixtureRequest) -> Serve:
    build, server = SERVICES[request.param]

    @asynccontextmanager
    async def serving(**sandbox_options: Any) -> AsyncIterator[Service]:
        listener, refreshed = _serving.listening(), list[str]()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        # Refreshes settle only by `advance`, so that no webhook arrives during the check for leaks.
        # The sandbox must end last, because its end would close leaked connections.
        options: dict[str, Any] = {"threaded": True, "webhook_url": f"{url}/webhooks"}
        options |= {"settle_seconds": 3600.0} | sandbox_options
        async with Sandbox(100, varied=False, **options) as sandbox, _serving.nothing_left():
            stripe = fcasync.Client(sandbox.api_key, base_url=sandbox.url, retry=HASTY)
            app = build(stripe, sandbox.webhook_secret, refreshed)
            async with server(app, listener), aiohttp.ClientSession(url) as browser:
                yield Service(sandbox, browser, refreshed)

    return serving


async def refresh(service: Service, account_id: str) -> tuple[str, int]:
    headers = {"Idempotency-Key": f"refresh-{account_id}"}
    url = f"/accounts/{account_id}/refresh"
    async with service.browser.post(url, headers=headers) as answer:
        await answer.read()
        return account_id, answer.status


async def retrieve(service: Service, account_id: str) -> tuple[str, int]:
    async with service.browser.get(f"/accounts/{account_id}") as answer:
        await answer.read()
        return account_id, answer.status


async def test_a_service_survives_an_outage(serve: Serve) -> None:
    """200 concurrent requests under faults: nothing is executed twice, nothing leaks."""
    async with serve(faults=BAD_DAY) as service:
        ids = service.account_ids
        answers = await asyncio.gather(
            *(refresh(service, account) for account in ids),
            *(retrieve(service, account) for account in ids),
        )
        statuses = [status for _, status in answers]
        assert set(statuses) <= {200, 502}
        assert statuses.count(200) >= 190
        executed = service.sandbox.executions("refresh")
        assert set(executed.values()) == {1}
        accepted = {account for account, status in answers[:100] if status == 200}
        assert accepted <= set(executed)


async def test_a_caller_may_repeat_a_failed_request(serve: Serve) -> None:
    """After a 502 of the service the key is still usable: a repeat gets the one result."""
    lost = {"kind": "reset_after", "operation": "refresh", "times": 4}
    async with serve(faults=[lost]) as service:
        account = service.account_ids[0]
        assert await refresh(service, account) == (account, 502)
        assert await refresh(service, account) == (account, 200)
        assert service.sandbox.executions("refresh") == {account: 1}


async def test_an_unknown_account_is_a_404(serve: Serve) -> None:
    """Stripe's 404 and an invalid id become the service's own 404."""
    async with serve() as service:
        assert (await retrieve(service, "fca_unknown"))[1] == 404
        assert (await retrieve(service, "not.an.id"))[1] == 404
        assert [row["status"] for row in service.sandbox.ledger] == [404]


async def test_webhooks_reach_their_handler(serve: Serve) -> None:
    """A refresh settles, the signed event arrives, and each event counts once."""
    async with serve(webhook_duplicates=1.0) as service:
        ids = service.account_ids[:5]
        await asyncio.gather(*(refresh(service, account) for account in ids))
        service.sandbox.advance(3600.0)
        async with asyncio.timeout(10):
            while len(service.sandbox.deliveries) < 2 * len(ids):
                await asyncio.sleep(0.01)
        assert sorted(service.refreshed) == sorted(ids)


async def test_a_forged_webhook_is_refused(serve: Serve) -> None:
    """An event without Stripe's signature is not handled."""
    async with serve() as service:
        now = int(service.sandbox.now)
        body, headers = signed_webhook(make_event(), "whsec_of_somebody_else", now)
        async with service.browser.post("/webhooks", data=body, headers=headers) as answer:
            assert answer.status == 400
        assert service.refreshed == []


async def test_disconnected_callers_leave_nothing_behind(serve: Serve) -> None:
    """Calls in flight are cancelled or finished, and the service continues."""
    async with serve(faults=[{"kind": "delay", "seconds": 0.2}]) as service:
        ids = service.account_ids[:20]
        callers = [asyncio.create_task(retrieve(service, account)) for account in ids]
        await asyncio.sleep(0.05)
        for caller in callers:
            caller.cancel()
        await asyncio.wait(callers)
        service.sandbox.clear_faults()
        assert (await retrieve(service, ids[0]))[1] == 200
