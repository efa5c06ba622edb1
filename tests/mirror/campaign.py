"""Kill mirrors again and again while Stripe moves on, and compare the tables with the list.

    python -m tests.mirror.campaign --kills 50 --accounts 2000 --transactions 50

Processes sync one database, in PostgreSQL two of them at once, and are killed (SIGKILL) at random
moments, while accounts are refreshed. No cursor may ever move back. In the end nothing moves, a
last sync runs to its end, and the tables must equal the list, row by row.
"""

import argparse
import asyncio
import random
import sys
import tempfile
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

from aiohttp import web

import fcasync
from fcasync.mirror import Mirror
from tests._bank import Bank
from tests._paths import ROOT
from tests.mirror import _postgres
from tests.mirror._look import cursors, listed, transactions

PREFIX = "/v1/financial_connections/"


class Stripe:
    """A bank behind a socket; some of its accounts are refreshed while it serves."""

    def __init__(self, accounts: int, rows: int, seed: int) -> None:
        self._draw = random.Random(seed)
        self.bank = Bank(accounts)
        self.is_moving = True
        for account in self.bank.accounts.values():
            ids = (f"fctxn_{account.id[4:]}_{number}" for number in range(rows))
            statuses = ("pending", "posted")
            account.refresh({"id": name, "status": self._draw.choice(statuses)} for name in ids)

    async def serve(self, request: web.Request) -> web.Response:
        if self.is_moving and self._draw.random() < 0.1:
            account = self._draw.choice(list(self.bank.accounts.values()))
            account.refresh(account.changes(self._draw))
        kind, _, name = request.path.removeprefix(PREFIX).partition("/")
        operation = {"accounts": "retrieve" if name else "list"}.get(kind, "list_transactions")
        asked: Any = SimpleNamespace(
            operation=SimpleNamespace(name=operation),
            query=request.query_string,
            object_id=name or None,
        )
        answer = self.bank.respond(asked)
        return web.Response(body=answer.body, status=answer.status, headers=answer.headers)

    def is_behind(self, account: str, old: str | None, new: str | None) -> bool:
        """Return whether cursor *new* stands before *old*."""
        ids = [None, *(each["id"] for each in self.bank.accounts[account].refreshes)]
        return ids.index(new) < ids.index(old)


async def play(
    url: str, *, at_once: int, kills: int, accounts: int, rows: int, seed: int
) -> dict[str, Any]:
    """Play one campaign on an empty database; return its figures."""
    stripe, draw, began = Stripe(accounts, rows, seed), random.Random(seed + 1), time.monotonic()
    app = web.Application()
    app.router.add_get(PREFIX + "{path:.*}", stripe.serve)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    server: Any = site._server
    base = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    known: dict[str, str | None] = {}
    moved_back = unfinished = 0
    try:
        async with Mirror(url):
            pass
        for _ in range(kills):
            workers = [await start(base, url) for _ in range(at_once)]
            await asyncio.sleep(draw.random() * 2)
            for worker in workers:
                if worker.returncode is None:
                    unfinished += 1
                    worker.kill()
                await worker.wait()
            found = await cursors(url)
            moved_back += sum(
                stripe.is_behind(name, known[name], found.get(name)) for name in known
            )
            known = found
        stripe.is_moving = False
        last = [await start(base, url) for _ in range(at_once)]
        codes = [await worker.wait() for worker in last]
        codes.append(await (await start(base, url)).wait())
    finally:
        await runner.cleanup()
    truth, stored = listed(stripe.bank), await transactions(url)
    wrong = sum(stored.get(name) != row for name, row in truth.items())
    return {
        "killed at work": unfinished,
        "transactions": len(truth),
        "refreshes": sum(len(each.refreshes) for each in stripe.bank.accounts.values()),
        "missing or wrong": wrong + len(stored.keys() - truth.keys()),
        "cursors moved back": moved_back,
        "exit codes": codes,
        "seconds": round(time.monotonic() - began),
    }


async def start(base: str, url: str) -> asyncio.subprocess.Process:
    """Start a process that syncs, and wait until it begins."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "tests.mirror.campaign", "--work", base, url),
        stdout=asyncio.subprocess.PIPE,
        cwd=ROOT,
    )
    assert process.stdout is not None
    await process.stdout.readline()
    return process


async def work(base: str, url: str) -> None:
    """Sync everything once."""
    async with fcasync.Client("sk_test_campaign", base_url=base) as client, Mirror(url) as mirror:
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        report = await mirror.sync(client, client.accounts.list())
    if report.failed:
        raise SystemExit(str(report))


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.mirror.campaign", description=__doc__)
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--accounts", type=int, default=2_000)
    parser.add_argument("--transactions", type=int, default=50, help="of each account")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", nargs=2, metavar=("BASE", "URL"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work:
        asyncio.run(work(*options.work))
        return
    size = {"kills": options.kills, "accounts": options.accounts, "rows": options.transactions}
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{Path(folder) / 'bank.db'}"
        tell("SQLite, one at a time", asyncio.run(play(url, at_once=1, seed=options.seed, **size)))
    if (reason := _postgres.why_not()) is not None:
        tell("PostgreSQL", {"left out": reason})
        return
    with _postgres.running() as cluster:
        url = cluster.database()
        figures = asyncio.run(play(url, at_once=2, seed=options.seed, **size))
        tell("PostgreSQL, two at once", figures)


def tell(name: str, figures: dict[str, Any]) -> None:
    facts = ", ".join(f"{what}: {value}" for what, value in figures.items())
    sys.stdout.write(f"{name}: {facts}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
