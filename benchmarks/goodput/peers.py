"""The competitors. Each is a coroutine that refreshes accounts and counts them.

``python -m benchmarks.goodput.peers NAME SCHEDULE`` runs one of them: it reads the line that the
server printed from standard input, and prints its counts as one line of JSON.
"""

import asyncio
import json
import random
import sys
import tempfile
from collections import deque
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import aiohttp

import fcasync as fc
from benchmarks.data import API_VERSION, ROOT
from benchmarks.goodput.schedule import SCHEDULES, Schedule

WORKERS = 64
RETRIES = 8
FIRST_WAIT, LONGEST_WAIT = 0.5, 8.0
"""Seconds; the first wait is that of the official SDK."""
AFTER_THE_END = 0.3
"""Seconds for which competitors continue, so that none stops before the schedule ends."""


class Job(NamedTuple):
    """The input of a competitor."""

    url: str
    api_key: str
    ids: list[str]
    schedule: Schedule
    """For the competitor that knows the limit in advance."""


class Tally:
    """The counts that a competitor reports."""

    def __init__(self) -> None:
        self.done = self.given_up = 0

    def count(self, is_done: bool) -> None:
        """Count an account that is done or given up."""
        self.done += is_done
        self.given_up += not is_done


Attempt = Callable[[str], Awaitable[bool]]
"""Sends one request for an account; returns False on a 429."""


async def bulk(job: Job, tally: Tally) -> None:
    """fcasync, with a journal on disk, as intended."""
    with tempfile.TemporaryDirectory() as folder:
        async with (
            fc.Client(job.api_key, base_url=job.url) as client,
            client.bulk.refresh(
                job.ids, features=["balance"], journal=Path(folder) / "journal.sqlite"
            ) as run,
        ):
            async for outcome in run:
                tally.count(outcome.status in ("accepted", "succeeded"))


async def by_hand(job: Job, tally: Tally) -> None:
    """A fixed pool on aiohttp, with exponential backoff on 429."""
    async with _session(job) as session:
        await _pool(job, tally, _backing_off(_poster(session)))


async def known(job: Job, tally: Tally) -> None:
    """The ideal: it knows the limit at each moment."""
    queue, under_way = deque(job.ids), set[asyncio.Task[None]]()
    loop = asyncio.get_running_loop()

    async def work(account: str) -> None:
        if await attempt(account):
            tally.count(True)
        else:
            queue.appendleft(account)

    async with _session(job) as session, asyncio.TaskGroup() as group:
        attempt = _poster(session)
        began = slot = loop.time()
        while queue or under_way:
            if queue:
                task = group.create_task(work(queue.popleft()))
                under_way.add(task)
                task.add_done_callback(under_way.discard)
            slot += 1.0 / job.schedule.rate_at(slot - began)
            await asyncio.sleep(slot - loop.time())


async def official(job: Job, tally: Tally) -> None:
    """The official SDK, with its built-in retries."""
    await _official(job, tally, lambda attempt: attempt)


async def official_by_hand(job: Job, tally: Tally) -> None:
    """The official SDK, with exponential backoff on 429 around it."""
    await _official(job, tally, _backing_off)


async def _official(job: Job, tally: Tally, wrapped: Callable[[Attempt], Attempt]) -> None:
    import stripe

    http: Any = stripe.AIOHTTPClient()  # its close_async has no types
    client = stripe.StripeClient(job.api_key, base_addresses={"api": job.url}, http_client=http)
    accounts = client.v1.financial_connections.accounts

    async def attempt(account: str) -> bool:
        try:
            await accounts.refresh_async(account, {"features": ["balance"]})
        except stripe.RateLimitError:
            return False
        return True

    try:
        await _pool(job, tally, wrapped(attempt))
    finally:
        await http.close_async()


def _session(job: Job) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(
        job.url,
        headers={"Authorization": f"Bearer {job.api_key}", "Stripe-Version": API_VERSION},
    )


def _poster(session: aiohttp.ClientSession) -> Attempt:
    async def attempt(account: str) -> bool:
        form = {"features[0]": "balance"}
        async with session.post(f"{ROOT}/{account}/refresh", data=form) as response:
            if response.status == 429:
                return False
            response.raise_for_status()
            await response.json()
            return True

    return attempt


def _backing_off(attempt: Attempt) -> Attempt:
    async def patiently(account: str) -> bool:
        for retries in range(RETRIES):
            if await attempt(account):
                return True
            longest = min(FIRST_WAIT * 2**retries, LONGEST_WAIT)
            await asyncio.sleep(longest * random.uniform(0.5, 1.0))
        return await attempt(account)

    return patiently


async def _pool(job: Job, tally: Tally, refresh: Attempt) -> None:
    todo: Iterator[str] = iter(job.ids)

    async def work() -> None:
        for account in todo:
            tally.count(await refresh(account))

    async with asyncio.TaskGroup() as group:
        for _ in range(WORKERS):
            group.create_task(work())


Peer = Callable[[Job, Tally], Awaitable[None]]
PEERS: dict[str, Peer] = {
    "fcasync": bulk,
    "aiohttp": by_hand,
    "stripe": official,
    "stripe_backoff": official_by_hand,
    "known": known,
}
LABELS = {
    "fcasync": "fcasync",
    "aiohttp": "aiohttp, backoff",
    "stripe": "official SDK",
    "stripe_backoff": "official SDK, backoff",
    "known": "limit known",
}


async def run(peer: Peer, job: Job) -> Tally:
    """Let *peer* work until the schedule ends, and return its counts."""
    tally = Tally()
    try:
        async with asyncio.timeout(job.schedule.seconds + AFTER_THE_END):
            await peer(job, tally)
    except TimeoutError:
        return tally
    return tally


def main(name: str, schedule: str) -> None:
    job = Job(**json.loads(sys.stdin.readline()), schedule=SCHEDULES[schedule])
    if name.startswith("stripe"):
        try:
            import stripe  # noqa: F401 - only to check that it is installed
        except ModuleNotFoundError as error:
            print(json.dumps({"missing": error.name}))
            return
    print(json.dumps(vars(asyncio.run(run(PEERS[name], job)))))


if __name__ == "__main__":
    main(*sys.argv[1:])
