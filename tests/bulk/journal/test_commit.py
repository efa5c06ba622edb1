"""Group commit: what was handed in is written and reported, however the run ends."""

from pathlib import Path

from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.sqlite import FileJournal, read_rows
from fcasync.testing import FakeClock
from tests.bulk.journal.test_journal import HEADER, row


def test_closing_reports_what_it_writes(tmp_path: Path) -> None:
    """Outcomes that nobody had time for are on disk, and counted; nothing is begun any more."""
    journal = FileJournal.open(tmp_path / "job.sqlite", HEADER)
    commit = GroupCommit(journal, FakeClock())
    said: list[str] = []
    commit.admit(row(1), lambda _: said.append("admitted"))
    commit.store(row(1, "succeeded"), lambda _: said.append("stored"))
    commit.admit(row(2), lambda _: said.append("admitted"))
    commit.close()
    assert said == ["stored"]
    assert journal.rows == 2
    found = {found.account_id: found.status for found in read_rows(journal.path)}
    assert found == {row(1).account_id: "succeeded", row(2).account_id: "open"}
