"""``fcasync refresh`` and ``fcasync journal``: streams, stops, and what is left to say."""

import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcasync.bulk import read_journal
from fcasync.sandbox import Sandbox
from tests._paths import ROOT
from tests.cli.test_cli import connection, fcasync, listed, one_sentence, said, start

BALANCE = ("--features", "balance")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=30, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


def rows(text: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in text.splitlines()]


def piped(*arguments: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "fcasync", *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def test_standard_input_is_worked_on_line_by_line(sandbox: Sandbox) -> None:
    """An id is refreshed while the pipe is still open."""
    ids = [str(row["id"]) for row in listed(sandbox)][:2]
    command = ("refresh", "--from", "-", *BALANCE, "--output", "jsonl", *connection(sandbox))
    with piped(*command) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for name in ids:
            process.stdin.write(f"{name}\n")
            process.stdin.flush()
            assert json.loads(process.stdout.readline())["account_id"] == name
        process.stdin.close()
        assert process.wait(timeout=30) == 0


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_a_job_whose_input_is_quiet(sandbox: Sandbox, number: int) -> None:
    """A job that waits for a line stops as well."""
    command = ("refresh", "--from", "-", *BALANCE, "--output", "jsonl", *connection(sandbox))
    with piped(*command) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert process.stderr is not None
        process.stdin.write(f"{listed(sandbox)[0]['id']}\n")
        process.stdin.flush()
        process.stdout.readline()
        process.send_signal(number)
        assert process.wait(timeout=30) == 130
        assert "stopped with 1 done" in process.stderr.read()


def test_accounts_on_the_pipe_are_used(sandbox: Sandbox) -> None:
    """What `accounts list --output jsonl` printed needs no request to be skipped."""
    sandbox.deactivate(str(listed(sandbox)[0]["id"]))
    printed = fcasync("accounts", "list", "--output", "jsonl", *connection(sandbox)).stdout
    requests = sandbox.world.ledger.requests
    result = fcasync(
        "refresh", "--from", "-", *BALANCE, "--output", "jsonl", *connection(sandbox), stdin=printed
    )
    found = [row["status"] for row in rows(result.stdout)]
    assert (result.exit_code, found.count("skipped"), found.count("accepted")) == (0, 1, 29)
    assert sandbox.world.ledger.requests == requests + 30  # one for the time, none for the first


def test_an_id_of_an_account_that_cannot_be_refreshed_is_not_a_failure(sandbox: Sandbox) -> None:
    """A warehouse's ids end as the accounts themselves would: exit 0."""
    account = str(listed(sandbox)[0]["id"])
    sandbox.deactivate(account)
    result = fcasync("refresh", account, *BALANCE, "--output", "jsonl", *connection(sandbox))
    assert [(row["status"], row["reason"]) for row in rows(result.stdout)] == [
        ("skipped", "inactive")
    ]
    assert result.exit_code == 0


def test_no_outcome_is_lost_around_a_stop(sandbox: Sandbox, tmp_path: Path) -> None:
    """Ctrl-C, then the printed command: every account has a line, and none is lost in between."""
    journal = tmp_path / "job.sqlite"
    base = ("refresh", "--all", *BALANCE, "--journal", str(journal), "--output", "jsonl")
    process = start(*base, "--max-rate", "10", *connection(sandbox))
    assert process.stdout is not None
    lines = [process.stdout.readline() for _ in range(3)]
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    printed = {row["account_id"] for row in rows("".join(lines) + out)}
    assert printed == {outcome.account_id for outcome in read_journal(journal)}
    (sentence,) = said(err)
    assert sentence.startswith(f"fcasync: stopped with {len(printed)} done; to resume, run")
    words = shlex.split(sentence.partition("to resume, run (with --api-key): ")[2])
    rate = words.index("--max-rate")
    arguments = [*words[words.index("fcasync") + 1 : rate], *words[rate + 2 :]]
    again = fcasync(*arguments, "--api-key", sandbox.api_key)
    rest = {row["account_id"] for row in rows(again.stdout)}
    assert len(printed | rest) == 30
    assert not printed & rest


def test_failed_only_resumes_what_it_had_reopened(sandbox: Sandbox, tmp_path: Path) -> None:
    """Stopped midway, the same command does the rest; the whole command says that it was all."""
    journal = tmp_path / "job.sqlite"
    base = (*BALANCE, "--journal", str(journal), "--output", "jsonl", *connection(sandbox))
    sandbox.add_faults({"operation": "refresh", "kind": "status", "status": 400})
    assert fcasync("refresh", "--all", *base).exit_code == 1
    sandbox.clear_faults()
    process = start("refresh", "--failed-only", "--max-rate", "12", *base)
    assert process.stdout is not None
    first = process.stdout.readline()
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    done = {row["account_id"] for row in rows(first + out)}
    assert 0 < len(done) < 30
    result = fcasync("refresh", "--failed-only", *base)
    # The journal no longer knows that an earlier run had read all accounts.
    assert (result.exit_code, "has not finished" in result.stderr) == (1, True)
    whole = fcasync("refresh", "--all", *base)
    assert (whole.exit_code, whole.stdout) == (0, "")
    assert len(done | {row["account_id"] for row in rows(result.stdout)}) == 30
    assert {outcome.status for outcome in read_journal(journal)} == {"accepted"}
    assert set(sandbox.executions("refresh").values()) == {1}


def test_a_finished_job_says_so(sandbox: Sandbox, tmp_path: Path) -> None:
    """The same command the next night names the cause, and does not claim to have done it."""
    base = ("refresh", "--all", *BALANCE, "--wait", "--journal", str(tmp_path / "job.sqlite"))
    first = fcasync(*base, *connection(sandbox))
    assert "refreshed     30 of 30 accounts\n" in first.stdout
    second = fcasync(*base, *connection(sandbox))
    assert second.stderr.startswith("fcasync: nothing to do: this job finished at 20")
    assert "name a new journal" in second.stderr
    assert "refreshed     30 of 30 accounts, 0 now and 30 earlier" in second.stdout
    assert second.exit_code == 0


@pytest.mark.parametrize("output", ["table", "jsonl", "csv", "json"])
def test_a_journal_can_be_shown(sandbox: Sandbox, tmp_path: Path, output: str) -> None:
    """Counts, failures and what is unfinished; or each account, for machines."""
    journal = str(tmp_path / "job.sqlite")
    good = str(listed(sandbox)[0]["id"])
    fcasync("refresh", good, "fca_nobody", *BALANCE, "--journal", journal, *connection(sandbox))
    result = fcasync("journal", "show", journal, "--output", output)
    assert result.exit_code == 0
    if output == "table":
        names = [line.split()[0] for line in result.stdout.splitlines()]
        assert names == ["job", "began", "finished", "accepted", "failed", "unfinished"]
        assert "fca_nobody: No such" in result.stderr
        return
    assert good in result.stdout
    assert "fca_nobody" in result.stdout
    if output == "jsonl":
        found = {row["account_id"]: row["status"] for row in rows(result.stdout)}
        assert found == {good: "accepted", "fca_nobody": "failed"}


def test_showing_what_is_not_a_journal_is_one_sentence(tmp_path: Path) -> None:
    """As for any other file that cannot be used."""
    result = fcasync("journal", "show", str(tmp_path / "nowhere"))
    assert one_sentence(result).endswith("nowhere does not exist")
    assert result.exit_code == 2


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize(
    "command",
    [
        ("accounts", "list", "--output", "jsonl"),
        ("refresh", "--all", *BALANCE, "--output", "jsonl"),
        ("guide", "web"),
        ("--help",),
    ],
)
def test_an_output_that_is_full_is_one_sentence(sandbox: Sandbox, command: tuple[str, ...]) -> None:
    """No traceback, neither now nor when Python flushes what is left."""
    options = connection(sandbox) if "jsonl" in command else ()
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "fcasync", *command, *options],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            cwd=ROOT,
            timeout=60,
            check=False,
        )
    assert done.stderr.splitlines()[-1] == (
        "fcasync: cannot write the output: No space left on device"
    )
    assert "Traceback" not in done.stderr
    assert done.returncode == 1


