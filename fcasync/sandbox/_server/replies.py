"""How a reply goes over a socket, whole or as its fault wants it."""

import contextlib
import socket
import struct
from collections.abc import Mapping

from aiohttp import web

from fcasync._facts.clock import Clock
from fcasync.sandbox._api.calls import Reply
from fcasync.sandbox._api.messages import Answer

JSON = "application/json"
_RESET_ON_CLOSE = struct.pack("ii", 1, 0)


async def send(request: web.BaseRequest, reply: Reply, clock: Clock) -> web.StreamResponse:
    """Send *reply* the way its fault does, and return what aiohttp wants to have."""
    wire = Socket(request, clock)
    with contextlib.suppress(ConnectionError):  # the client left: nobody is there to hear of it
        await reply.fault.send(wire, reply, reply.hold)
    return wire.response


class Socket:
    """aiohttp's side of the ``Wire`` that faults write to."""

    def __init__(self, request: web.BaseRequest, clock: Clock) -> None:
        self._request = request
        self._clock = clock
        self.response: web.StreamResponse = web.Response()
        """What the handler returns; aiohttp sends it unless it was begun here or is cut off."""

    @property
    def host(self) -> str:
        """The Host header of the request."""
        return self._request.host

    def answer(
        self, status: int, headers: Mapping[str, str], body: bytes, content_type: str = JSON
    ) -> None:
        """Answer with *body* as a whole."""
        self.response = web.Response(
            status=status, headers=headers, body=body or None, content_type=content_type or None
        )

    async def begin(self, answer: Answer) -> None:
        """Send the status line and headers of *answer*, Content-Length included."""
        self.response = web.StreamResponse(status=answer.status, headers=answer.headers)
        self.response.content_type = JSON
        self.response.content_length = len(answer.body)
        await self.response.prepare(self._request)

    async def write(self, data: bytes) -> None:
        """Send part of the body that was begun.

        Raises:
            ConnectionError: The client is gone.
        """
        await self.response.write(data)

    async def sleep(self, seconds: float) -> None:
        """Wait as long as the clock takes for *seconds*."""
        await self._clock.sleep(seconds)

    def close(self) -> None:
        """End the connection in order, whatever was sent."""
        if self._request.transport is not None:
            self._request.transport.close()

    def reset(self) -> None:
        """Cut the connection with a RST, so that the client sees a reset and not an end."""
        transport = self._request.transport
        if transport is not None:
            raw = transport.get_extra_info("socket")
            raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET_ON_CLOSE)
            transport.abort()
