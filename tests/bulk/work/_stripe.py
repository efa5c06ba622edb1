"""A Stripe of the campaign's own, which shares nothing with the sandbox: keys, faults, two clocks.

It runs in a process of its own. Every execution is one line of a log, so that what was done is
known whatever the clients say. Keys are forgotten by true time, which may jump forward between
runs; dates come from a clock that may be set back.
"""

import asyncio
import json
import random
import time
from collections import Counter
from email.utils import formatdate
from typing import Any
from urllib.parse import parse_qs, urlsplit

import attrs

DAY = 86_400.0
PROXY_AHEAD = 2 * DAY
"""The clock of what stands in front of the API is wrong by this much."""


@attrs.define
class Mood:
    """How often what goes wrong, and how long banks take. All times are in seconds."""

    faults: float = 0.0
    """The share of requests to which something happens."""
    banks: float = 0.0
    """The longest time until a bank answers; they are spread from 0."""
    set_back: float = 0.0
    """The chance, with each request, that the clock for dates is set back."""
    webhooks: bool = False


def shares(count: int, tenants: int) -> dict[str, list[str]]:
    """Return who has which accounts: tenant number n has about n times as many as the first.

    Without tenants all are the platform's own, which has the empty name.
    """
    ids = [f"fca_{number:05}" for number in range(count)]
    if not tenants:
        return {"": ids}
    weights = tenants * (tenants + 1) // 2
    found: dict[str, list[str]] = {}
    taken = 0
    for number in range(1, tenants + 1):
        end = count * (number * (number + 1) // 2) // weights
        found[f"acct_{number}"] = ids[taken:end]
        taken = end
    return found


@attrs.define
class Account:
    id: str
    tenant: str
    bank: float
    """The part of the longest time that its bank takes, in [0, 1)."""
    attempted: int = 0
    """By the clock for dates, as Stripe shows it; 0 before the first refresh."""
    settles: float = 0.0
    """By true time."""


class Stripe:
    """The server's state, which survives its restarts."""

    def __init__(self, count: int, seed: int, log: str, tenants: int = 0) -> None:
        self.rng = random.Random(seed)
        self.log = open(log, "ab", buffering=0)  # noqa: SIM115, PTH123 - as long as the process
        self.shares = shares(count, tenants)
        self.accounts = {
            name: Account(name, tenant, self.rng.random())
            for tenant, names in self.shares.items()
            for name in names
        }
        self.executed: Counter[str] = Counter()
        self.keys: dict[str, tuple[float, int, bytes]] = {}
        self.busy: set[str] = set()
        self.mood = Mood()
        self.jumped = 0.0
        self.set_back = 0.0
        self.requests = 0
        self.open: set[asyncio.StreamWriter] = set()
        self.listeners: set[asyncio.StreamWriter] = set()
        self.server: asyncio.Server | None = None
        self.port = 0

    def now(self) -> float:
        return time.time() + self.jumped

    def date(self) -> float:
        return self.now() - self.set_back

    def show(self, account: Account) -> dict[str, Any]:
        refresh = None
        if account.attempted:
            status = "pending" if self.now() < account.settles else "succeeded"
            refresh = {"status": status, "last_attempted_at": account.attempted}
        return {
            "id": account.id,
            "object": "financial_connections.account",
            "livemode": False,
            "status": "active",
            "permissions": ["balances"],
            "balance_refresh": refresh,
        }

    def execute(self, account: Account) -> None:
        self.executed[account.id] += 1
        self.log.write(f"{account.id}\n".encode())
        account.attempted = int(self.date())
        account.settles = self.now() + account.bank * self.mood.banks
        if self.mood.webhooks:
            self.schedule_webhooks(account)

    def schedule_webhooks(self, account: Account) -> None:
        """Missing, late, repeated, and now and then about the state before."""
        stale = self.show(account) | {
            "balance_refresh": {"status": "succeeded", "last_attempted_at": account.attempted - 400}
        }
        loop = asyncio.get_running_loop()
        if self.rng.random() < 0.2:
            loop.call_later(self.rng.random() * 0.5, self.tell, lambda: stale)
        for _ in range(self.rng.choice((0, 1, 1, 2, 3))):
            late = max(account.settles - self.now(), 0.0) + self.rng.random() * 0.3
            loop.call_later(late, self.tell, lambda: self.show(account))

    def tell(self, what: Any) -> None:
        account = what()
        told = {"tenant": self.accounts[account["id"]].tenant, "account": account}
        line = json.dumps(told).encode() + b"\n"
        for listener in self.listeners:
            listener.write(line)

    async def listen(self) -> None:
        self.server = await asyncio.start_server(self.serve, "127.0.0.1", self.port, limit=1 << 20)
        self.port = self.server.sockets[0].getsockname()[1]

    async def restart(self, seconds: float) -> None:
        """Break every connection, and be unreachable for *seconds*."""
        assert self.server is not None
        self.server.close()
        for writer in list(self.open):
            writer.transport.abort()
        await asyncio.sleep(seconds)
        await self.listen()

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open.add(writer)
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                lines = head.decode().split("\r\n")
                method, target, _ = lines[0].split(" ")
                pairs = (line.split(": ", 1) for line in lines[1:] if line)
                headers = {name.lower(): value for name, value in pairs}
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                if target == "/events":
                    self.listeners.add(writer)
                    await reader.read()
                    return
                if target.startswith("/control/"):
                    await self.control(writer, target.removeprefix("/control/"), body)
                else:
                    await self.answer(writer, method, target, headers)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open.discard(writer)
            self.listeners.discard(writer)
            writer.close()

    async def control(self, writer: asyncio.StreamWriter, action: str, body: bytes) -> None:
        given = json.loads(body or b"{}")
        if action == "mood":
            self.mood = Mood(**given)
        elif action == "jump":
            while self.busy:  # nothing that was sent before may still be under way after a day
                await asyncio.sleep(0.01)
            self.jumped += given["seconds"]
        elif action == "restart":
            asyncio.get_running_loop().create_task(self.restart(given["seconds"]))
        facts = {"requests": self.requests, "executed": self.executed, "set_back": self.set_back}
        await self.reply(writer, 200, json.dumps(facts).encode())

    async def answer(
        self, writer: asyncio.StreamWriter, method: str, target: str, headers: dict[str, str]
    ) -> None:
        self.requests += 1
        if self.rng.random() < self.mood.set_back:
            self.set_back += self.rng.choice((600.0, 7200.0))
        fault = self.rng.random() < self.mood.faults
        url = urlsplit(target)
        parts = url.path.split("/")[4:]
        tenant = headers.get("stripe-account", "")
        if parts and self.accounts[parts[0]].tenant != tenant:
            await self.reply(writer, 404, _error("no such account"))
        elif method == "GET":
            query = parse_qs(url.query)
            await self.answer_get(writer, parts, self.shares.get(tenant, []), query, fault)
        else:
            await self.answer_post(writer, parts[0], headers["idempotency-key"], fault)

    async def answer_get(
        self,
        writer: asyncio.StreamWriter,
        parts: list[str],
        ids: list[str],
        query: Any,
        fault: bool,
    ) -> None:
        if parts:
            found = self.show(self.accounts[parts[0]])
        else:
            limit = int(query.get("limit", ["10"])[0])
            after = query.get("starting_after")
            start = 0 if after is None else ids.index(after[0]) + 1
            page = [self.show(self.accounts[name]) for name in ids[start : start + limit]]
            more = start + limit < len(ids)
            found = {"object": "list", "url": "/v1/x", "has_more": more, "data": page}
        body = json.dumps(found).encode()
        match self.rng.choice(("slow", "503", "reset", "html")) if fault else None:
            case "slow":
                await asyncio.sleep(self.rng.random() * 0.6)  # computed before, sent after
            case "503":
                return await self.reply(writer, 503, _error("unavailable"))
            case "html":
                return await self.proxy(writer)
            case "reset":
                raise ConnectionResetError
        await self.reply(writer, 200, body)
        return None

    async def answer_post(
        self, writer: asyncio.StreamWriter, name: str, key: str, fault: bool
    ) -> None:
        known = self.keys.get(key)
        if known is not None and self.now() - known[0] < DAY:
            return await self.reply(writer, known[1], known[2], replayed=True)
        if key in self.busy:
            return await self.reply(writer, 409, _error("in use", "idempotency_key_in_use"))
        if self.rng.random() < 0.02:
            return await self.reply(writer, 429, _error("slow down"), reason="resource-specific")
        kind = self.rng.choice(_POST_FAULTS) if fault else "none"
        account = self.accounts[name]
        if kind.startswith("stall"):
            await self.stall(key, account, is_done=kind.endswith(", done"))
        elif kind.startswith("stored"):
            if kind.endswith(", done"):
                self.execute(account)
            self.keys[key] = self.now(), 500, _error("something broke")
            await self.reply(writer, 500, _error("something broke"))
        else:
            is_done = kind == "none" or kind.endswith(", done")
            body = self.keep(key, account) if is_done else b""
            await self.answer_unkept(writer, kind.partition(",")[0], body)
        return None

    async def stall(self, key: str, account: Account, *, is_done: bool) -> None:
        """Carry the request out now or later, and answer too late for any client."""
        self.busy.add(key)
        try:
            if is_done:
                self.execute(account)
            # What becomes of the client does not matter.
            await asyncio.shield(asyncio.sleep(0.5 + self.rng.random()))
            if not is_done:
                self.execute(account)
            self.keys[key] = self.now(), 200, json.dumps(self.show(account)).encode()
        finally:
            self.busy.discard(key)
        raise ConnectionResetError

    async def answer_unkept(self, writer: asyncio.StreamWriter, kind: str, body: bytes) -> None:
        """Answer in a way that no key remembers; what was done is remembered."""
        match kind:
            case "none":
                return await self.reply(writer, 200, body)
            case "503":
                return await self.reply(writer, 503, _error("unavailable"))
            case "html":
                return await self.proxy(writer)
            case "truncate":
                writer.write(_head(200, len(body), self.date()) + body[: len(body) // 2])
                await writer.drain()
        raise ConnectionResetError

    def keep(self, key: str, account: Account) -> bytes:
        self.execute(account)
        body = json.dumps(self.show(account)).encode()
        self.keys[key] = self.now(), 200, body
        return body

    async def proxy(self, writer: asyncio.StreamWriter) -> None:
        body = b"<html>Bad Gateway</html>"
        writer.write(_head(502, len(body), self.date() + PROXY_AHEAD, "text/html") + body)
        await writer.drain()

    async def reply(
        self,
        writer: asyncio.StreamWriter,
        status: int,
        body: bytes,
        *,
        replayed: bool = False,
        reason: str | None = None,
    ) -> None:
        more = "Request-Id: req_1\r\n"
        if replayed:
            more += "Idempotent-Replayed: true\r\n"
        if reason:
            more += f"Stripe-Rate-Limited-Reason: {reason}\r\n"
        writer.write(_head(status, len(body), self.date(), more=more) + body)
        await writer.drain()


_POST_FAULTS = (
    "reset",
    "reset, done",
    "truncate, done",
    "stall",
    "stall, done",
    "stored",
    "stored, done",
    "503",
    "503, done",
    "html",
    "html, done",
)


def _head(
    status: int, length: int, date: float, kind: str = "application/json", more: str = ""
) -> bytes:
    return (
        f"HTTP/1.1 {status} X\r\nDate: {formatdate(date, usegmt=True)}\r\nContent-Type: {kind}\r\n"
        f"Content-Length: {length}\r\n{more}\r\n"
    ).encode()


def _error(message: str, code: str | None = None) -> bytes:
    kind = "idempotency_error" if code else "api_error"
    return json.dumps({"error": {"type": kind, "code": code, "message": message}}).encode()


def run(count: int, seed: int, log: str, ready: Any, tenants: int = 0) -> None:
    """Serve until killed; *ready* is called with the port."""

    async def main() -> None:
        stripe = Stripe(count, seed, log, tenants)
        await stripe.listen()
        ready(stripe.port)
        await asyncio.Event().wait()

    asyncio.run(main())
