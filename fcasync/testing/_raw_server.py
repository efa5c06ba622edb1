"""A server of bytes on 127.0.0.1, which answers with any bytes, also wrong ones."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Final, Self, TypeAlias

import attrs

SETTLED: Final = 10
"""Turns of the loop, more than asyncio needs from accepting a connection to serving it."""


@attrs.frozen
class Received:
    """One request, as it came over the wire."""

    method: str
    target: str
    headers: tuple[tuple[str, str], ...] = attrs.field(repr=False)
    """Names in lower case, in the order in which they came."""
    body: bytes

    def all(self, name: str) -> list[str]:
        """Return every value of a header."""
        return [value for each, value in self.headers if each == name.lower()]


class Peer:
    """The connection over which a request came."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    async def write(self, data: bytes) -> None:
        """Send *data*."""
        self._writer.write(data)
        await self._writer.drain()

    async def gone(self) -> None:
        """Return when the other side has closed the connection."""
        await self._reader.read()

    def reset(self) -> None:
        """Break the connection."""
        self._writer.transport.abort()

    async def close(self) -> None:
        """End the connection in good order, after all that was written."""
        self._writer.close()
        await self._writer.wait_closed()


Respond: TypeAlias = Callable[[Received, Peer], Awaitable[None]]


class RawServer:
    """Reads requests, one after the other on each connection, and lets a function answer.

    Args:
        respond: Called with each request and its connection.
    """

    def __init__(self, respond: Respond) -> None:
        self.respond = respond
        self.received: list[Received] = []
        self.connections = 0
        """How many are open."""
        self.url = ""
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"
        return self

    async def __aexit__(self, *error: object) -> None:
        assert self._server is not None  # noqa: S101 - entered
        self._server.close()
        quiet = 0  # turns of the loop in which nobody was there
        while quiet < SETTLED:  # one that was just accepted appears, one that is broken goes
            for writer in self._writers:
                writer.transport.abort()
            await asyncio.sleep(0)
            quiet = 0 if self.connections else quiet + 1

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None  # noqa: S101 - coroutines run in tasks
        task.set_name("fcasync.testing.connection")
        self._writers.add(writer)
        self.connections += 1
        try:
            with suppress(OSError, EOFError):  # the other side has gone, as it may
                while not writer.is_closing():
                    received = await _read(reader)
                    self.received.append(received)
                    await self.respond(received, Peer(reader, writer))
        finally:
            self.connections -= 1
            self._writers.discard(writer)
            writer.transport.abort()


async def _read(reader: asyncio.StreamReader) -> Received:
    """Return the next request.

    Raises:
        EOFError: There are no more.
    """
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    first, *lines = head.rstrip("\r\n").split("\r\n")
    method, target, _ = first.split(" ", 2)
    pairs = (line.partition(":") for line in lines)
    headers = tuple((name.strip().lower(), value.strip()) for name, _, value in pairs)
    length = next((int(value) for name, value in headers if name == "content-length"), 0)
    return Received(method, target, headers, await reader.readexactly(length))


def http(
    body: bytes, *, status: str = "200 OK", length: int | None = None, **headers: str
) -> bytes:
    """Return an answer as bytes.

    Args:
        body: What is sent of the body.
        status: The status and its reason.
        length: What ``Content-Length`` says, if that is another one.
        **headers: More of them, with ``_`` for ``-``.
    """
    size = len(body) if length is None else length
    lines = "".join(f"{name.replace('_', '-')}: {value}\r\n" for name, value in headers.items())
    return f"HTTP/1.1 {status}\r\nContent-Length: {size}\r\n{lines}\r\n".encode() + body
