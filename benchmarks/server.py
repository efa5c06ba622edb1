"""A server much cheaper than any of its clients: it sends prepared responses as ``bytes``.

The number in a customer's id is the number of its accounts. Pages differ only in the id of their
last account, at which the next page starts.
"""

import asyncio
import json
import re
import ssl
import sys
from typing import Any

from benchmarks import data

_LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
_TOTAL = re.compile(rb"cus_(\d+)")
_ACCOUNT = re.compile(rb"[?&]account=fca_1SpeedTest(\d{14})|/accounts/(fca_\w+) ")
_AFTER = re.compile(rb"[?&]starting_after=\w*?(\d{14})(?=[& ])")


def answer(body: bytes) -> bytes:
    """Return a complete response with the headers that Stripe sends."""
    return _head(len(body)) + body


def _head(length: int) -> bytes:
    lines = (
        "HTTP/1.1 200 OK",
        "Server: nginx",
        "Date: Thu, 09 Oct 2025 08:53:20 GMT",
        "Content-Type: application/json",
        f"Content-Length: {length}",
        "Connection: keep-alive",
        "Cache-Control: no-cache, no-store",
        "Request-Id: req_1SpeedTest0001",
        f"Stripe-Version: {data.API_VERSION}",
        "Strict-Transport-Security: max-age=63072000; includeSubDomains; preload",
        "Vary: Origin",
    )
    return "\r\n".join((*lines, "", "")).encode()


class Answers:
    """All responses, prepared once."""

    def __init__(self) -> None:
        one = answer(json.dumps(data.account(1)).encode())
        self._account = one.partition(data.account_id(1).encode())
        last = data.account_id(data.PAGE - 1).encode()
        self._more = answer(data.page()).partition(last)
        self._transactions = answer(data.transactions())
        self._last = answer(data.page(has_more=False)).partition(last)

    def to(self, request: bytes) -> bytes:
        """Return the response to *request*; only its first line matters."""
        if request.startswith(b"POST"):
            # /v1/financial_connections/accounts/{id}/refresh: an answer is about what was asked for
            return self._account[0] + request.split(b"/", 5)[4] + self._account[2]
        if of := _ACCOUNT.search(request):
            if of[2]:
                return self._account[0] + of[2] + self._account[2]
            return self._transactions.replace(data.account_id(0)[-14:].encode(), of[1])
        total, after = _TOTAL.search(request), _AFTER.search(request)
        end = (int(after[1]) + 1 if after else 0) + data.PAGE
        parts = self._more if total and end < int(total[1]) else self._last
        return parts[0] + data.account_id(end - 1).encode() + parts[2]


class Connection(asyncio.Protocol):
    """A minimal HTTP/1.1 connection with keep-alive."""

    def __init__(self, answers: Answers) -> None:
        self._answers = answers
        self._buffer = b""

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def data_received(self, chunk: bytes) -> None:
        self._buffer += chunk
        while (end := self._end()) is not None:
            request, self._buffer = self._buffer[:end], self._buffer[end:]
            self._transport.write(self._answers.to(request))

    def _end(self) -> int | None:
        """Return the end of the first request in the buffer, or None if it is incomplete."""
        head = self._buffer.find(b"\r\n\r\n")
        if head < 0:
            return None
        length = _LENGTH.search(self._buffer, 0, head)
        end = head + 4 + (int(length[1]) if length else 0)
        return end if len(self._buffer) >= end else None


async def serve(certificate: str | None) -> None:
    """Serve until standard input ends; the first line printed is the URL.

    Args:
        certificate: File of a private key and its certificates, for TLS.
    """
    answers, loop = Answers(), asyncio.get_running_loop()
    context = None
    if certificate is not None:
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate)
    server = await loop.create_server(
        lambda: Connection(answers), "127.0.0.1", 0, backlog=1024, ssl=context
    )
    scheme = "http" if context is None else "https"
    print(f"{scheme}://127.0.0.1:{server.sockets[0].getsockname()[1]}", flush=True)
    async with server:
        await loop.run_in_executor(None, sys.stdin.read)


def main(certificate: str | None = None) -> None:
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(serve(certificate))
    else:
        uvloop.run(serve(certificate))


if __name__ == "__main__":
    main(*sys.argv[1:])
