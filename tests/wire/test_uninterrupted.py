"""Waiting for what must come to its end."""

import asyncio

import pytest

from fcasync._wire.uninterrupted import cancelled_once, until_done


async def test_a_wait_that_was_cancelled_ends_late_and_cancelled() -> None:
    """However often it is cancelled, it first sees its tasks through, and then says so."""
    gate = asyncio.Event()
    task = asyncio.create_task(gate.wait())
    waiting = asyncio.create_task(until_done([task]))
    for _ in range(3):
        await asyncio.sleep(0)
        waiting.cancel()
    await asyncio.sleep(0)
    assert not waiting.done()
    gate.set()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    assert task.result() is True


class Step:
    """Waits, and cleans up over several turns of the loop."""

    def __init__(self, error: Exception | None) -> None:
        self.cancellations = 0
        self.is_clean = False
        self.error = error

    async def run(self) -> None:
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            self.cancellations += 1
            for _ in range(5):
                await asyncio.sleep(0)
            self.is_clean = True
            if self.error is not None:
                raise self.error from None
            raise


@pytest.mark.parametrize("error", [None, RuntimeError("while cleaning up")])
@pytest.mark.parametrize("times", [1, 2, 3, 4])
async def test_a_step_that_is_cancelled_cleans_up_undisturbed(
    times: int, error: Exception | None
) -> None:
    """The caller is cancelled only when the step has ended, whatever that raises."""
    step = Step(error)
    task = asyncio.create_task(cancelled_once(step.run()))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    for _ in range(times):
        task.cancel()
        await asyncio.sleep(0)
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (step.cancellations, step.is_clean) == (1, True)


async def test_what_a_step_returns_or_raises_is_that_of_the_call() -> None:
    """Nothing else changes."""

    async def fail() -> None:
        raise LookupError("no such thing")

    assert await cancelled_once(asyncio.sleep(0, "done")) == "done"
    with pytest.raises(LookupError, match="no such thing"):
        await cancelled_once(fail())
