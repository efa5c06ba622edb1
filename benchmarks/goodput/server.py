"""The sandbox in a process of its own, with a limit that changes as the schedule says.

It prints where it is as one line of JSON, serves until standard input ends, and then prints its
ledger: for each request the seconds since the first one, the account and the status.
"""

import asyncio
import json
import sys

from benchmarks.goodput.schedule import BURST, LATENCY, SCHEDULES, Schedule
from fcasync.sandbox import RateLimit, Sandbox
from fcasync.sandbox._errors import rate_limited
from fcasync.sandbox._rates import Limiter

ACCOUNTS = 20_000
"""More than 64 workers can ask for in the time that they have."""


class Changing(Limiter):
    """A bucket of :data:`BURST` tokens, filled at the rate of the schedule.

    The sandbox's own bucket holds a whole second's worth, which is four times as forgiving.
    """

    def __init__(self, schedule: Schedule) -> None:
        super().__init__(RateLimit(rate=schedule.phases[0].rate))
        self._schedule = schedule
        self._tokens = BURST
        self._began: float | None = None
        self._at = 0.0

    def admit(self, operation: str, now: float) -> None:
        """Take a token; time begins with the first call."""
        if self._began is None:
            self._began = self._at = now
        rate = self._schedule.rate_at(now - self._began)
        self._tokens = min(BURST, self._tokens + (now - self._at) * rate)
        self._at = now
        if self._tokens < 1.0:
            raise rate_limited("global-rate")
        self._tokens -= 1.0


async def serve(schedule: Schedule) -> None:
    async with Sandbox(ACCOUNTS, varied=False, latency=LATENCY) as sandbox:
        sandbox.world.limiter = Changing(schedule)
        name = sandbox.world.store.seed.account_ids.encode
        ids = [name(index) for index in range(ACCOUNTS)]
        print(json.dumps({"url": sandbox.url, "api_key": sandbox.api_key, "ids": ids}), flush=True)
        await asyncio.to_thread(sys.stdin.read)
        rows = sandbox.ledger
        began = rows[0]["time"] if rows else 0.0
        print(json.dumps([(row["time"] - began, row["account"], row["status"]) for row in rows]))


if __name__ == "__main__":
    asyncio.run(serve(SCHEDULES[sys.argv[1]]))
