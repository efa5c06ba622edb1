"""Tenants as a source: what is refused, and who belongs to which shard."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.bulk import Tenants
from fcasync.bulk._naming import named
from fcasync.bulk._plan.keys import idempotency_key
from fcasync.bulk._work.tenants import check_shard
from fcasync.errors import InvalidArgumentError

NAMES = [f"acct_{number:016d}" for number in range(40)]


async def all_of(tenants: Tenants, shard: tuple[int, int] = (0, 1)) -> list[tuple[str, Any]]:
    return [item async for item in tenants.read(shard)]


async def stream(items: list[Any]) -> AsyncIterator[Any]:
    for item in items:
        yield item


@pytest.mark.parametrize(
    "wrong",
    [["fca_1"], ["acct_"], [""], [7], [None], ["acct_1", "acct_1"], [("acct_1", [], 3)]],
    ids=repr,
)
@pytest.mark.parametrize("kind", [list, iter, stream])
async def test_what_is_not_a_tenant_is_refused(wrong: list[Any], kind: Any) -> None:
    """What can be read twice is refused at once, a stream while it is read."""
    with pytest.raises(InvalidArgumentError):
        await all_of(Tenants(kind(wrong)))
    if kind is list:
        with pytest.raises(InvalidArgumentError):
            Tenants(wrong)


@pytest.mark.parametrize("wrong", ["acct_1", b"acct_1", 7, None, {"acct_1": "fca_1"}], ids=repr)
def test_what_holds_no_tenants_is_refused(wrong: Any) -> None:
    """A string would be taken letter by letter."""
    with pytest.raises(InvalidArgumentError):
        Tenants(wrong)


@pytest.mark.parametrize("at_once", [0, -1, True, 2.0])
def test_at_once_is_a_whole_number_above_zero(at_once: Any) -> None:
    """Nobody would ever be served."""
    with pytest.raises(InvalidArgumentError, match="at_once"):
        Tenants([], at_once=at_once)


async def test_tenants_come_with_their_sources() -> None:
    """A mapping, pairs and bare tenants may be given, a tenant alone stands for all it has."""
    assert await all_of(Tenants({"acct_1": ["fca_1"]})) == [("acct_1", ["fca_1"])]
    mixed: list[Any] = ["acct_2", ("acct_1", ["fca_1"])]
    assert await all_of(Tenants(stream(mixed))) == [("acct_2", None), ("acct_1", ["fca_1"])]


@given(st.integers(1, 50))
async def test_every_tenant_is_in_one_shard(count: int) -> None:
    """The shards of a job share nothing and leave nobody out."""
    shards = [await all_of(Tenants(NAMES), (number, count)) for number in range(count)]
    assert sorted(name for shard in shards for name, _ in shard) == NAMES


async def test_a_tenant_stays_in_its_shard() -> None:
    """The shard follows from the name alone, in every process and version: CRC-32 modulo n."""
    assert [name for name, _ in await all_of(Tenants(NAMES[:6]), (1, 3))] == [
        f"acct_{number:016d}" for number in (1, 3, 4, 5)
    ]


@pytest.mark.parametrize("wrong", [(1, 1), (-1, 2), (0, 0), (0,), "0/2", (0.0, 2), None], ids=repr)
def test_a_shard_is_one_of_them(wrong: Any) -> None:
    """``(n, n)`` would leave the last tenants out in silence."""
    with pytest.raises(InvalidArgumentError, match="shard"):
        check_shard(wrong)


def test_keys_tell_tenants_apart_and_others_keep_their_text() -> None:
    """A job over many tenants has other keys; those of a job for one account never change."""
    arguments = ("0" * 32, "fca_1", "refresh", ["balance"], 0)
    keys = {idempotency_key(*arguments, tenant) for tenant in ("", *NAMES)}
    assert len(keys) == 41
    assert idempotency_key(*arguments) == "fca1-X6SLQOEN2EFUFR4YJI7RCQEY62DD4SJM7SXTRCAG"


def test_a_name_gives_the_same_job_everywhere() -> None:
    """The id follows from the name alone."""
    since = datetime(2026, 11, 24, tzinfo=UTC)
    elsewhere = since.astimezone(timezone(timedelta(hours=-8)))
    assert named("nightly", since) == named("nightly", elsewhere) == named("nightly", 1795478400)
    assert named("nightly", since)[0] != named("weekly", since)[0]
    assert named(None, None) == (None, None)


@pytest.mark.parametrize(
    ("job", "since"),
    [
        ("nightly", None),
        (None, 0),
        ("", 0),
        ("a\nb", 0),
        ("x" * 201, 0),
        (7, 0),
        ("nightly", datetime(2026, 11, 24)),
        ("nightly", -1),
        ("nightly", True),
        ("nightly", "today"),
    ],
)
def test_half_a_name_is_refused(job: Any, since: Any) -> None:
    """A name alone, used again within a day, would be answered from the day before."""
    with pytest.raises(InvalidArgumentError):
        named(job, since)
