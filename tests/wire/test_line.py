"""Waiting for slots: in virtual time, by whole calls, against a server's token bucket."""

import asyncio
import random
from contextlib import suppress
from typing import Any

import pytest

import tests._calls as calls
from fcasync._rules.limits import Limits
from fcasync._rules.pace import Pace
from fcasync._rules.request import Answer, Request
from fcasync._wire.engine import Engine
from fcasync._wire.line import Line
from fcasync.errors import RateLimitError
from fcasync.testing import FakeClock, answer
from tests._calls import POST
from tests._virtual import run, virtual_clock


class Limited:
    """A server that answers after 0.1 s, and refuses what its token bucket does not cover."""

    def __init__(self, rate: float, burst: float = 25.0) -> None:
        self.rate, self.burst, self.tokens, self.filled_at = rate, burst, burst, 0.0
        self.accepted: list[float] = []
        self.refused = 0
        self.in_flight = 0

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        self.in_flight += 1
        try:
            await asyncio.sleep(0.05)
            is_accepted = self._take(asyncio.get_running_loop().time())
            await asyncio.sleep(0.05)
        finally:
            self.in_flight -= 1
        if is_accepted:
            return answer({"id": "fca_1"})
        return answer({"error": {"message": "slow down"}}, status=429)

    def _take(self, now: float) -> bool:
        self.tokens = min(self.burst, self.tokens + (now - self.filled_at) * self.rate)
        self.filled_at = now
        if self.tokens < 1:
            self.refused += 1
            return False
        self.tokens -= 1
        self.accepted.append(now)
        return True

    async def aclose(self) -> None:
        """Do nothing: there is nothing to close."""


def engine_over(transport: Any, limits: Limits | None = None) -> Engine:
    return calls.engine(transport, virtual_clock(), limits=limits)


def test_a_gather_beyond_the_limit_is_answered_whole() -> None:
    """500 calls at once against 25/s: every one is answered within a deadline of 90 s."""
    server = Limited(25.0)

    async def main() -> list[Any]:
        eng = engine_over(server)
        every = [calls.call(eng, POST) for _ in range(500)]
        return list(await asyncio.gather(*every, return_exceptions=True))

    done = run(main())
    assert [each for each in done if isinstance(each, Exception)] == []
    assert server.accepted[-1] < 500 / 25 * 1.25
    assert server.refused < 700


def test_growth_serves_those_who_wait() -> None:
    """One stray 429 on a quiet client does not freeze the calls that come after it."""
    server = Limited(1e9)

    async def main() -> float:
        eng = engine_over(server)
        eng.limiter.pace(None, "refresh").answered(0.0, 0.0, limited=True)
        await asyncio.gather(*[calls.call(eng, POST) for _ in range(1000)])
        return asyncio.get_running_loop().time()

    assert run(main()) < 5.0


def test_a_deadline_that_cannot_be_met_fails_at_once() -> None:
    """Behind so many others that even the fastest growth would come too late: nothing is sent."""
    server = Limited(1e9)

    async def main() -> tuple[float, int]:
        eng = engine_over(server, Limits(max_rate=2.0))
        others = [asyncio.create_task(calls.call(eng, POST)) for _ in range(20)]
        await asyncio.sleep(0)
        with pytest.raises(RateLimitError, match="nothing was sent"):
            await calls.call(eng, POST, calls.options(deadline=5.0))
        at = asyncio.get_running_loop().time()
        await asyncio.gather(*others)
        return at, len(server.accepted)

    assert run(main()) == (0.0, 20)


def test_nobody_waits_past_the_deadline() -> None:
    """Whoever has no slot by then ends at its deadline or before, and the others go on."""
    server = Limited(1.0, burst=1.0)

    async def late(eng: Engine, deadline: float) -> float:
        with suppress(RateLimitError):
            await calls.call(eng, POST, calls.options(deadline=deadline))
        return asyncio.get_running_loop().time() - deadline

    async def main() -> list[float]:
        eng = engine_over(server)
        dice = random.Random(5)
        return await asyncio.gather(*[late(eng, dice.uniform(1, 30)) for _ in range(200)])

    assert max(run(main())) <= 1e-6


