"""One client, two loops in two threads, and a server that does everything wrong that it can.

    python -m tests.wire.storm --calls 20000 --seed 1

A third of the calls, or more, is cancelled at random moments. Afterwards no call may have got
another's answer, none may be late, no cancellation may have been swallowed, and nothing may be left
over: no socket, no task, no waiter, no request that is counted as in flight, no warning, no error
that nobody read.

A call is late when it went on past its cancellation for longer than its loop was late itself from
then on, or past its deadline for longer than that and the loop's lateness during the call together;
in both cases by more than TICK, below which lateness is not measured. The loop's lateness is that
of a timer and HOPS turns of the loop after it, taken every TICK seconds.
"""

import argparse
import asyncio
import bisect
import gc
import logging
import os
import random
import signal
import sys
import threading
import time
import warnings
from collections import Counter
from contextlib import suppress
from typing import Any

import attrs

import fcasync
from fcasync._wire import exchange
from tests.wire import _hostile

AT_ONCE = 48
"""Calls at once on each loop."""
CANCELLED = 0.9
"""Share of the calls that are to be cancelled at a random moment; most of them are over by then."""
HOPS = 8
"""Turns of the loop that a call may need to end, once its time is up; the measure makes as many."""
TICK = 0.002
"""Seconds between two measures; less than that is not seen."""
FEATURES = ["transactions"]


@attrs.frozen
class Overdue:
    """A call that ended after it should have; in seconds of the monotonic clock."""

    number: int
    started: float
    due: float
    ended: float
    was_cancelled: bool
    """Whether it was due because it was cancelled, and not because of its deadline."""


@attrs.define
class Tally:
    """What became of the calls on one loop."""

    endings: Counter[str] = attrs.Factory(Counter)
    wrong: list[str] = attrs.Factory(list)
    ticks: list[tuple[float, float]] = attrs.Factory(list)
    """When a turn of the loop was due, and when it was over."""
    overdue: list["Overdue"] = attrs.Factory(list)

    async def watch_lag(self) -> None:
        while True:
            due = time.monotonic() + TICK
            await asyncio.sleep(TICK)
            for _ in range(HOPS):
                await asyncio.sleep(0)
            self.ticks.append((due, time.monotonic()))

    def lag(self, start: float, end: float) -> float:
        """Return by how much the loop was late at most from *start* to *end*."""
        first = bisect.bisect_left(self.ticks, (start - 5.0, 0.0))
        last = bisect.bisect_right(self.ticks, (end, 0.0))
        ticks = [over - due for due, over in self.ticks[first:last] if over >= start]
        return max(ticks, default=0.0)

    def excused(self, call: Overdue) -> float:
        """Return the seconds for which *call* may go on, because its loop was late."""
        after = self.lag(call.due, call.ended)
        # The timer of an attempt that was begun late, for this very reason, ends it late.
        before = 0.0 if call.was_cancelled else self.lag(call.started, call.due)
        return before + after + TICK

    def late(self) -> list[str]:
        """Return the calls that ended later than their loop's own lag explains."""
        return [
            f"late: call {call.number} by {call.ended - call.due:.3f} s"
            for call in self.overdue
            if call.ended - call.due > self.excused(call)
        ]


class Side:
    """The calls of one loop."""

    def __init__(self, client: fcasync.Client, numbers: range, seed: int) -> None:
        self.dice = random.Random(seed)
        self.tally = Tally()
        self.numbers = iter(numbers)
        self.views = [
            (client.with_options(timeout=timeout, deadline=deadline), deadline)
            for timeout, deadline in ((0.3, 1.0), (0.1, 2.0), (5.0, 0.4), (0.2, 0.25))
        ]
        self.client = client

    def run(self) -> None:
        try:
            asyncio.run(self.main())
        except BaseException as error:
            self.tally.wrong.append(f"a loop ended with {error!r}")

    async def main(self) -> None:
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(lambda _, facts: self.tally.wrong.append(f"unread: {facts}"))
        lag = asyncio.create_task(self.tally.watch_lag())
        await asyncio.gather(*(self.work() for _ in range(AT_ONCE)))
        await asyncio.sleep(0.05)
        lag.cancel()
        with suppress(asyncio.CancelledError):
            await lag
        self.tally.wrong += self.left_over(loop)
        await self.client.aclose()

    async def work(self) -> None:
        for number in self.numbers:
            await self.watched(number)

    async def watched(self, number: int) -> None:
        """Make a call, cancel some, and note how it ended."""
        client, deadline = self.dice.choice(self.views)
        started = time.monotonic()
        task = asyncio.create_task(self.call(client, number))
        cancelled: list[float] = []
        handle = None
        if self.dice.random() < CANCELLED:
            delay = self.dice.choice((0.0, 0.005, 0.05, 0.3)) * self.dice.random()

            def cancel() -> None:
                if task.cancel():
                    cancelled.append(time.monotonic())

            handle = asyncio.get_running_loop().call_later(delay, cancel)
        await asyncio.wait([task])
        ended = time.monotonic()
        if handle is not None:
            handle.cancel()
        due = min([started + deadline, *cancelled])
        if ended > due:
            self.tally.overdue.append(
                Overdue(number, started, due, ended, was_cancelled=due in cancelled)
            )
        self.judge(task, number, was_cancelled=bool(cancelled))

    def judge(self, task: "asyncio.Task[str]", number: int, *, was_cancelled: bool) -> None:
        tally = self.tally
        if task.cancelled():
            tally.endings["cancelled"] += 1
            return
        error = task.exception()
        tally.endings["answered" if error is None else type(error).__name__] += 1
        if was_cancelled:
            tally.wrong.append(f"call {number} did not heed that it was cancelled: {error!r}")
        if error is not None and not isinstance(error, fcasync.FCError):
            tally.wrong.append(f"call {number} raised {error!r}")
        if error is None and task.result():
            tally.wrong.append(f"crossed: call {number} got {task.result()}")

    async def call(self, client: fcasync.Client, number: int) -> str:
        """Make one call and return what is not its own in the answer."""
        name, key = f"fca_{number}", f"key_{number}"
        accounts = client.accounts
        kind = number % 5
        if kind == 0:
            page = await accounts.list(account_holder={"customer": name}, limit=1)
            account, wanted = page.data[0], name
        elif kind == 1:
            account, wanted = await accounts.retrieve(name), name
        elif kind == 2:
            wanted = key
            account = await accounts.subscribe(name, features=FEATURES, idempotency_key=key)
        else:
            wanted = key
            account = await accounts.refresh(name, features=FEATURES, idempotency_key=key)
        got = (account.id, account.institution_name)
        return "" if got == (name, wanted) else f"{got} instead of {(name, wanted)}"

    def left_over(self, loop: asyncio.AbstractEventLoop) -> list[str]:
        """Return what is left on the loop now that all calls are over."""
        engine: Any = self.client._engine
        opened = engine.transport._sessions.get()
        found = {
            "tasks": asyncio.all_tasks() - {asyncio.current_task()},
            "connections in use": opened.session.connector._acquired,
            "waiters for a connection": list(opened.session.connector._waiters),
            "running timeouts": opened.watch._running,
            "lines": [key for key in engine.lines._lines if key[0] is loop],
        }
        return [f"left over: {name} {left}" for name, left in found.items() if left]


