"""A webhook endpoint as a handler of aiohttp.web; imported only by those who ask for one."""

from collections.abc import Awaitable, Callable
from typing import TypeAlias

from aiohttp import web

from fcasync.webhooks._endpoint import CUT_SHORT, NOT_POST, TOO_LARGE, Answer, Endpoint
from fcasync.webhooks._verify import MAX_BODY

AiohttpHandler: TypeAlias = Callable[[web.Request], Awaitable[web.Response]]


def aiohttp_handler(endpoint: Endpoint) -> AiohttpHandler:
    """Return the handler of *endpoint*."""

    async def webhook(request: web.Request) -> web.Response:
        answer = await _answer(endpoint, request)
        headers = answer.headers
        return web.Response(status=answer.status, body=answer.words.encode(), headers=headers)

    return webhook


async def _answer(endpoint: Endpoint, request: web.Request) -> Answer:
    if request.method != "POST":
        return NOT_POST
    if (request.content_length or 0) > MAX_BODY:
        return TOO_LARGE
    # Not request.read(): that goes by the application's client_max_size.
    body = bytearray()
    try:
        async for chunk in request.content.iter_any():
            body += chunk
            if len(body) > MAX_BODY:
                return TOO_LARGE
    except (web.RequestPayloadError, ConnectionError):  # the caller has left
        return CUT_SHORT
    return await endpoint.answer(bytes(body), request.headers.getall("Stripe-Signature", []))
