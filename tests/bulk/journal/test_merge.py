"""Journals of shards as one: nothing is lost, and what nobody saw stays unseen."""

from pathlib import Path

import attrs
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fcasync.bulk._journal.merge import merge
from fcasync.bulk._journal.sqlite import FileJournal, read_job, read_rows
from fcasync.bulk._plan.task import Row
from fcasync.errors import JournalError
from tests.bulk.journal.test_journal import HEADER, digest

NAMED = attrs.evolve(HEADER, id="0" * 32)


def journal(
    path: Path, tenant: str, finished: int, unfinished: int, *, seen: int, ended: int | None = None
) -> Path:
    """Make the journal of one tenant; the caller has seen the first *seen* outcomes."""
    file = FileJournal.open(path, NAMED)
    for number in range(finished + unfinished):
        row = Row(f"fca_{number}", "open", 0, 1, stripe_account=tenant)
        file.commit([row], [])
        if number < finished:
            file.commit([], [attrs.evolve(row, status="accepted", seq=number + 1)])
    file.close(is_complete=True, acknowledged=seen, finished_at=ended)
    return path


sizes = st.tuples(st.integers(0, 4), st.integers(0, 2), st.integers(0, 4))


@settings(max_examples=25, deadline=None)
@given(st.lists(sizes, min_size=1, max_size=3))
def test_the_whole_is_the_sum_of_its_parts(
    tmp_path_factory: pytest.TempPathFactory, shards: list[tuple[int, int, int]]
) -> None:
    """Every row is there, seen outcomes stay seen, and numbers stay unique and in order."""
    folder = tmp_path_factory.mktemp("shards")
    parts = [
        journal(folder / f"{i}.sqlite", f"acct_{i}", done, left, seen=min(seen, done))
        for i, (done, left, seen) in enumerate(shards)
    ]
    before = [digest(part) for part in parts]
    whole = folder / "whole.sqlite"
    assert merge(parts, whole) == sum(done + left for done, left, _ in shards)

    rows = {row.key: row for row in read_rows(whole)}
    assert {key: attrs.evolve(row, seq=0) for key, row in rows.items()} == {
        row.key: attrs.evolve(row, seq=0) for part in parts for row in read_rows(part)
    }
    numbers = sorted(row.seq for row in rows.values() if row.seq)
    assert numbers == list(range(1, len(numbers) + 1))
    file = FileJournal.open(whole, NAMED)
    unseen = {row.key for row in file.unacknowledged()}
    file.close(is_complete=True)
    assert unseen == {
        row.key
        for part, (_, _, seen) in zip(parts, shards, strict=True)
        for row in read_rows(part)
        if row.seq > seen
    }
    assert [digest(part) for part in parts] == before


def test_a_whole_is_finished_when_all_its_parts_are(tmp_path: Path) -> None:
    """It finished when the last of them did."""
    first = journal(tmp_path / "1", "acct_1", 1, 0, seen=1, ended=100)
    second = journal(tmp_path / "2", "acct_2", 1, 0, seen=1, ended=200)
    third = journal(tmp_path / "3", "acct_3", 1, 1, seen=1)
    merge([first, second], tmp_path / "a")
    merge([first, third], tmp_path / "b")
    assert read_job(tmp_path / "a")[1].finished_at == 200
    assert read_job(tmp_path / "b")[1].finished_at is None


def test_a_part_that_was_cut_short_leaves_the_whole_suspect(tmp_path: Path) -> None:
    """What one of them forgot, the whole does not know either."""
    first = journal(tmp_path / "1", "acct_1", 1, 0, seen=1)
    FileJournal.open(tmp_path / "1", NAMED)._database.close()  # killed
    merge([first, journal(tmp_path / "2", "acct_2", 1, 0, seen=1)], tmp_path / "a")
    assert not read_job(tmp_path / "a")[1].is_whole


def test_journals_of_other_jobs_or_with_the_same_account_are_refused(tmp_path: Path) -> None:
    """Nothing is written then."""
    first = journal(tmp_path / "1", "acct_1", 1, 0, seen=1)
    same = journal(tmp_path / "2", "acct_1", 1, 0, seen=1)
    FileJournal.open(tmp_path / "3", HEADER).close(is_complete=True)
    with pytest.raises(JournalError, match="both know fca_0"):
        merge([first, same], tmp_path / "a")
    with pytest.raises(JournalError, match="another job"):
        merge([first, tmp_path / "3"], tmp_path / "a")
    with pytest.raises(JournalError, match="does not exist"):
        merge([first, tmp_path / "4"], tmp_path / "a")
    with pytest.raises(JournalError, match="exists"):
        merge([first], tmp_path / "2")
    assert not (tmp_path / "a").exists()
