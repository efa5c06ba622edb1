"""Waiting for what must come to its end."""

import asyncio

import pytest

from fcasync._wire.uninterrupted import until_done


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
