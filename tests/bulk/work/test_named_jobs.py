"""Jobs with a name, whose accounts may all have been sent by a process that lost its journal."""

from datetime import UTC, datetime, timedelta, timezone, tzinfo
from pathlib import Path
from typing import Any

import pytest

from fcasync.bulk import Tenants
from fcasync.bulk._journal.merge import merge
from fcasync.bulk._naming import LATEST, instant
from fcasync.errors import InvalidArgumentError
from tests._virtual import EPOCH
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork
from tests.bulk.work.test_tenants import names, platform, work_off

NAMED: dict[str, Any] = {"job_id": "0" * 32, "since": int(EPOCH)}


def ids_of(own: FakeNetwork) -> Tenants:
    return Tenants({name: tenant.ids for name, tenant in own.tenants.items()})


def sent(own: FakeNetwork) -> int:
    return sum(len(tenant.sends) for tenant in own.tenants.values())


@pytest.mark.parametrize("by_id", [True, False])
def test_a_dry_run_of_a_named_job_sends_nothing(by_id: bool) -> None:
    """Though nobody knows what was sent before."""
    own = platform(names(2), 5)
    source = ids_of(own) if by_id else Tenants(names(2))
    outcomes, _ = work_off(own, source, dry_run=True, **NAMED)
    assert {(str(each.status), each.reason) for each in outcomes} == {("skipped", "dry_run")}
    assert not sent(own)
    work_off(own, source, **NAMED)
    before = sent(own)
    outcomes, _ = work_off(own, source, dry_run=True, **NAMED)
    assert {each.reason for each in outcomes} == {"dry_run"}
    assert sent(own) == before


@pytest.mark.parametrize("by_id", [True, False])
def test_a_named_job_leaves_alone_what_is_fresh(by_id: bool) -> None:
    """Refreshed before the job began and within max_age; nothing is sent."""
    own = platform(names(2), 5)
    for tenant in own.tenants.values():
        tenant.refreshed_before = EPOCH - 3600
    source = ids_of(own) if by_id else Tenants(names(2))
    outcomes, _ = work_off(own, source, max_age=7200.0, **NAMED)
    assert {(str(each.status), each.reason) for each in outcomes} == {("skipped", "fresh")}
    assert not sent(own)


@pytest.mark.parametrize("by_id", [True, False])
@pytest.mark.parametrize("hours", [1, 25])
def test_a_named_job_with_a_maximum_age_repeats_nothing(by_id: bool, hours: int) -> None:
    """What it has refreshed before it lost its journal ends as if it had not lost it."""
    own = platform(names(2), 5)
    source = ids_of(own) if by_id else Tenants(names(2))
    work_off(own, source, max_age=7200.0, **NAMED)
    own.clock.advance(hours * 3600.0)
    outcomes, _ = work_off(own, source, max_age=7200.0, **NAMED)
    assert {(str(each.status), each.reason) for each in outcomes} == {("succeeded", "had_run")}
    assert sent(own) == 10


WEST = timezone(timedelta(hours=-14))


class Nowhere(tzinfo):
    """A time zone that does not know its offset, so that its times are naive."""

    def utcoffset(self, when: datetime | None) -> None:
        return None

    def dst(self, when: datetime | None) -> None:
        return None

    def tzname(self, when: datetime | None) -> None:
        return None


@pytest.mark.parametrize(
    "since",
    [
        datetime(2026, 11, 24),
        datetime(2026, 11, 24, tzinfo=Nowhere()),
        datetime.min.replace(tzinfo=timezone(timedelta(hours=14))),
        datetime(1969, 12, 31, tzinfo=UTC),
        -1,
        True,
        1.5,
        "2026-11-24T00:00Z",
    ],
)
def test_a_time_that_names_no_instant_is_refused(since: object) -> None:
    """As an argument that cannot be used, whatever it is."""
    with pytest.raises(InvalidArgumentError, match="since must be"):
        instant(since)


def test_a_time_is_rounded_down() -> None:
    """Nothing may have been sent before it."""
    assert instant(datetime(2026, 11, 24, 0, 0, 0, 999_999, UTC)) == 1_795_478_400
    zone = timezone(timedelta(hours=2))
    assert instant(datetime(2026, 11, 24, 2, tzinfo=zone)) == 1_795_478_400
    assert instant(0) == 0
    assert instant(10**400) == instant(datetime.max.replace(tzinfo=WEST)) == LATEST


def test_a_shard_that_is_cut_anew_passes_no_tenant(tmp_path: Path) -> None:
    """Though its journal says that the job is finished: for other tenants."""
    own = platform(names(9), 3)
    settings = {"journal": tmp_path / "0.sqlite", **NAMED}
    _, first = work_off(own, Tenants(names(9)), shard=(0, 2), **settings)
    assert first.finished_at is not None
    for cut in ((0, 3), (1, 3), (2, 3)):
        work_off(own, Tenants(names(9)), shard=cut, **settings)
    assert all(list(each.executions.values()) == [1, 1, 1] for each in own.tenants.values())
    before = sent(own)
    outcomes, last = work_off(own, Tenants(names(9)), **settings)
    assert (outcomes, last.found_finished, last.total, sent(own)) == ([], True, 27, before)


def test_a_merge_of_some_shards_is_gone_on_with_by_the_others(tmp_path: Path) -> None:
    """All of them were finished, and one is missing."""
    own = platform(names(9), 3)
    paths = [tmp_path / str(number) for number in range(3)]
    for number in (0, 2):
        settings = {"journal": paths[number], "shard": (number, 3)}
        work_off(own, Tenants(names(9)), **settings, **NAMED)
    merge([paths[0], paths[2]], tmp_path / "whole")
    done, report = work_off(own, Tenants(names(9)), journal=tmp_path / "whole", **NAMED)
    assert (report.total, report.found_finished) == (27, False)
    assert all(list(each.executions.values()) == [1, 1, 1] for each in own.tenants.values())
    assert len(done) == 27 - report.earlier


def test_a_finished_journal_that_takes_up_another_tenant_is_unfinished_at_once(
    tmp_path: Path,
) -> None:
    """However the run ends: its accounts may be on disk before anybody knows of it."""
    own = platform(names(2), 30)
    settings = {"journal": tmp_path / "job.sqlite", **NAMED}
    work_off(own, Tenants(names(1)), **settings)

    async def begin() -> None:
        async with own.run(Tenants(names(2)), **settings) as run:
            async for _ in run:
                break

    virtually(begin())
    _, report = work_off(own, Tenants(names(2)), **settings)
    assert (report.total, report.found_finished) == (60, False)
    assert all(set(each.executions.values()) == {1} for each in own.tenants.values())
