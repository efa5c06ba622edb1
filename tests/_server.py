"""A server that sends exactly the bytes that a test chooses."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

Behaviour = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def http(body: bytes = b"{}", status: str = "200 OK", **headers: str) -> bytes:
    """Return an HTTP/1.1 response; underscores in header names become hyphens."""
    fields = {"Content-Type": "application/json", "Content-Length": str(len(body))}
    fields |= {name.replace("_", "-"): value for name, value in headers.items()}
    lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"HTTP/1.1 {status}\r\n{lines}\r\n".encode() + body


class Server:
    """A running server: its address and the requests that it has received."""

    def __init__(self) -> None:
        self.requests: list[bytes] = []
        """Head and body of each request."""
        self.connections = 0
        self.url = ""

    async def read(self, reader: asyncio.StreamReader) -> bytes:
        """Record and return the next request; empty if the client disconnected."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return b""
        length = 0
        for line in head.split(b"\r\n"):
            if line.lower().startswith(b"content-length:"):
                length = int(line.split(b":")[1])
        request = head + await reader.readexactly(length)
        self.requests.append(request)
        return request

    def header(self, name: str, index: int = -1) -> str | None:
        """Return a header of a received request."""
        for line in self.requests[index].split(b"\r\n\r\n")[0].split(b"\r\n")[1:]:
            key, _, value = line.decode().partition(": ")
            if key.lower() == name.lower():
                return value
        return None


@asynccontextmanager
async def serving(*script: bytes | Behaviour) -> AsyncIterator[Server]:
    """Serve *script*, one step per request; the last one is repeated.

    A step is what to write (the connection is then kept), or a function of reader and writer,
    after which it is closed.
    """
    server, steps = Server(), list(script)
    writers: set[asyncio.StreamWriter] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        server.connections += 1
        writers.add(writer)
        try:
            while await server.read(reader):
                step = steps.pop(0) if len(steps) > 1 else steps[0]
                if not isinstance(step, bytes):
                    await step(reader, writer)
                    return
                writer.write(step)
                await writer.drain()
        except ConnectionError:
            return  # the client disconnected first, as some tests intend
        finally:
            writer.close()
            writers.discard(writer)

    listener = await asyncio.start_server(handle, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    server.url = f"http://127.0.0.1:{port}"
    try:
        yield server
    finally:
        # A connection that is being accepted as the listener closes is left open by asyncio.
        for _ in range(5):
            await asyncio.sleep(0)
        listener.close()
        # Since Python 3.12 wait_closed() waits for the connections that clients keep open.
        for writer in writers:
            writer.close()
        await listener.wait_closed()


async def reset(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Drop the connection without a response."""
    writer.transport.abort()


async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send nothing until the client disconnects."""
    await reader.read()


async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Send an endless body one byte at a time."""
    writer.write(http(b"", Content_Length="1000000"))
    while not writer.is_closing():
        writer.write(b" ")
        await writer.drain()
        await asyncio.sleep(0.01)
