"""``fcasync sync``: a database that stays true by one command."""

import json
import sqlite3
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fcasync.cli.sync import _how_to_go_on
from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, one_sentence


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=8, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


def test_a_second_run_costs_one_request_per_hundred_accounts(
    sandbox: Sandbox, tmp_path: Path
) -> None:
    """The first run refreshes and stores; the next one reads the accounts and says: nothing new."""
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    features = ("--refresh", "transactions,balance")
    first = fcasync("sync", "--all", "--to", url, *features, *connection(sandbox))
    assert first.exit_code == 0, first.stderr
    assert "synced        8 of 8 accounts" in first.stdout
    with closing(sqlite3.connect(tmp_path / "bank.db")) as database:
        (count,) = database.execute("SELECT COUNT(*) FROM transactions").fetchone()
    assert f"{count} new, 0 updated" in first.stdout
    before = len(sandbox.ledger)
    second = fcasync("sync", "--all", "--to", url, *connection(sandbox))
    assert "0 new, 0 updated" in second.stdout
    assert len(sandbox.ledger) == before + 1
    third = fcasync(
        *("sync", "--all", "--to", url, *features, "--max-age", "1h", *connection(sandbox))
    )
    assert third.exit_code == 0
    assert set(sandbox.executions("refresh").values()) == {1}


def test_machine_formats_print_each_outcome(sandbox: Sandbox, tmp_path: Path) -> None:
    """What failed makes exit code 1; the summary goes to stderr."""
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    ids = [account["id"] for account in listed(sandbox)][:1]
    arguments = ("sync", *ids, "fca_nobody", "--to", url, "--output", "jsonl")
    result = fcasync(*arguments, *connection(sandbox))
    assert result.exit_code == 1
    rows = {row["account_id"]: row["status"] for row in map(json.loads, result.stdout.splitlines())}
    assert rows == {ids[0]: "synced", "fca_nobody": "failed"}
    assert "failed        1 (1 resource_missing)" in result.stderr


def listed(sandbox: Sandbox) -> list[dict[str, str]]:
    result = fcasync("accounts", "list", "--output", "json", *connection(sandbox))
    found: list[dict[str, str]] = json.loads(result.stdout)
    return found


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--all", "--to", "mysql://jo:hunter2@db/x"), 2, "a mirror cannot be in a database"),
        (("--all", "--to", "bank.db"), 2, "url must be a database URL"),
        (("--all", "--to", "sqlite:////nowhere/bank.db"), 1, "No such file or directory"),
    ],
)
def test_a_wrong_database_is_one_sentence(
    sandbox: Sandbox, arguments: tuple[str, ...], code: int, words: str
) -> None:
    """It says what is wrong, never with the password."""
    result = fcasync("sync", *arguments, *connection(sandbox))
    assert result.exit_code == code
    assert words in one_sentence(result)
    assert "hunter2" not in result.output


@pytest.mark.parametrize(
    "arguments",
    [
        ("--to", "sqlite:///x.db"),
        ("--to", "sqlite:///x.db", "--all", "fca_1"),
        ("--to", "sqlite:///x.db", "--all", "--max-age", "1h"),
        ("--to", "sqlite:///x.db", "--all", "--refresh", "transactions", "--max-age", "soon"),
        ("--to", "sqlite:///x.db", "--all", "--refresh", "weather"),
    ],
)
def test_wrong_usage_has_exit_code_2(arguments: tuple[str, ...]) -> None:
    """Nothing is opened or sent."""
    assert fcasync("sync", *arguments, "--sandbox").exit_code == 2


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://user:s3cret@host/bank",
        "postgresql://user@host/bank?password=s3cret",
        "postgresql://user@host/bank?sslpassword=s3cret&x=1",
    ],
)
def test_the_command_that_goes_on_shows_no_password(
    monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    """Wherever it stands in the URL, and however the option is written."""
    for words in (["--to", url], [f"--to={url}"]):
        monkeypatch.setattr(sys, "argv", ["fcasync", "sync", "--all", *words])
        sentence = _how_to_go_on(3, url)
        assert "s3cret" not in sentence
        assert "stopped with 3 done" in sentence
        assert "host/bank" in sentence
