"""An aiohttp.web service that uses fcasync as its users would."""

from collections.abc import AsyncIterator, Awaitable, Callable

from aiohttp import web

import fcasync
from fcasync.webhooks import EventRouter, SeenEvents, construct_event

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@web.middleware
async def errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Map fcasync's errors to the statuses of the service."""
    try:
        return await handler(request)
    except (fcasync.NotFoundError, fcasync.InvalidArgumentError) as error:
        return web.json_response({"error": str(error)}, status=404)
    except fcasync.SignatureVerificationError as error:
        return web.json_response({"error": str(error)}, status=400)
    except fcasync.FCError as error:
        return web.json_response({"error": type(error).__name__}, status=502)


def build(stripe: fcasync.Client, webhook_secret: str, refreshed: list[str]) -> web.Application:
    """Return the service; it records the accounts that webhooks report as refreshed."""
    events = EventRouter(SeenEvents())

    async def lifespan(app: web.Application) -> AsyncIterator[None]:
        async with stripe:
            yield

    async def account(request: web.Request) -> web.Response:
        account = await stripe.accounts.retrieve(request.match_info["id"])
        return web.json_response(fcasync.to_dict(account))

    async def refresh(request: web.Request) -> web.Response:
        accepted = await stripe.accounts.refresh(
            request.match_info["id"],
            features=["balance"],
            idempotency_key=request.headers["Idempotency-Key"],
        )
        return web.json_response(fcasync.to_dict(accepted))

    async def webhook(request: web.Request) -> web.Response:
        event = construct_event(
            await request.read(), request.headers.get("Stripe-Signature"), webhook_secret
        )
        return web.json_response({"handled": await events.dispatch(event)})

    @events.on(fcasync.EventType.ACCOUNT_REFRESHED_BALANCE)
    async def balance(event: fcasync.Event[fcasync.Account]) -> None:
        refreshed.append(event.data.object.id)

    app = web.Application(middlewares=[errors])
    app.cleanup_ctx.append(lifespan)
    app.router.add_get("/accounts/{id}", account)
    app.router.add_post("/accounts/{id}/refresh", refresh)
    app.router.add_post("/webhooks", webhook)
    return app