def test_slots_go_to_the_oldest_call_first() -> None:
    """Only the first in line has a slot; behind it, what began earlier goes earlier."""

    async def main() -> list[float]:
        line, order = Line(Pace(Limits(max_rate=10.0)), virtual_clock()), list[float]()

        async def wait(age: float) -> None:
            assert await line.wait(age, 100.0) is not None
            order.append(age)

        tasks = [asyncio.create_task(wait(age)) for age in (3.0, 4.0, 9.0, 6.0, 5.0)]
        await asyncio.gather(*tasks)
        assert line.is_empty
        return order

    assert run(main()) == [3.0, 4.0, 5.0, 6.0, 9.0]


@pytest.mark.parametrize("seed", range(20))
def test_cancelled_waiters_cost_the_others_nothing(seed: int) -> None:
    """Whoever is cancelled, at whatever moment, gives slot and place back; nobody is forgotten."""
    server = Limited(1e9)

    async def main() -> tuple[int, float, int]:
        dice, eng = random.Random(seed), engine_over(server, Limits(max_rate=20.0))
        tasks = [asyncio.create_task(calls.call(eng, POST)) for _ in range(60)]
        doomed = dice.sample(tasks, 20)
        for task in doomed:
            await asyncio.sleep(dice.choice([0.0, 0.0, 0.01, 0.05]))
            task.cancel()
        await asyncio.wait(tasks)
        pace = eng.limiter.pace(None, "refresh")
        served = sum(not task.cancelled() for task in tasks)
        assert eng.lines.get(pace).is_empty
        return served, asyncio.get_running_loop().time(), pace.operation.in_flight.count

    served, ended, in_flight = run(main())
    assert served >= 40
    assert ended <= 60 / 20 + 0.5
    assert in_flight == 0


def test_those_behind_a_full_house_leave_at_their_deadline() -> None:
    """Nobody may be sent while as many are in flight as Stripe allows; that is not known ahead."""
    pace, ended = Pace(), dict[float, tuple[float | None, float]]()
    pace.operation.in_flight.bound = 1

    async def main() -> None:
        clock = virtual_clock()
        line = Line(pace, clock)
        pace.reserve(clock.monotonic())

        async def wait(deadline: float) -> None:
            ended[deadline] = (await line.wait(0.0, deadline), clock.monotonic())

        tasks = [asyncio.create_task(wait(deadline)) for deadline in (30.0, 2.0, 1.0)]
        await asyncio.sleep(10.0)
        pace.answered(0.0, 10.0, limited=False)
        await asyncio.gather(*tasks)

    run(main())
    assert [ended[deadline][0] for deadline in (1.0, 2.0)] == [None, None]
    assert [ended[deadline][1] for deadline in (1.0, 2.0)] == pytest.approx([1.0, 2.0], abs=0.06)
    assert ended[30.0][0] == pytest.approx(10.0, abs=0.06)


def test_who_is_sent_away_learns_how_long_it_would_have_been() -> None:
    """`retry_after` is the wait from now on, whenever now is."""
    server = Limited(1e9)

    async def main() -> list[float | None]:
        eng = engine_over(server, Limits(max_rate=1.0))
        await asyncio.sleep(1000.0)
        waits = []
        for done in await asyncio.gather(
            *[calls.call(eng, POST, calls.options(deadline=5.0)) for _ in range(20)],
            return_exceptions=True,
        ):
            if isinstance(done, RateLimitError):
                waits.append(done.retry_after)
        return waits

    waits = run(main())
    assert len(waits) == 15
    assert all(wait is not None and 0.0 < wait <= 20.0 for wait in waits)


class LateClock(FakeClock):
    """Wakes half a second late, as on a busy loop."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds + 0.5)


async def test_a_slot_that_is_noticed_after_the_deadline_is_not_used() -> None:
    """A request that has no time left for its answer is not sent."""
    clock, pace = LateClock(), Pace(Limits(max_rate=1.0))
    pace.learn(1.0)
    line = Line(pace, clock)
    began = clock.monotonic()
    while not pace.wait_for(clock.monotonic()):
        pace.reserve(clock.monotonic())
    before = pace.wait_for(clock.monotonic())
    assert await line.wait(began, began + before + 0.25) is None
    assert clock.monotonic() == pytest.approx(began + before + 0.5)
    assert line.is_empty
