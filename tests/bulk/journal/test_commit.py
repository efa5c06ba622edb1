"""Group commit: what was handed in is written and reported, however the run ends."""

from pathlib import Path

from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.sqlite import FileJournal, read_rows
from fcasync.bulk._outcome import OutcomeStatus
from fcasync.bulk._plan.task import Task
from fcasync.bulk._plan.verdicts import Verdict
from fcasync.testing import FakeClock
from tests.bulk.journal.test_journal import HEADER, row


def test_closing_reports_what_it_writes(tmp_path: Path) -> None:
    """Outcomes that nobody had time for are on disk, and counted; nothing is begun any more."""
    journal = FileJournal.open(tmp_path / "job.sqlite", HEADER)
    commit = GroupCommit(journal, FakeClock())
    said: list[str] = []
    tasks = [Task(row(number).account_id, row(number).sent_at) for number in (1, 2)]
    commit.admit(tasks[0], lambda _: said.append("admitted"))
    tasks[0].verdict = Verdict(OutcomeStatus.SUCCEEDED)
    commit.store(tasks[0], lambda: said.append("stored"))
    commit.admit(tasks[1], lambda _: said.append("admitted"))
    commit.close()
    assert said == ["stored"]
    assert journal.rows == 2
    found = {found.account_id: found.status for found in read_rows(journal.path)}
    assert found == {row(1).account_id: "succeeded", row(2).account_id: "open"}
