"""A server that answers each request rightly, or in one of many wrong ways.

It shares no code with the package or the sandbox, so that a misreading cannot be on both sides.
A right answer says whom it is for: it repeats the id, and the idempotency key where there is one.
"""

import asyncio
import gzip
import json
import os
import random
import struct
import time
from collections.abc import Awaitable, Callable

import attrs

JSON = "Content-Type: application/json\r\n"
LIMITED = "/subscribe"
"""The operation with a real rate limit; the 429s of all others are about one object only."""
RATE = 60.0


@attrs.frozen
class Asked:
    """What a request asks for."""

    path: str
    subject: str
    """The id of the account, or of the customer whose accounts are listed."""
    key: str

    def body(self) -> bytes:
        account = {
            "id": self.subject,
            "object": "financial_connections.account",
            "institution_name": self.key or self.subject,
        }
        if "?" not in self.path:
            return json.dumps(account).encode()
        rows = {"object": "list", "data": [account], "has_more": False, "url": self.path}
        return json.dumps(rows).encode()


def whole(body: bytes, status: str = "200 OK", more: str = "") -> bytes:
    return f"HTTP/1.1 {status}\r\n{JSON}{more}Content-Length: {len(body)}\r\n\r\n".encode() + body


def failing(status: str, code: str = "", more: str = "") -> bytes:
    return whole(json.dumps({"error": {"code": code, "message": "no"}}).encode(), status, more)