@pytest.mark.skipif(os.name != "posix", reason="needs a shell")
@pytest.mark.parametrize("output", ["csv", "jsonl", "table"])
def test_an_output_that_is_closed_gets_nothing(sandbox: Sandbox, output: str) -> None:
    """As for print() and click: whoever closes standard output wants no results, and no error."""
    command = ("accounts", "list", "--output", output, *connection(sandbox))
    done = subprocess.run(
        ["sh", "-c", '"$@" >&-', "sh", sys.executable, "-m", "fcasync", *command],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize(
    ("path", "why"),
    [
        pytest.param("", "Is a directory", id="folder"),
        pytest.param(
            "/proc/self/mem",
            "Input/output error",
            id="disk",
            marks=pytest.mark.skipif(not Path("/proc/self/mem").exists(), reason="needs /proc"),
        ),
    ],
)
def test_an_input_that_cannot_be_read_is_one_sentence(
    sandbox: Sandbox, tmp_path: Path, path: str, why: str
) -> None:
    """A folder, and a file that can be opened and then fails as a broken disk does."""
    name = str(tmp_path / path)
    result = fcasync("refresh", "--from", name, *BALANCE, *connection(sandbox))
    assert one_sentence(result) == f"fcasync: cannot read {name}: {why}"
    assert result.exit_code == 2


def test_a_killed_job_loses_no_line(sandbox: Sandbox, tmp_path: Path) -> None:
    """SIGKILL at any moment: the lines of all runs together are every account."""
    journal = str(tmp_path / "job.sqlite")
    base = ("refresh", "--all", *BALANCE, "--journal", journal, "--output", "jsonl")
    out = tmp_path / "out.jsonl"
    for count in (3, 9):
        with out.open("a") as file:
            process = subprocess.Popen(
                [sys.executable, "-m", "fcasync", *base, "--max-rate", "20", *connection(sandbox)],
                stdout=file,
                stderr=subprocess.DEVNULL,
                cwd=ROOT,
            )
            deadline = time.monotonic() + 30
            while len(out.read_bytes().splitlines()) < count and time.monotonic() < deadline:
                time.sleep(0.01)
            os.kill(process.pid, signal.SIGKILL)
            process.wait()
    result = fcasync(*base, *connection(sandbox))
    assert result.exit_code == 0
    printed = rows(out.read_text() + result.stdout)
    assert len({row["account_id"] for row in printed}) == 30
    firsts = [row["account_id"] for row in printed if not row["again"]]
    assert len(firsts) == len(set(firsts))
