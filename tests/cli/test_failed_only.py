"""``--failed-only``: the failed ones of a journal again, and no others."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed, one_sentence

BALANCE = ("--features", "balance")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=4, varied=False, threaded=True) as sandbox:
        yield sandbox


@pytest.fixture
def journal(sandbox: Sandbox, tmp_path: Path) -> str:
    """Return the journal of a job in which every account of the key has failed."""
    name = str(tmp_path / "job.sqlite")
    sandbox.add_faults({"operation": "refresh", "kind": "status", "status": 400})
    base = ("refresh", "--all", *BALANCE, "--journal", name)
    assert fcasync(*base, *connection(sandbox)).exit_code == 1
    sandbox.clear_faults()
    return name


def taken(sandbox: Sandbox, *arguments: str) -> set[str]:
    """Return the accounts that a run of ``refresh --failed-only`` has outcomes of."""
    base = ("refresh", "--failed-only", *arguments, "--output", "jsonl", *connection(sandbox))
    result = fcasync(*base)
    assert result.exit_code in (0, 1), result.stderr
    return {json.loads(line)["account_id"] for line in result.stdout.splitlines()}


def test_the_journal_alone_is_enough(sandbox: Sandbox, journal: str) -> None:
    """It knows the accounts and the features."""
    assert taken(sandbox, "--journal", journal) == {row["id"] for row in listed(sandbox)}
    assert taken(sandbox, "--journal", journal) == set()
    assert set(sandbox.executions("refresh").values()) == {1}


def test_the_same_command_takes_the_failed_ones_only(sandbox: Sandbox, journal: str) -> None:
    """--all may stay where it is; an account that came since is left alone, and costs no read."""
    ids = {row["id"] for row in listed(sandbox)}
    before = len(sandbox.ledger)
    assert taken(sandbox, "--all", *BALANCE, "--journal", journal) == ids
    assert len(sandbox.ledger) - before == 1 + len(ids)  # one for the time


def test_ids_and_files_choose_among_the_failed_ones(
    sandbox: Sandbox, journal: str, tmp_path: Path
) -> None:
    """What did not fail in the journal is not sent, whoever names it."""
    first, second, *_ = (str(row["id"]) for row in listed(sandbox))
    assert taken(sandbox, first, "fca_nobody", "--journal", journal) == {first}
    file = tmp_path / "ids.txt"
    file.write_text(f"# again\n{first}\n{second}\nfca_nobody\n")
    assert taken(sandbox, "--from", str(file), "--journal", journal) == {second}


def test_tenants_choose_among_the_failed_ones(sandbox: Sandbox, tmp_path: Path) -> None:
    """A tenant stands for its failures, a tenant with accounts for those of them that failed."""
    lines = [
        json.dumps({"stripe_account": f"acct_{n}", "accounts": ["fca_a", "fca_b"]})
        for n in (1, 2, 3)
    ]
    file, journal = tmp_path / "tenants.txt", tmp_path / "job.sqlite"
    file.write_text("\n".join(lines))
    base = ("refresh", *BALANCE, "--journal", str(journal), "-o", "jsonl", *connection(sandbox))
    assert fcasync(*base, "--tenants", str(file)).exit_code == 1
    some = tmp_path / "some.txt"
    some.write_text(
        'acct_1\n{"stripe_account": "acct_2", "accounts": ["fca_b", "fca_c"]}\nacct_9\n'
    )
    again = fcasync(*base, "--tenants", str(some), "--failed-only")
    rows = [json.loads(line) for line in again.stdout.splitlines()]
    assert sorted((row["stripe_account"], row["account_id"]) for row in rows) == [
        ("acct_1", "fca_a"),
        ("acct_1", "fca_b"),
        ("acct_2", "fca_b"),
    ]


def test_two_sources_are_still_refused(sandbox: Sandbox, journal: str) -> None:
    """The journal narrows one source down, not two."""
    result = fcasync("refresh", "fca_1", "--all", "--failed-only", "--journal", journal)
    assert (result.exit_code, "choose exactly one of" in result.stderr) == (2, True)


def test_a_journal_that_is_missing_is_named(sandbox: Sandbox, tmp_path: Path) -> None:
    """Nothing is sent, and no journal is made."""
    name = str(tmp_path / "nowhere.sqlite")
    result = fcasync("refresh", "--failed-only", "--journal", name, *connection(sandbox))
    assert one_sentence(result) == f"fcasync: {name} does not exist"
    assert result.exit_code == 2
    assert not sandbox.ledger


def test_only_the_journal_knows_the_features() -> None:
    """Without it they have to be given."""
    result = fcasync("refresh", "--all", "--sandbox")
    assert (result.exit_code, "missing option --features" in result.stderr) == (2, True)


def test_an_interrupted_job_is_not_done_by_its_failures(sandbox: Sandbox, tmp_path: Path) -> None:
    """Exit code 1, and a remark, also with -q, until the whole command has read the rest."""
    journal = str(tmp_path / "job.sqlite")
    base = ("refresh", "--journal", journal, *connection(sandbox), "-q")
    assert fcasync(*base, "--all", *BALANCE, "--max-requests", "1").exit_code == 1
    for words in ((), ("--all",), ("--output", "csv")):
        result = fcasync(*base, "--failed-only", *words)
        assert result.exit_code == 1
        assert f"the job of {journal} has not finished: accounts that were never " in result.stderr
        assert "repeat the whole command without --failed-only" in result.stderr
    assert fcasync(*base, "--all", *BALANCE).exit_code == 0
    assert set(sandbox.executions("refresh").values()) == {1}
    done = fcasync(*base, "--failed-only")
    assert (done.exit_code, done.output) == (0, "")
