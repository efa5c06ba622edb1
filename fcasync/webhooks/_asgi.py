"""A webhook endpoint as an ASGI application: for FastAPI, Starlette and every ASGI server."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, TypeAlias

from fcasync.webhooks._endpoint import NOT_POST, TOO_LARGE, Answer, Endpoint
from fcasync.webhooks._verify import MAX_BODY

Scope: TypeAlias = MutableMapping[str, Any]
Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]


class WebhookApp:
    """An ASGI application that takes webhooks at any path.

    An object with a ``__call__`` rather than a function: Starlette and FastAPI take it as the
    endpoint of a route as it is, and a route, unlike a mount, does not redirect a URL without a
    slash at its end. Stripe does not follow redirects.
    """

    def __init__(self, endpoint: Endpoint) -> None:
        self._endpoint = endpoint

    def __repr__(self) -> str:
        return "<WebhookApp>"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection, as ASGI 3 has it."""
        match scope["type"]:
            case "http":
                answer = await self._answer(scope, receive)
                if answer is not None:
                    await _respond(answer, send)
            case "lifespan":
                await _live(receive, send)
            case "websocket":
                await receive()
                await send({"type": "websocket.close"})
            case kind:
                raise ValueError(f"ASGI scope {kind!r} is unknown; expected 'http' or 'lifespan'")

    async def _answer(self, scope: Scope, receive: Receive) -> Answer | None:
        """Return the answer to a request, or None if nobody waits for it any more."""
        if scope["method"] != "POST":
            return NOT_POST
        if _announced(scope) > MAX_BODY:
            return TOO_LARGE
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                return None
            body += message.get("body", b"")
            if len(body) > MAX_BODY:
                return TOO_LARGE
            more = message.get("more_body", False)
        return await self._endpoint.answer(bytes(body), _values(scope, b"stripe-signature"))


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key.lower() == name]


def _announced(scope: Scope) -> int:
    """Return the length that the headers announce; 0 if they announce none."""
    lengths = [value for value in _values(scope, b"content-length") if value.isdecimal()]
    return max((int(value[:20]) for value in lengths), default=0)


async def _respond(answer: Answer, send: Send) -> None:
    body = answer.words.encode()
    headers = {**answer.headers, "Content-Length": str(len(body))}
    pairs = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": answer.status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def _live(receive: Receive, send: Send) -> None:
    """Say that starting and stopping need nothing."""
    while True:
        event = (await receive())["type"]
        await send({"type": f"{event}.complete"})
        if event == "lifespan.shutdown":
            return
