"""``fcasync sync``: a database that stays true by one command."""

import json
import shlex
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from fcasync.cli.sync import _how_to_resume
from fcasync.sandbox import Sandbox
from tests._paths import ROOT
from tests.cli.test_cli import connection, fcasync, one_sentence, said, start


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
        (
            ("--all", "--to", "bank.db"),
            2,
            "--to must be the URL of a database, such as sqlite:///bank.db or",
        ),
        (("--all", "--to", "sqlite:////nowhere/bank.db"), 2, "No such file or directory"),
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


def stored(path: Path) -> dict[str, int]:
    """Return how many transactions the database has of each account that was synced."""
    with closing(sqlite3.connect(path)) as database:
        counts = (
            "SELECT s.account, COUNT(t.id) FROM sync_state s LEFT JOIN transactions t "
            "ON t.account = s.account WHERE s.cursor IS NOT NULL GROUP BY s.account"
        )
        return dict(database.execute(counts).fetchall())


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sync_says_how_to_resume(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    """SIGINT and SIGTERM exit 130; what was printed is stored, and the same command does the rest.

    The command that is printed has neither the key nor the password.
    """
    features = ("--features", "transactions", "--wait")
    assert fcasync("refresh", "--all", *features, *connection(sandbox)).exit_code == 0
    sandbox.add_faults({"operation": "list_transactions", "kind": "delay", "seconds": 0.2})
    path = tmp_path / "bank.db"
    base = ("sync", "--all", "--to", f"sqlite:///{path}", "--output", "jsonl")
    process = start(*base, "--concurrency", "1", *connection(sandbox))
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(number)
    process.send_signal(number)  # people press Ctrl-C twice
    out, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    printed = {row["account_id"]: row["new"] for row in map(json.loads, (first + out).splitlines())}
    assert 0 < len(printed) < 8
    assert printed.items() <= stored(path).items()
    assert sandbox.api_key not in stderr
    (sentence,) = said(stderr)
    assert sentence.startswith(f"fcasync: stopped with {len(printed)} done; to resume, run")
    sandbox.clear_faults()
    words = shlex.split(sentence.partition("to resume, run (with --api-key): ")[2])
    again = fcasync(*words[words.index("sync") :], "--api-key", sandbox.api_key)
    assert again.exit_code == 0, again.stderr
    rest = {row["account_id"]: row["new"] for row in map(json.loads, again.stdout.splitlines())}
    found = stored(path)
    assert len(found) == 8
    assert sum(printed.values()) + sum(rest.values()) == sum(found.values())
    whole = tmp_path / "whole.db"
    assert (
        fcasync("sync", "--all", "--to", f"sqlite:///{whole}", *connection(sandbox)).exit_code == 0
    )
    assert found == stored(whole)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sync_that_waits_for_its_input(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    """The sentence asks for the same input."""
    account = listed(sandbox)[0]["id"]
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    command = ("sync", "--from", "-", "--to", url, "--output", "jsonl", *connection(sandbox))
    with subprocess.Popen(
        [sys.executable, "-m", "fcasync", *command],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(f"{account}\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["account_id"] == account
        process.send_signal(number)
        assert process.wait(timeout=30) == 130
        assert "(with --api-key and the same input): " in process.stderr.read()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_sync_that_waits_for_banks(tmp_path: Path, number: signal.Signals) -> None:
    """A refresh that was accepted is not repeated where --max-age or Stripe forbids it."""
    with Sandbox(accounts=3, varied=False, settle_seconds=3600, threaded=True) as sandbox:
        url = f"sqlite:///{tmp_path / 'bank.db'}"
        arguments = ("--all", "--to", url, "--refresh", "transactions", "--output", "jsonl")
        process = start("sync", *arguments, *connection(sandbox))
        while len(sandbox.executions("refresh")) < 3:
            assert process.poll() is None
        process.send_signal(number)
        _, stderr = process.communicate(timeout=30)
        assert process.returncode == 130, stderr
        (sentence,) = said(stderr)
        assert sentence.startswith("fcasync: stopped with 0 done; to resume, run")
        assert set(sandbox.executions("refresh").values()) == {1}


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
        sentence = _how_to_resume(3, url)
        assert "s3cret" not in sentence
        assert "stopped with 3 done; to resume, run (with the password): " in sentence
        assert "host/bank" in sentence
