"""The virtual-time loop that other tests use."""

import asyncio

import pytest

from tests._virtual import run, virtual_clock


def test_time_passes_only_when_nothing_is_ready() -> None:
    """An hour takes no time, and timers fire in their order."""
    fired: list[str] = []

    async def main() -> float:
        clock = virtual_clock()

        async def later(name: str, seconds: float) -> None:
            await clock.sleep(seconds)
            fired.append(name)

        await asyncio.gather(later("last", 3600.0), later("first", 1.0), later("second", 60.0))
        return clock.monotonic()

    assert run(main()) == pytest.approx(3600.0)
    assert fired == ["first", "second", "last"]


def test_threads_run_inline() -> None:
    """A function for a thread runs immediately, so that no time passes meanwhile."""

    async def main() -> tuple[int, float]:
        number = await asyncio.to_thread(lambda: 42)
        with pytest.raises(ZeroDivisionError):
            await asyncio.to_thread(lambda: 1 // 0)
        return number, asyncio.get_running_loop().time()

    assert run(main()) == (42, 0.0)


def test_waiting_for_nothing_is_an_error() -> None:
    """A deadlock raises an error instead of hanging."""

    async def main() -> None:
        await asyncio.Event().wait()

    with pytest.raises(RuntimeError, match="deadlock"):
        run(main())
