"""A transaction as steps is carried out as a whole, or not at all."""

from collections.abc import Sequence
from contextlib import AsyncExitStack
from typing import Any

import pytest

from fcasync.mirror import Mirror, MirrorError
from fcasync.mirror._steps import Row, Steps
from tests.mirror._look import table

INSERT = "INSERT INTO seen_events (id, at) VALUES ('{}', '2026-01-01 00:00:00')"


def stored(*names: str, then: str = "", error: Exception | None = None) -> Steps[Sequence[Row]]:
    """Insert an event of each name, execute *then* or raise *error*, and return all ids."""
    for name in names:
        yield INSERT.format(name), ()
    if then:
        yield then, ()
    if error is not None:
        raise error
    return (yield "SELECT id FROM seen_events ORDER BY id", ())


async def ids(url: str) -> list[Any]:
    return [row["id"] for row in await table(url, "seen_events")]


async def test_steps_get_the_rows_of_each_statement(url: str) -> None:
    """What they return is what the caller gets, after the commit."""
    async with Mirror(url) as mirror, mirror._database.session() as session:
        assert await session.carry_out(stored("a", "b")) == [("a",), ("b",)]
        assert await ids(url) == ["a", "b"]
        assert await session.carry_out(stored(), writes=False) == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("failing", "kind"),
    [
        ({"then": "INSERT INTO nowhere VALUES (1)"}, MirrorError),
        ({"then": INSERT.format("a")}, MirrorError),
        ({"error": LookupError("a step")}, LookupError),
    ],
)
async def test_a_step_that_fails_leaves_nothing(
    url: str, failing: dict[str, Any], kind: type[Exception]
) -> None:
    """Neither rows nor an open transaction: the same session goes on with the next one."""
    async with Mirror(url) as mirror, mirror._database.session() as session:
        await session.carry_out(stored("a"))
        with pytest.raises(kind):
            await session.carry_out(stored("b", **failing))
        assert await ids(url) == ["a"]
        assert await session.carry_out(stored("c")) == [("a",), ("c",)]


async def test_many_sessions_of_one_mirror_are_open_at_once(url: str) -> None:
    """Each sync that runs has one, and none waits for a connection of a pool."""
    async with Mirror(url) as mirror, AsyncExitStack() as stack:
        for number in range(20):
            session = await stack.enter_async_context(mirror._database.session())
            await session.carry_out(stored(f"{number:02}"))
        assert len(await ids(url)) == 20