class Conversation:
    """One connection. Each answer is a coroutine that returns whether the connection is kept."""

    def __init__(self, writer: asyncio.StreamWriter, dice: random.Random) -> None:
        self.writer = writer
        self.dice = dice
        self.later: list[asyncio.TimerHandle] = []

    def write(self, *parts: bytes) -> bool:
        self.writer.writelines(parts)
        return True

    async def right(self, asked: Asked) -> bool:
        return self.write(whole(asked.body()))

    async def in_pieces(self, asked: Asked) -> bool:
        answer = whole(asked.body())
        for start in range(0, len(answer), 90):
            self.write(answer[start : start + 90])
            await asyncio.sleep(0)
        return True

    async def chunked(self, asked: Asked) -> bool:
        body = asked.body()
        self.write(f"HTTP/1.1 200 OK\r\n{JSON}Transfer-Encoding: chunked\r\n\r\n".encode())
        for start in range(0, len(body), 50):
            piece = body[start : start + 50]
            self.write(b"%x\r\n" % len(piece), piece, b"\r\n")
            await asyncio.sleep(0)
        return self.write(b"0\r\n\r\n")

    async def zipped(self, asked: Asked) -> bool:
        return self.write(whole(gzip.compress(asked.body()), more="Content-Encoding: gzip\r\n"))

    async def announced(self, asked: Asked) -> bool:
        """Send answers of class 1xx first."""
        for status in ("100 Continue", "102 Processing", "103 Early Hints"):
            self.write(f"HTTP/1.1 {status}\r\n\r\n".encode())
        return await self.right(asked)

    async def slow(self, asked: Asked) -> bool:
        await asyncio.sleep(self.dice.uniform(0.0, 0.05))
        return await self.right(asked)

    async def reset(self, asked: Asked) -> bool:
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER of 0: close() sends a RST
        self.writer.transport.abort()
        return False

    async def reset_after_head(self, asked: Asked) -> bool:
        self.write(whole(asked.body())[:40])
        await self.writer.drain()
        return await self.reset(asked)

    async def closed_without_a_word(self, asked: Asked) -> bool:
        """Close after the answer, as if the connection had been idle for too long."""
        await self.right(asked)
        return False

    async def truncated(self, asked: Asked) -> bool:
        self.write(whole(asked.body())[:-10])
        return False

    async def truncated_zip(self, asked: Asked) -> bool:
        body = gzip.compress(asked.body())[:-12]
        return self.write(whole(body, more="Content-Encoding: gzip\r\n"))

    async def stalled(self, asked: Asked) -> bool:
        await asyncio.sleep(5)
        return False

    async def stalled_body(self, asked: Asked) -> bool:
        self.write(whole(asked.body())[:-10])
        return await self.stalled(asked)

    async def other_id(self, asked: Asked) -> bool:
        return self.write(whole(Asked("", "fca_other", "").body()))

    async def stray_at_once(self, asked: Asked) -> bool:
        answer = whole(asked.body())
        return self.write(answer + whole(Asked("", asked.subject, "stray").body()))

    async def stray_later(self, asked: Asked) -> bool:
        """Send another answer when the connection is idle, or serves somebody else."""
        stray = whole(Asked("", asked.subject, "stray").body())
        if self.dice.random() < 0.3:
            stray = failing("408 Request Timeout", more="Connection: close\r\n")
        delay = self.dice.choice((0.0, 0.001, 0.005, 0.02))
        self.later.append(asyncio.get_running_loop().call_later(delay, self.write, stray))
        return await self.right(asked)

    async def garbage(self, asked: Asked) -> bool:
        self.write(b"SSH-2.0-nonsense\r\n\r\n")
        return False

    async def switching(self, asked: Asked) -> bool:
        return self.write(b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n")

    async def status(self, asked: Asked) -> bool:
        choices = ("500 Oops", "502 Bad", "503 Busy", "409 Conflict", "404 None", "401 Who")
        return self.write(failing(self.dice.choice(choices)))

    async def limited(self, asked: Asked) -> bool:
        more = "Stripe-Rate-Limited-Reason: resource-specific\r\nRetry-After: 0\r\n"
        return self.write(failing("429 Slow", more=more))


Answer = Callable[[Conversation, Asked], Awaitable[bool]]
RIGHT: list[Answer] = [
    *[Conversation.right] * 6,
    Conversation.in_pieces,
    Conversation.chunked,
    Conversation.zipped,
    Conversation.announced,
    Conversation.slow,
]
WRONG: list[Answer] = [
    Conversation.reset,
    Conversation.reset_after_head,
    Conversation.closed_without_a_word,
    Conversation.truncated,
    Conversation.truncated_zip,
    Conversation.stalled,
    Conversation.stalled_body,
    Conversation.other_id,
    *[Conversation.stray_at_once] * 2,
    *[Conversation.stray_later] * 4,
    Conversation.garbage,
    Conversation.switching,
    *[Conversation.status] * 3,
    Conversation.limited,
]


class Hostile:
    """The server; *faults* is the share of wrong answers."""

    def __init__(self, seed: int, faults: float) -> None:
        self.dice = random.Random(seed)
        self.faults = faults
        self.tokens, self.filled_at = RATE / 4, time.monotonic()

    def has_token(self) -> bool:
        now = time.monotonic()
        self.tokens = min(RATE / 4, self.tokens + (now - self.filled_at) * RATE)
        self.filled_at = now
        self.tokens -= self.tokens >= 1
        return self.tokens >= 1

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = Conversation(writer, self.dice)
        try:
            while asked := await read(reader):
                if LIMITED in asked.path and not self.has_token():
                    talk.write(failing("429 Slow"))
                    continue
                is_wrong = self.dice.random() < self.faults
                answer = self.dice.choice(WRONG if is_wrong else RIGHT)
                if not await answer(talk, asked):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            return  # the client went first, as it may
        finally:
            for handle in talk.later:
                handle.cancel()
            writer.close()


async def read(reader: asyncio.StreamReader) -> Asked | None:
    """Return the next request; None at the end of the connection."""
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
    except asyncio.IncompleteReadError:
        return None
    lines = head.split("\r\n")
    fields = dict(line.lower().split(": ", 1)[:2] for line in lines[1:] if ": " in line)
    await reader.readexactly(int(fields.get("content-length", 0)))
    path = lines[0].split()[1]
    subject = path.split("[customer]=")[-1].split("&")[0] if "?" in path else path.split("/")[4]
    return Asked(path, subject, fields.get("idempotency-key", ""))


def serve(seed: int, faults: float, announce: Callable[[int], object]) -> None:
    """Serve until the parent process is gone."""

    async def main() -> None:
        server = await asyncio.start_server(
            Hostile(seed, faults).handle, "127.0.0.1", 0, backlog=1024
        )
        announce(server.sockets[0].getsockname()[1])
        parent = os.getppid()
        while os.getppid() == parent:
            await asyncio.sleep(0.5)

    asyncio.run(main())
