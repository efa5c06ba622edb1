"""``--quiet``: what cron mails, and nothing else."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed

BALANCE = ("--features", "balance")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=6, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


def said(*arguments: str) -> tuple[int, str, str]:
    result = fcasync(*arguments)
    return result.exit_code, result.stdout, result.stderr


def test_a_job_in_which_all_went_well_says_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """Neither the run that does it, nor the next one, which finds it finished."""
    journal = ("--journal", str(tmp_path / "job.sqlite"))
    base = ("refresh", "--all", *BALANCE, "--wait", *journal, *connection(sandbox))
    for _ in range(2):
        assert said(*base, "-q") == (0, "", "")
    assert "nothing to do" in fcasync(*base).stderr


def test_a_job_with_failures_says_all(sandbox: Sandbox, tmp_path: Path) -> None:
    """The accounts, and the report, at the time; later the report, and never a remark."""
    account = str(listed(sandbox)[0]["id"])
    journal = ("--journal", str(tmp_path / "job.sqlite"))
    base = ("refresh", account, "fca_nobody", *BALANCE, *journal, *connection(sandbox), "-q")
    code, out, err = said(*base)
    assert code == 1
    assert "failed        1 (1 resource_missing)" in out
    assert err.startswith("fcasync: fca_nobody: ")
    code, out, err = said(*base)
    assert (code, err) == (1, "")
    assert "failed        1 (1 resource_missing)" in out


def test_a_job_that_refreshed_nothing_says_so() -> None:
    """Accounts that are pending or deferred are no failure, but cron is to report them."""
    with Sandbox(accounts=6, varied=False, settle_seconds=50, threaded=True) as sandbox:
        base = ("refresh", "--all", *BALANCE, *connection(sandbox), "-q")
        code, out, err = said(*base, "--wait", "--wait-timeout", "0.1")
        assert (code, "pending       6" in out, err) == (0, True, "")
        sandbox.advance(60)
        code, out, err = said(*base)
        assert (code, "deferred      6" in out, err) == (0, True, "")
        code, out, err = said(*base, "-o", "jsonl")
        assert (code, out.count("deferred"), "deferred      6" in err) == (0, 6, True)


@pytest.mark.parametrize("output", ["json", "jsonl", "csv"])
def test_machines_get_their_result_all_the_same(sandbox: Sandbox, output: str) -> None:
    """Only the summary on stderr is left out."""
    base = ("refresh", "--all", *BALANCE, "-o", output, *connection(sandbox), "-q")
    code, out, err = said(*base)
    assert (code, err) == (0, "")
    assert out.count("accepted") == 6


def test_a_dry_run_answers(sandbox: Sandbox) -> None:
    """What it is asked for is its report."""
    code, out, err = said("refresh", "--all", *BALANCE, "--dry-run", *connection(sandbox), "-q")
    assert (code, err) == (0, "")
    assert "would refresh 6 of 6 accounts" in out


def test_a_sync_in_which_all_went_well_says_nothing(sandbox: Sandbox, tmp_path: Path) -> None:
    """And one with a failure says which, and how many."""
    base = ("sync", "--to", f"sqlite:///{tmp_path / 'bank.db'}", *connection(sandbox), "-q")
    assert said(*base, "--all") == (0, "", "")
    code, out, err = said(*base, "fca_nobody")
    assert code == 1
    assert "failed        1 (1 resource_missing)" in out
    assert err.startswith("fcasync: fca_nobody: ")


def test_journals_are_shown_and_merged_quietly(tmp_path: Path) -> None:
    """The option is known where nothing is sent, before the command or after it."""
    journal, whole = str(tmp_path / "job.sqlite"), str(tmp_path / "whole.sqlite")
    assert fcasync("refresh", "--all", *BALANCE, "--sandbox=3", "--journal", journal).exit_code == 0
    for words in (("journal", "show", journal, "-q"), ("-q", "journal", "show", journal)):
        code, out, err = said(*words)
        assert (code, "accepted      3" in out, err) == (0, True, "")
    assert said("journal", "merge", journal, "--into", whole, "-q")[1:] == ("", "")
