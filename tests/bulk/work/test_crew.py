"""Tasks that work together."""

import asyncio
from contextvars import ContextVar, copy_context

import fcasync.bulk._work.crew as module

WHOSE: ContextVar[str] = ContextVar("whose", default="nobody's")


async def test_a_task_belongs_to_the_run_whoever_starts_it() -> None:
    """A webhook handler that starts one does not lend it its trace, nor tasks each other theirs."""
    seen: list[str] = []
    crew = module.Crew()

    async def job(name: str) -> None:
        seen.append(WHOSE.get())
        WHOSE.set(name)

    async def main() -> None:
        elsewhere = copy_context()
        elsewhere.run(WHOSE.set, "the handler's")
        for name in ("first", "second"):
            elsewhere.run(crew.start, job, name)
            await asyncio.sleep(0)

    WHOSE.set("the run's")
    await crew.run([], main)
    assert seen == ["the run's"] * 2
