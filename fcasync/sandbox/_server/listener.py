"""The only server part that touches sockets: sends replies, and breaks them on purpose."""

import asyncio
import contextlib
import socket
import struct
import zlib
from collections.abc import Awaitable, Callable
from functools import cache

from aiohttp import web
from aiohttp.web_protocol import RequestHandler

from fcasync._facts.clock import Clock
from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.messages import Reply

JSON = "application/json"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)
_LONGEST_LINE = 1 << 16  # ten parameters of 5000 characters
_BOMB_SIZE = 64 << 20
_GARBAGE = b"<html><body>502 Bad Gateway\x00</body>"

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


async def send(request: web.BaseRequest, reply: Reply, clock: Clock) -> web.StreamResponse:
    """Send *reply*, mangled as its fault demands."""
    if reply.hold and (reply.fault is None or reply.fault.kind != "drip"):
        await clock.sleep(reply.hold)
    if reply.fault is None:
        return _whole(reply)
    return await _broken(request, reply, reply.fault, clock)


def _whole(reply: Reply) -> web.Response:
    return web.Response(
        status=reply.status, headers=reply.headers, body=reply.body, content_type=JSON
    )


async def _broken(
    request: web.BaseRequest, reply: Reply, fault: Fault, clock: Clock
) -> web.StreamResponse:
    if fault.kind in {"reset_before", "reset_after"}:
        return _reset(request)
    if fault.kind == "delay":
        return _whole(reply) if fault.executes else _reset(request)
    if fault.kind == "truncate":
        return await _truncated(request, reply)
    if fault.kind == "drip":
        return await _dripped(request, reply, clock)
    return _false(request, reply, fault)


def _false(request: web.BaseRequest, reply: Reply, fault: Fault) -> web.StreamResponse:
    """Return a whole answer that is not what the API promises."""
    match fault.kind:
        case "garbage":
            return web.Response(body=_GARBAGE, content_type="text/html", headers=reply.headers)
        case "redirect":
            headers = {"Location": f"http://{request.host}/_sandbox/redirected", **fault.headers}
            return web.Response(status=fault.answer_status, headers=headers)
        case "gzip_bomb":
            headers = {**reply.headers, "Content-Encoding": "gzip"}
            return web.Response(body=_bomb(), content_type=JSON, headers=headers)
    return _whole(reply)


def _reset(request: web.BaseRequest) -> web.StreamResponse:
    """Cut the connection with a RST, so that the client sees a reset and not an end."""
    transport = request.transport
    if transport is not None:
        raw = transport.get_extra_info("socket")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
        transport.abort()
    return web.Response()  # aiohttp wants one; it finds the connection gone


async def _truncated(request: web.BaseRequest, reply: Reply) -> web.StreamResponse:
    response = _stream(reply)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        await response.write(reply.body[: len(reply.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


async def _dripped(request: web.BaseRequest, reply: Reply, clock: Clock) -> web.StreamResponse:
    response = _stream(reply)
    with contextlib.suppress(ConnectionError):
        await response.prepare(request)
        pause = reply.hold / max(1, len(reply.body))
        for byte in range(len(reply.body)):
            await response.write(reply.body[byte : byte + 1])
            await clock.sleep(pause)
    return response


def _stream(reply: Reply) -> web.StreamResponse:
    response = web.StreamResponse(status=reply.status, headers=reply.headers)
    response.content_type = JSON
    response.content_length = len(reply.body)
    return response


@cache
def _bomb() -> bytes:
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    block = b" " * (1 << 20)
    parts = [packer.compress(block) for _ in range(_BOMB_SIZE >> 20)]
    return b"".join([*parts, packer.flush()])


async def listen(server: Server, port: int) -> asyncio.Server:
    """Listen on 127.0.0.1, never on another interface; port 0 takes a free one."""
    loop = asyncio.get_running_loop()
    return await loop.create_server(server, "127.0.0.1", port, backlog=1024)
