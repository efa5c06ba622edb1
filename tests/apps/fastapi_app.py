"""A FastAPI service that uses fcasync as its users would."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import fastapi
from fastapi.responses import JSONResponse

import fcasync
from fcasync.webhooks import EventRouter, SeenEvents, construct_event


def build(stripe: fcasync.Client, webhook_secret: str, refreshed: list[str]) -> fastapi.FastAPI:
    """Return the service; it records the accounts that webhooks report as refreshed."""

    @asynccontextmanager
    async def lifespan(app: fastapi.FastAPI) -> AsyncIterator[None]:
        async with stripe:
            yield

    app = fastapi.FastAPI(lifespan=lifespan)
    events = EventRouter(SeenEvents())

    @app.get("/accounts/{account_id}")
    async def account(account_id: str) -> dict[str, Any]:
        return fcasync.to_dict(await stripe.accounts.retrieve(account_id))

    @app.post("/accounts/{account_id}/refresh")
    async def refresh(account_id: str, idempotency_key: str = fastapi.Header()) -> dict[str, Any]:
        accepted = await stripe.accounts.refresh(
            account_id, features=["balance"], idempotency_key=idempotency_key
        )
        return fcasync.to_dict(accepted)

    @app.post("/webhooks")
    async def webhook(request: fastapi.Request) -> dict[str, bool]:
        event = construct_event(
            await request.body(), request.headers.get("Stripe-Signature"), webhook_secret
        )
        return {"handled": await events.dispatch(event)}

    @events.on(fcasync.EventType.ACCOUNT_REFRESHED_BALANCE)
    async def balance(event: fcasync.Event[fcasync.Account]) -> None:
        refreshed.append(event.data.object.id)

    @app.exception_handler(fcasync.NotFoundError)
    @app.exception_handler(fcasync.InvalidArgumentError)
    async def unknown(request: fastapi.Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=404)

    @app.exception_handler(fcasync.SignatureVerificationError)
    async def forged(request: fastapi.Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": str(error)}, status_code=400)

    @app.exception_handler(fcasync.FCError)
    async def unavailable(request: fastapi.Request, error: Exception) -> JSONResponse:
        return JSONResponse({"error": type(error).__name__}, status_code=502)

    return app
