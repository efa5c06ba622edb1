"""Webhooks in common web frameworks, as in the documentation."""

import time
from typing import Any

import orjson
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from fcasync.errors import SignatureVerificationError
from fcasync.models import Account, Event
from fcasync.webhooks import EventRouter, construct_event, sign
from tests.models.samples import account

SECRET = "whsec_test_secret"
KIND = "financial_connections.account.refreshed_balance"
BODY = orjson.dumps({"id": "evt_1", "object": "event", "type": KIND, "data": {"object": account()}})


def signed(body: bytes = BODY) -> dict[str, str]:
    return {"Stripe-Signature": sign(body, SECRET, int(time.time()))}


def router(got: list[Any]) -> EventRouter:
    events = EventRouter()

    @events.on(KIND)
    async def balance(event: Event[Account]) -> None:
        got.append(event.data.object.balance)

    return events


async def test_aiohttp_web() -> None:
    """An aiohttp.web handler verifies, dispatches, and refuses forgeries."""
    got: list[Any] = []
    events = router(got)

    async def webhook(request: web.Request) -> web.Response:
        signature = request.headers.get("Stripe-Signature")
        try:
            event = construct_event(await request.read(), signature, SECRET)
        except SignatureVerificationError:
            return web.Response(status=400)
        await events.dispatch(event)
        return web.Response()

    app = web.Application()
    app.router.add_post("/webhook", webhook)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        accepted = await client.post("/webhook", data=BODY, headers=signed())
        forged = await client.post("/webhook", data=BODY, headers=signed(b"{}"))
        bare = await client.post("/webhook", data=BODY)
    assert (accepted.status, forged.status, bare.status) == (200, 400, 400)
    assert [balance.current for balance in got] == [{"usd": 1_234_567_890}]


async def test_fastapi() -> None:
    """A FastAPI route verifies, dispatches, and refuses forgeries."""
    pytest.importorskip("fastapi", reason="needs fastapi")
    pytest.importorskip("httpx", reason="needs httpx")
    import fastapi
    import httpx

    got: list[Any] = []
    events = router(got)
    app = fastapi.FastAPI()

    @app.post("/webhook")
    async def webhook(request: fastapi.Request) -> None:
        signature = request.headers.get("Stripe-Signature")
        try:
            event = construct_event(await request.body(), signature, SECRET)
        except SignatureVerificationError as error:
            raise fastapi.HTTPException(400) from error
        await events.dispatch(event)

    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
        accepted = await client.post("/webhook", content=BODY, headers=signed())
        forged = await client.post("/webhook", content=BODY, headers=signed(b"{}"))
    assert (accepted.status_code, forged.status_code) == (200, 400)
    assert [balance.current for balance in got] == [{"usd": 1_234_567_890}]
