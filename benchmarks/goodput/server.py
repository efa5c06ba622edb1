"""The sandbox in a process of its own, with a limit that follows the schedule.

It prints its address as one line of JSON, serves until standard input ends, and then prints its
ledger: for each request the seconds since the first one, the account and the status. Beside it are
the looks at the bucket: the seconds, and whether any other request would have been refused.
"""

import asyncio
import json
import sys

from benchmarks.goodput.schedule import BURST, LATENCY, SCHEDULES, Schedule
from fcasync.sandbox import RateLimit, Sandbox
from fcasync.sandbox._api.error_bodies import rate_limited
from fcasync.sandbox._api.rates import Limiter

MOST = 1800
"""Accounts per second of the schedule, more than any competitor can refresh."""
LOOK = 0.02
"""Seconds between two looks at the bucket."""


class Changing(Limiter):
    """A bucket of :data:`BURST` tokens, filled at the rate of the schedule.

    The sandbox's own bucket holds the tokens of one second, four times as many.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(RateLimit(rate=schedule.phases[0].rate))
        self._schedule = schedule
        self._tokens = BURST
        self._began: float | None = None
        self._at = 0.0
        self.looks: list[tuple[float, bool]] = []
        """Seconds since the first request, and whether the bucket was empty then."""

    def admit(self, operation: str, now: float) -> None:
        """Take a token; the schedule starts with the first call."""
        if self._began is None:
            self._began = self._at = now
        self._tokens, self._at = self._filled(self._began, now), now
        if self._tokens < 1.0:
            raise rate_limited("global-rate")
        self._tokens -= 1.0

    def look(self, now: float) -> None:
        """Record whether a request would be refused now, without sending one."""
        if self._began is not None:
            self.looks.append((now - self._began, self._filled(self._began, now) < 1.0))

    def _filled(self, began: float, now: float) -> float:
        rate = self._schedule.rate_at(now - began)
        return min(BURST, self._tokens + (now - self._at) * rate)


async def serve(schedule: Schedule) -> None:
    accounts = int(schedule.seconds * MOST)
    async with Sandbox(accounts, varied=False, latency=LATENCY) as sandbox:
        sandbox.world.limiter = limiter = Changing(schedule)
        name = sandbox.world.store.seed.account_ids.encode
        ids = [name(index) for index in range(accounts)]
        print(json.dumps({"url": sandbox.url, "api_key": sandbox.api_key, "ids": ids}), flush=True)
        end = asyncio.create_task(asyncio.to_thread(sys.stdin.read))
        while not end.done():
            limiter.look(sandbox.now)
            await asyncio.wait([end], timeout=LOOK)
        print(json.dumps({"rows": _rows(sandbox), "looks": limiter.looks}))


def _rows(sandbox: Sandbox) -> list[tuple[float, str | None, int]]:
    ledger = sandbox.ledger
    began = ledger[0]["time"] if ledger else 0.0
    return [(row["time"] - began, row["account"], row["status"]) for row in ledger]


if __name__ == "__main__":
    asyncio.run(serve(SCHEDULES[sys.argv[1]]))
