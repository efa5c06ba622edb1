"""``fcasync journal``, and the report of a job: one order, one wording."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fcasync.cli._openings import Openings
from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed, one_sentence

BALANCE = ("--features", "balance")
REFRESH = ("refresh", "--all", "--sandbox", *BALANCE)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=4, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


@pytest.mark.parametrize("command", ["refresh", "disconnect"])
def test_a_file_that_is_no_journal_is_not_asked_to_be_private(tmp_path: Path, command: str) -> None:
    """What kind of file it is comes before the question who may read it."""
    junk = tmp_path / "junk"
    junk.write_text("junk\n")
    junk.chmod(0o644)
    features = BALANCE if command == "refresh" else ()
    for arguments in (
        (command, "--all", *features, "--sandbox", "--journal", str(junk)),
        ("journal", "show", str(junk)),
        ("journal", "merge", str(junk), "--into", str(tmp_path / "whole")),
    ):
        result = fcasync(*arguments)
        assert one_sentence(result) == (
            f"fcasync: {junk} is not a journal; name the one of this job, or a new file"
        )
        assert result.exit_code == 2


def test_a_journal_that_others_can_read_is_still_refused(tmp_path: Path) -> None:
    """The rule holds for what is a journal."""
    journal = tmp_path / "job.sqlite"
    assert fcasync(*REFRESH, "--journal", str(journal)).exit_code == 0
    journal.chmod(0o644)
    result = fcasync("journal", "show", str(journal))
    assert "run chmod 600 on it" in one_sentence(result)
    assert result.exit_code == 2


def test_a_failure_of_a_tenant_names_the_tenant(sandbox: Sandbox, tmp_path: Path) -> None:
    """In the job's own list, and in that of its journal."""
    file, journal = tmp_path / "tenants.txt", str(tmp_path / "job.sqlite")
    file.write_text('{"stripe_account": "acct_1", "accounts": ["fca_nobody"]}\n')
    base = ("refresh", "--tenants", str(file), *BALANCE, "--journal", journal)
    for result in (fcasync(*base, *connection(sandbox)), fcasync("journal", "show", journal)):
        assert result.stderr.startswith("fcasync: acct_1 fca_nobody: No such account")


def test_statuses_and_reasons_have_one_order(sandbox: Sandbox, tmp_path: Path) -> None:
    """The journal is shown as the job has reported itself."""
    first, second, third, fourth = (str(row["id"]) for row in listed(sandbox))
    for account in (first, second):
        sandbox.deactivate(account)
    assert fcasync("disconnect", third, "--yes", *connection(sandbox)).exit_code == 0
    journal = str(tmp_path / "job.sqlite")
    base = ("refresh", first, second, third, fourth, "fca_nobody", *BALANCE, "--wait")
    report = fcasync(*base, "--journal", journal, *connection(sandbox)).stdout.splitlines()
    shown = fcasync("journal", "show", journal).stdout.splitlines()
    assert "skipped       3 (1 disconnected, 2 inactive)" in report
    assert "skipped       3 (1 disconnected, 2 inactive)" in shown
    order = [line.split()[0].replace("refreshed", "succeeded") for line in report]
    names = [line.split()[0] for line in shown]
    assert [name for name in names if name in order] == [name for name in order if name in names]
    assert [name for name in names if name in order] == ["succeeded", "skipped", "failed"]


def test_deferred_accounts_say_from_when(sandbox: Sandbox, tmp_path: Path) -> None:
    """In the report of the job, and in that of its journal."""
    base = ("refresh", "--all", *BALANCE, "--wait", *connection(sandbox))
    assert fcasync(*base).exit_code == 0
    journal = str(tmp_path / "job.sqlite")
    again = fcasync(*base, "--journal", journal)
    opens = min(row["balance_refresh"]["next_refresh_available_at"] for row in listed(sandbox))
    first = f"{datetime.fromtimestamp(opens, UTC):%Y-%m-%d %H:%M} UTC"
    (line,) = (line for line in again.stdout.splitlines() if line.startswith("deferred"))
    assert line.startswith(f"deferred      4 (4 too_early), possible from {first}")
    assert line in fcasync("journal", "show", journal).stdout.splitlines()


def test_openings_are_a_range() -> None:
    """One instant if it is the same minute for all, and nothing if nobody knows any."""
    openings = Openings()
    openings.add(None)
    assert str(openings) == ""
    noon = datetime(2026, 11, 24, 12, tzinfo=UTC)
    openings.add(noon)
    openings.add(noon + timedelta(seconds=59))
    assert str(openings) == ", possible from 2026-11-24 12:00 UTC"
    openings.add(noon + timedelta(hours=2))
    assert openings.added_to("done  3\ndeferred  2\nfailed  0").splitlines() == [
        "done  3",
        "deferred  2, possible from 2026-11-24 12:00 UTC, all from 2026-11-24 14:00 UTC",
        "failed  0",
    ]
