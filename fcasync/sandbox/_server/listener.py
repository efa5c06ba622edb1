"""The HTTP server on 127.0.0.1; whatever it answers is JSON, its own errors included."""

import asyncio
from collections.abc import Awaitable, Callable

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from fcasync.sandbox._server.replies import JSON

_LONGEST_LINE = 1 << 16  # ten parameters of 5000 characters

ErrorBody = Callable[[int, str], tuple[bytes, dict[str, str]]]


class JsonErrors(RequestHandler):
    """aiohttp's connection, whose own errors (bad request lines, long headers) are JSON too."""

    error_body: ErrorBody

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        """Return Stripe's error body where aiohttp would send text."""
        if status >= 500:
            self.log_exception("Error handling request", exc_info=exc)
        reason = "The request is not valid HTTP." if status < 500 else "Internal error."
        body, headers = type(self).error_body(status, reason)
        response = web.Response(status=status, body=body, content_type=JSON, headers=headers)
        response.force_close()
        return response


class Server(web.Server):
    """An HTTP server for one handler; everything it answers is JSON."""

    def __init__(
        self,
        handler: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]],
        error_body: ErrorBody,
    ) -> None:
        super().__init__(
            handler, access_log=None, max_line_size=_LONGEST_LINE, max_field_size=_LONGEST_LINE
        )
        self._protocol = type("_Protocol", (JsonErrors,), {"error_body": staticmethod(error_body)})

    def __call__(self) -> RequestHandler:
        """Return the protocol of one new connection."""
        protocol: RequestHandler = self._protocol(self, loop=self._loop, **self._kwargs)
        return protocol


async def listen(server: Server, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1, never on another interface; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(server, "127.0.0.1", port, backlog=1024)
