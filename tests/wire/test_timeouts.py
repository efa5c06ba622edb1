"""Timeouts of many blocks by one timer, against a loop whose time stands still."""

import asyncio
from collections.abc import Callable
from typing import Any, cast

import pytest

from fcasync._wire.timeouts import Timeout, Watch


class Handle:
    def __init__(self, when: float, ring: Callable[[], None]) -> None:
        self.when = when
        self.ring = ring
        self.is_cancelled = False

    def cancel(self) -> None:
        self.is_cancelled = True


class FakeLoop:
    """The two methods of a loop that a watch uses."""

    def __init__(self) -> None:
        self.now = 0.0
        self.timers: list[Handle] = []

    def time(self) -> float:
        return self.now

    def call_at(self, when: float, ring: Callable[[], None]) -> Handle:
        self.timers.append(Handle(when, ring))
        return self.timers[-1]

    @property
    def armed(self) -> list[float]:
        return [timer.when for timer in self.timers if not timer.is_cancelled]

    def advance(self, now: float) -> None:
        self.now = now
        due = [timer for timer in self.timers if not timer.is_cancelled and timer.when <= now]
        for timer in due:
            timer.is_cancelled = True
            timer.ring()


@pytest.fixture
def loop() -> FakeLoop:
    return FakeLoop()


@pytest.fixture
def watch(loop: FakeLoop) -> Watch:
    return Watch(cast(Any, loop))


async def wait(watch: Watch, seconds: float, done: asyncio.Event) -> str:
    with Timeout(watch, seconds):
        await done.wait()
        return "done"


async def started(*coroutines: Any) -> list["asyncio.Task[Any]"]:
    tasks = [asyncio.ensure_future(each) for each in coroutines]
    await asyncio.sleep(0)
    return tasks


async def test_a_block_that_takes_too_long_is_cancelled(loop: FakeLoop, watch: Watch) -> None:
    """The TimeoutError comes at the end of the time, and not before."""
    (task,) = await started(wait(watch, 5, asyncio.Event()))
    loop.advance(4.9)
    await asyncio.sleep(0)
    assert not task.done()
    loop.advance(5)
    with pytest.raises(TimeoutError):
        await task
    assert task.cancelling() == 0


async def test_one_timer_serves_all(loop: FakeLoop, watch: Watch) -> None:
    """A thousand blocks of the same length, one after the other, set one timer."""
    for _ in range(1000):
        loop.now += 0.001
        with Timeout(watch, 30):
            await asyncio.sleep(0)
    assert len(loop.timers) == 1


async def test_the_timer_goes_to_the_next_that_still_runs(loop: FakeLoop, watch: Watch) -> None:
    """When it goes off, blocks that are over are skipped and the earliest left is waited for."""
    finish, never = asyncio.Event(), asyncio.Event()
    first, second, third = await started(
        wait(watch, 5, finish), wait(watch, 7, never), wait(watch, 6, never)
    )
    finish.set()
    assert await first == "done"
    loop.advance(5)
    assert loop.armed == [6]
    loop.advance(6)
    assert loop.armed == [7]
    loop.advance(7)
    results = await asyncio.gather(second, third, return_exceptions=True)
    assert [type(result) for result in results] == [TimeoutError, TimeoutError]
    assert loop.armed == []


async def test_a_shorter_block_sets_the_timer_earlier(loop: FakeLoop, watch: Watch) -> None:
    """A second timer replaces the first; there are never two."""
    never = asyncio.Event()
    tasks = await started(wait(watch, 30, never), wait(watch, 1, never))
    assert loop.armed == [1]
    loop.advance(1)
    with pytest.raises(TimeoutError):
        await tasks[1]
    assert loop.armed == [30]
    tasks[0].cancel()
    await asyncio.wait(tasks[:1])


async def test_a_cancellation_from_outside_wins(loop: FakeLoop, watch: Watch) -> None:
    """When the task is cancelled by somebody else at the same moment, it ends cancelled."""
    (task,) = await started(wait(watch, 5, asyncio.Event()))
    task.cancel()
    loop.advance(5)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def test_a_block_that_ends_in_another_error_keeps_it(loop: FakeLoop, watch: Watch) -> None:
    """An error raised while the cancellation is on its way is not replaced."""

    async def fail() -> None:
        with Timeout(watch, 5):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                raise ValueError("theirs") from None

    (task,) = await started(fail())
    loop.advance(5)
    with pytest.raises(ValueError, match="theirs"):
        await task
    assert task.cancelling() == 0


async def test_nested_blocks_end_by_the_shorter_one(loop: FakeLoop, watch: Watch) -> None:
    """The inner TimeoutError does not end the outer block."""
    heard: list[str] = []

    async def nest() -> None:
        with Timeout(watch, 10):
            try:
                await wait(watch, 5, asyncio.Event())
            except TimeoutError:
                heard.append("inner")
            await asyncio.Event().wait()

    (task,) = await started(nest())
    loop.advance(5)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (heard, task.done()) == (["inner"], False)
    loop.advance(10)
    with pytest.raises(TimeoutError):
        await task


async def test_it_stands_inside_asyncio_timeout() -> None:
    """A timeout of asyncio around a block is heard as such, and the block's as its own."""
    watch = Watch(asyncio.get_running_loop())
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0):
            await wait(watch, 60, asyncio.Event())
    async with asyncio.timeout(60):
        with pytest.raises(TimeoutError):
            await wait(watch, 0, asyncio.Event())
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
