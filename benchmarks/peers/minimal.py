"""The physical limit: the bytes of one request on an asyncio.Protocol, and orjson.

No TLS, no pool to speak of, no error handling, nothing but Content-Length: not a client.
"""

import asyncio
from urllib.parse import urlsplit

import orjson

from benchmarks import data

BODY = b"features[0]=balance"
RECEIVE = 64 * 1024


class Connection(asyncio.Protocol):
    def __init__(self) -> None:
        self._buffer = b""
        self._whole = 0
        self.answer: asyncio.Future[bytes]

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        if hasattr(transport, "max_size"):
            transport.max_size = RECEIVE
        self.write = transport.write
        self.close = transport.close

    def data_received(self, chunk: bytes) -> None:
        self._buffer = self._buffer + chunk if self._buffer else chunk
        if not self._whole:
            head = self._buffer.find(b"\r\n\r\n")
            if head < 0:
                return
            at = self._buffer.find(b"Content-Length: ") + 16
            length = int(self._buffer[at : self._buffer.find(b"\r", at)])
            self._start, self._whole = head + 4, head + 4 + length
        if len(self._buffer) >= self._whole:
            body = self._buffer[self._start : self._whole]
            self._buffer, self._whole = b"", 0
            self.answer.set_result(body)


class Peer:
    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._address = parts.hostname, parts.port
        common = (
            f" HTTP/1.1\r\nHost: {parts.netloc}\r\nAuthorization: Bearer {data.KEY}\r\n"
            f"Stripe-Version: {data.API_VERSION}\r\n"
        )
        self._get = f"{common}\r\n"
        self._post = (
            f"{common}Content-Type: application/x-www-form-urlencoded\r\n"
            f"Content-Length: {len(BODY)}\r\n\r\n"
        )
        self._idle: list[Connection] = []

    async def _send(self, request: bytes) -> bytes:
        loop = asyncio.get_running_loop()
        if self._idle:
            connection = self._idle.pop()
        else:
            _, connection = await loop.create_connection(Connection, *self._address)
        connection.answer = loop.create_future()
        connection.write(request)
        body = await connection.answer
        self._idle.append(connection)
        return body

    async def refresh(self, account: str) -> str:
        target = f"POST {data.ROOT}/{account}/refresh"
        return str(
            orjson.loads(await self._send(f"{target}{self._post}".encode() + BODY))["status"]
        )

    async def walk(self, customer: str) -> int:
        active, start = 0, f"GET {data.ROOT}?account_holder[customer]={customer}&limit=100"
        target = start
        while True:
            page = orjson.loads(await self._send(f"{target}{self._get}".encode()))
            for account in page["data"]:
                active += account["status"] == "active"
            if not page["has_more"]:
                return active
            target = f"{start}&starting_after={page['data'][-1]['id']}"

    async def aclose(self) -> None:
        for connection in self._idle:
            connection.close()


async def connect(url: str) -> Peer:
    return Peer(url)
