"""The campaign's own Stripe, for many connected accounts: ``python -m tests.cluster._stripe``."""

import asyncio
import json
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests._paths import ROOT
from tests.bulk.work import _stripe

KEY = "sk_test_" + "4eC39HqLyjWDarjtT1zdp7dc"


def tenant(number: int) -> str:
    return f"acct_{number:06}"


def accounts(number: int, each: int) -> list[str]:
    """Return the accounts of one tenant; no other tenant has one of these ids."""
    return [f"fca_{n:05}" for n in range(number * each, (number + 1) * each)]


class Stripe(_stripe.Stripe):
    """Gives all tenants as many accounts, a rate limit each, and notes who asks for others'."""

    def __init__(self, tenants: int, each: int, seed: int, log: str, rate: float) -> None:
        super().__init__(tenants * each, seed, log)
        self.shares = {tenant(number): accounts(number, each) for number in range(tenants)}
        for owner, names in self.shares.items():
            for name in names:
                self.accounts[name].tenant = owner
        self.strangers = self.limited = 0
        self.rate = rate
        self.buckets: dict[str, tuple[float, float]] = {}

    async def answer(
        self, writer: asyncio.StreamWriter, method: str, target: str, headers: dict[str, str]
    ) -> None:
        owner = headers.get("stripe-account", "")
        name = target.partition("?")[0].split("/")[4:5]
        if name and self.accounts[name[0]].tenant != owner:
            self.strangers += 1
        if method == "POST" and self.rate and not self.has_token(owner):
            self.limited += 1
            body = json.dumps({"error": {"type": "invalid_request_error"}}).encode()
            await self.reply(writer, 429, body, reason="endpoint-rate")
            return
        await super().answer(writer, method, target, headers)

    def has_token(self, owner: str) -> bool:
        now = time.monotonic()
        tokens, then = self.buckets.get(owner, (self.rate, now))
        tokens = min(tokens + (now - then) * self.rate, self.rate)
        self.buckets[owner] = (tokens - 1 if tokens >= 1 else tokens), now
        return tokens >= 1

    async def control(self, writer: asyncio.StreamWriter, action: str, body: bytes) -> None:
        if action == "facts":
            facts = {"requests": self.requests, "executed": self.executed, "limited": self.limited}
            facts["strangers"] = self.strangers
            await self.reply(writer, 200, json.dumps(facts).encode())
            return
        await super().control(writer, action, body)


class Server:
    """The server in its own process."""

    def __init__(self, url: str, log: Path) -> None:
        self.url, self.log = url, log

    def control(self, action: str, **given: Any) -> Any:
        body = json.dumps(given).encode()
        with urllib.request.urlopen(f"{self.url}/control/{action}", body) as response:
            return json.load(response)

    def executions(self) -> Counter[int]:
        """Return how many accounts were executed how often."""
        return Counter(Counter(self.log.read_text().split()).values())


@contextmanager
def serving(
    folder: Path, *, tenants: int, each: int, seed: int = 1, rate: float = 0.0
) -> Iterator[Server]:
    log = folder / "executions"
    words = [str(tenants), str(each), str(seed), str(log), str(rate)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.cluster._stripe", *words],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        try:
            yield Server(f"http://127.0.0.1:{process.stdout.readline().strip()}", log)
        finally:
            process.stdin.close()  # which ends it
            process.wait(10)


async def main() -> None:
    tenants, each, seed, log, rate = sys.argv[1:]
    stripe = Stripe(int(tenants), int(each), int(seed), log, float(rate))
    await stripe.listen()
    sys.stdout.write(f"{stripe.port}\n")
    sys.stdout.flush()
    await asyncio.get_running_loop().run_in_executor(None, sys.stdin.read)


if __name__ == "__main__":
    asyncio.run(main())