def start_server(seed: int, faults: float) -> tuple[int, str]:
    """Return the id of the server's process, and its address."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(reader)
            logging.disable()
            _hostile.serve(seed, faults, lambda port: os.write(writer, b"%d\n" % port))
        finally:
            os._exit(1)
    os.close(writer)
    with os.fdopen(reader) as file:
        return child, f"http://127.0.0.1:{int(file.readline())}"


def open_files() -> int:
    return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0  # noqa: PTH112,PTH208 - counted


def storm(calls: int, seed: int, url: str) -> tuple[list[Tally], list[str]]:
    """Return what became of the calls on each loop, and what is left over of the client's."""
    retry = fcasync.RetryPolicy(attempts=4, base=0.01, cap=0.1, rate_limit_base=0.01)
    client = fcasync.Client("sk_test_storm", base_url=url, retry=retry, max_connections=32)
    half = calls // 2
    sides = [
        Side(client, range(half), 2 * seed),
        Side(client, range(half, calls), 2 * seed + 1),
    ]
    threads = [threading.Thread(target=side.run) for side in sides]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    left = [f"left over: line {key}" for key in client._engine.lines._lines]
    for key, pace in client._engine.limiter._paces.items():
        if pace.operation.in_flight.count or pace.tenant.in_flight.count:
            left.append(f"left over: requests in flight at {key}")
    return [side.tally for side in sides], left


def report(tallies: list[Tally], others: list[str], lateness: str) -> bool:
    """Print what happened, and return whether all was right."""
    wrong = [line for tally in tallies for line in tally.wrong] + others
    if lateness == "judged":
        wrong += [line for tally in tallies for line in tally.late()]
    for line in wrong[:40]:
        sys.stdout.write(f"    {line}\n")
    kinds = Counter(line.split(":")[0].split(" ")[0] for line in wrong)
    endings: Counter[str] = sum((tally.endings for tally in tallies), Counter())
    sys.stdout.write(f"{endings.total()} calls: {dict(endings.most_common())}\n")
    sys.stdout.write(f"{endings['cancelled'] / endings.total():.0%} were cancelled\n")
    for tally in tallies:
        past = max((call.ended - call.due for call in tally.overdue), default=0.0)
        lag = max((over - due for due, over in tally.ticks), default=0.0)
        sys.stdout.write(f"a loop was late by {lag:.3f} s at most, a call by {past:.3f} s\n")
    sys.stdout.write(
        f"{kinds['crossed']} crossed, {kinds['late']} late, {kinds['left']} left over, "
        f"{kinds.total() - kinds['crossed'] - kinds['late'] - kinds['left']} otherwise wrong\n"
    )
    return not wrong


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--calls", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--faults", type=float, default=0.3, help="share of wrong answers")
    parser.add_argument("--lateness", choices=["judged", "unjudged"], default="judged")
    parser.add_argument("--documented", action="store_true", help="by aiohttp's documented way")
    arguments = parser.parse_args()
    if arguments.documented:
        exchange.is_possible = lambda: False
    noticed: list[str] = []
    warnings.simplefilter("always")
    warnings.showwarning = lambda message, *_, **__: noticed.append(f"warning: {message}")
    listener = logging.Handler(logging.WARNING)
    listener.emit = lambda record: noticed.append(f"logged: {record.getMessage()}")  # type: ignore[method-assign]
    logging.getLogger().addHandler(listener)
    sys.unraisablehook = lambda facts: noticed.append(f"unraisable: {facts.exc_value!r}")
    server, url = start_server(arguments.seed, arguments.faults)
    try:
        before = open_files()
        tallies, others = storm(arguments.calls, arguments.seed, url)
        gc.collect()
        if (after := open_files()) != before:
            others.append(f"left over: {after - before} open files")
    finally:
        os.kill(server, signal.SIGKILL)
        os.waitpid(server, 0)
    return 0 if report(tallies, others + noticed, arguments.lateness) else 1


if __name__ == "__main__":
    sys.exit(main())
