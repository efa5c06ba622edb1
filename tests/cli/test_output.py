"""What machines and people get: CSV, one JSON object, a card, and questions."""

import csv
import io
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.cli._csv import Csv, cells, csv_text, id_column, is_open
from fcasync.cli._output import ACCOUNT_COLUMNS, FORMATS, writer
from fcasync.cli._retries import RetryNotices
from fcasync.hooks import Call, RetryScheduled
from fcasync.models import Account, Balance
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock
from tests._paths import ROOT
from tests.cli.test_cli import connection, fcasync, listed, one_sentence


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=6, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


def table(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_is_for_machines(sandbox: Sandbox) -> None:
    """Stripe's field names, whole minor units beside the currency, ISO 8601."""
    rows = table(fcasync("accounts", "list", "--output", "csv", *connection(sandbox)).stdout)
    expected = listed(sandbox)
    for row, account in zip(rows, expected, strict=True):
        assert row["id"] == account["id"]
        assert row["account_holder.customer"] == account["account_holder"]["customer"]
        if "balance" not in account:
            assert row["balance.current.amount"] == row["balance.current.currency"] == ""
            continue
        amounts = account["balance"]["current"]
        assert {row["balance.current.currency"]: int(row["balance.current.amount"])} == amounts
        assert row["balance.as_of"].endswith("Z")
        assert row["balance.as_of"][10] == "T"


def test_a_csv_of_accounts_can_be_read_back(sandbox: Sandbox, tmp_path: Path) -> None:
    """What one command printed is the input of the next, whichever format it was."""
    file = tmp_path / "accounts.csv"
    file.write_text(fcasync("accounts", "list", "--output", "csv", *connection(sandbox)).stdout)
    base = ("refresh", "--features", "balance", "--output", "csv", *connection(sandbox))
    outcomes = table(fcasync(*base, "--from", str(file)).stdout)
    assert {row["status"] for row in outcomes} == {"accepted"}
    assert len(outcomes) == 6
    again = tmp_path / "outcomes.csv"
    again.write_text(fcasync(*base, "--from", str(file)).stdout)
    assert {row["account_id"] for row in table(again.read_text())} == {
        row["id"] for row in listed(sandbox)
    }
    assert len(table(fcasync(*base, "--from", str(again)).stdout)) == 6


def test_a_csv_without_an_id_in_a_line_names_the_line(sandbox: Sandbox, tmp_path: Path) -> None:
    """A file that was cut or edited is one sentence."""
    file = tmp_path / "broken.csv"
    file.write_text('status,id\nactive,fca_1\n"a\nb",\n')
    base = ("refresh", "--features", "balance", *connection(sandbox), "--from", str(file))
    result = fcasync(*base)
    assert f"{file}:4: there is no id in column 2 of this line" in result.stderr
    assert result.exit_code == 2


def test_a_csv_that_was_cut_short_is_not_the_whole_job(sandbox: Sandbox, tmp_path: Path) -> None:
    """A quoted cell without an end would swallow all accounts behind it in silence."""
    file = tmp_path / "cut.csv"
    lines = [f'"{number}",fca_{number}' for number in range(1_000)]
    file.write_text("\n".join(["name,id", "x,fca_x", '"y,fca_y', *lines]))
    base = ("refresh", "--features", "balance", *connection(sandbox), "--dry-run")
    result = fcasync(*base, "--from", str(file))
    assert one_sentence(result).endswith(
        f"{file}:3: the quoted cell that begins in this line has no end"
    )
    assert result.exit_code == 2


def test_a_list_of_accounts_in_one_json_value_is_refused(sandbox: Sandbox, tmp_path: Path) -> None:
    """Its lines are not accounts, and none of them is taken for an id."""
    file = tmp_path / "accounts.json"
    file.write_text(fcasync("accounts", "list", "--output", "json", *connection(sandbox)).stdout)
    result = fcasync("refresh", "--features", "balance", *connection(sandbox), "--from", str(file))
    assert f"{file}:1: a JSON list; print one object a line instead" in one_sentence(result)
    assert result.exit_code == 2


@given(st.lists(st.text(), min_size=1, max_size=4))
def test_any_text_survives_csv(words: list[str]) -> None:
    """Quotes, commas and line breaks in a bank's text do not move the cells after it."""
    out = io.StringIO()
    csv.writer(out, lineterminator="\n").writerow([*map(csv_text, words), "fca_1"])
    lines = out.getvalue().removesuffix("\n").split("\n")
    for number in range(1, len(lines)):
        assert is_open("\n".join(lines[:number]))
    assert not is_open("\n".join(lines))
    assert cells("\n".join(lines))[-1] == "fca_1"


@pytest.mark.parametrize(
    ("line", "column"),
    [("id", 0), ("status,id", 1), ("id,account_id", 1), ("fca_1", None), ("", None)],
)
def test_a_header_is_recognised_by_its_columns(line: str, column: int | None) -> None:
    """A file of plain ids has none; a job's outcomes have account_id."""
    assert id_column(line) == column


def test_cells_are_written_as_json_writes_them() -> None:
    """Booleans are lower case, lists of words are separated by blanks, the rest is JSON."""
    values: tuple[object, ...] = (None, True, 1, ["a", "b"], {"a": 1}, [])
    assert [csv_text(value) for value in values] == ["", "true", "1", "a b", '{"a":1}', ""]


@pytest.mark.parametrize("output", FORMATS)
def test_half_a_surrogate_pair_stops_no_output(
    output: str, capsys: pytest.CaptureFixture[str]
) -> None:
    """One bank's text that was cut in the middle of an emoji does not end a list half-way."""
    out = writer(output, ACCOUNT_COLUMNS, Account)
    odd = Account(id="fca_1", display_name="Joint \ud83d", permissions=["new \ud83d"])
    for account in (odd, Account(id="fca_2", display_name="Größe 😀")):
        out.write(account)
    out.close()
    text = capsys.readouterr().out
    assert text.encode()
    assert "fca_2" in text
    assert "\ufffd" in text or output == "table"


def test_what_is_not_odd_is_printed_as_it_is() -> None:
    """Characters beyond the first 65,536 are pairs of halves in JSON, and whole here."""
    assert csv_text("Größe 😀") == "Größe 😀"
    assert csv_text([{"name": "😀 \ud83d"}]) == '[{"name":"😀 \ufffd"}]'


def test_several_currencies_are_not_lost_in_silence(capsys: pytest.CaptureFixture[str]) -> None:
    """CSV has room for one; stderr says how to get all."""
    out = Csv(Account)
    out.write(Account(id="fca_1", balance=Balance(current={"usd": 1, "eur": 2})))
    out.close()
    assert "1 of these have amounts in several currencies" in capsys.readouterr().err


def test_one_object_is_one_object(sandbox: Sandbox) -> None:
    """`retrieve --output json` is not an array of one; the table is a card with every field."""
    account = str(listed(sandbox)[0]["id"])
    command = ("accounts", "retrieve", account, *connection(sandbox))
    assert json.loads(fcasync(*command, "--output", "json").stdout)["id"] == account
    (row,) = table(fcasync(*command, "--output", "csv").stdout)
    assert row["id"] == account
    lines = fcasync(*command).stdout.splitlines()
    assert lines[0].split() == ["id", account]
    assert any(line.startswith("institution_name ") for line in lines)


def test_a_balance_check_is_an_exit_code(sandbox: Sandbox) -> None:
    """A script asks whether there is enough money, and need not parse the answer."""
    account = str(listed(sandbox)[-1]["id"])
    base = ("accounts", "balance", account, *connection(sandbox), "--max-age", "90d")
    assert fcasync(*base, "--at-least", "0usd").exit_code in (0, 1)
    row = json.loads(fcasync(*base, "--output", "json").stdout)
    assert row["verdict"] == "unknown"
    assert row["reason"] in ("no_threshold", "credit_account")
    wrong = fcasync(*base, "--at-least", "5.001usd")
    assert (wrong.exit_code, "at most 2 decimal places" in wrong.stderr) == (2, True)


def test_what_cannot_be_undone_needs_a_yes(sandbox: Sandbox) -> None:
    """Without a terminal to ask on, nothing is sent, and the message says how to go on."""
    account = str(listed(sandbox)[0]["id"])
    result = fcasync("accounts", "disconnect", account, *connection(sandbox))
    assert result.exit_code == 2
    assert "pass --yes" in result.stderr
    assert sandbox.executions("disconnect") == {}
    done = fcasync("accounts", "disconnect", account, "--yes", *connection(sandbox))
    assert done.exit_code == 0
    assert len(sandbox.executions("disconnect")) == 1


@contextmanager
def on_a_terminal(*arguments: str) -> Iterator[tuple["subprocess.Popen[bytes]", int]]:
    """Start the command with a terminal for its input; yield it, and where to type."""
    leader, follower = pty.openpty()
    try:
        with subprocess.Popen(
            [sys.executable, "-m", "fcasync", *arguments],
            stdin=follower,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=ROOT,
        ) as process:
            yield process, leader
    finally:
        os.close(leader)
        os.close(follower)


@pytest.mark.parametrize(("answer", "sent"), [(b"n\n", 0), (b"\n", 0), (b"y\n", 1)])
def test_a_terminal_is_asked(sandbox: Sandbox, answer: bytes, sent: int) -> None:
    """The default is no."""
    account = str(listed(sandbox)[0]["id"])
    with on_a_terminal("accounts", "disconnect", account, *connection(sandbox)) as (process, typed):
        os.write(typed, answer)
        _, stderr = process.communicate(timeout=30)
    question = f"End the access to {account} of sk_test_".encode()
    assert question in stderr
    assert b"(test mode, 127.0.0.1:" in stderr
    assert b"for good? This cannot be undone. [y/N]" in stderr
    assert len(sandbox.executions("disconnect")) == sent
    assert process.returncode == 1 - sent


def test_a_session_keeps_its_secret(sandbox: Sandbox) -> None:
    """The table hides what opens the flow; JSON has it for the program that needs it."""
    base = ("sessions", "create", "--customer", "cus_1", "--permissions", "balances,transactions")
    shown = fcasync(*base, *connection(sandbox))
    assert "_secret_" not in shown.stdout
    made = json.loads(fcasync(*base, "--output", "json", *connection(sandbox)).stdout)
    sandbox.link(made["client_secret"])
    seen = fcasync("sessions", "retrieve", made["id"], "--output", "json", *connection(sandbox))
    assert len(json.loads(seen.stdout)["accounts"]["data"]) == 1


def test_transactions_of_some_days(sandbox: Sandbox) -> None:
    """--since and --until are days in UTC; the first is included, the second is not."""
    account = str(listed(sandbox)[-1]["id"])
    refresh = ("accounts", "refresh", "--features", "transactions", "--wait", account)
    assert fcasync(*refresh, *connection(sandbox)).exit_code == 0
    base = ("transactions", "list", "--account", account, *connection(sandbox), "--output", "csv")
    every = table(fcasync(*base).stdout)
    days = sorted({row["transacted_at"][:10] for row in every})
    part = table(fcasync(*base, "--since", days[0], "--until", days[-1]).stdout)
    assert [row for row in every if row["transacted_at"][:10] < days[-1]] == part
    one = fcasync(
        "transactions", "retrieve", every[0]["id"], *connection(sandbox), "--output", "json"
    )
    assert json.loads(one.stdout)["id"] == every[0]["id"]
    assert fcasync(*base, "--since", "yesterday").exit_code == 2


def test_connection_options_go_anywhere() -> None:
    """Before the command, after it, and `--sandbox 3` is not an id."""
    for words in (
        ("--sandbox=3", "accounts", "list"),
        ("--sandbox", "3", "accounts", "list"),
        ("accounts", "list", "--sandbox", "3"),
    ):
        assert len(fcasync(*words, "--output", "jsonl").stdout.splitlines()) == 3
    base = ("refresh", "--sandbox", "5", "--all", "--features", "balance", "--output", "jsonl")
    assert len(fcasync(*base).stdout.splitlines()) == 5
    both = fcasync("--sandbox=3", "accounts", "list", "--api-key", "sk_test_1")
    assert (both.exit_code, "--sandbox has its own key" in both.stderr) == (2, True)


def test_a_server_that_does_not_answer_is_reported_at_once() -> None:
    """Each retry is a line on stderr, unless it should be quiet."""
    base = ("accounts", "list", "--api-key", "sk_test_x1", "--base-url", "http://127.0.0.1:1")
    lines = fcasync(*base).stderr.splitlines()
    assert [line.endswith("retrying ...") or " s ..." in line for line in lines] == [True] * 3 + [
        False
    ]
    assert "cannot connect" in one_sentence(fcasync(*base, "--quiet"))


def test_verbose_logs_to_stderr(sandbox: Sandbox) -> None:
    """-vv shows every request, without the key."""
    process = subprocess.run(
        [sys.executable, "-m", "fcasync", "accounts", "list", "-vv", *connection(sandbox)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        check=True,
    )
    assert "DEBUG" in process.stderr
    assert sandbox.api_key not in process.stderr


def test_times_can_be_limited(sandbox: Sandbox) -> None:
    """--timeout and --deadline bound the command."""
    sandbox.add_faults({"operation": "list", "kind": "delay", "seconds": 30})
    base = ("accounts", "list", *connection(sandbox), "--timeout", "0.2", "--deadline", "0.5", "-q")
    result = fcasync(*base)
    assert result.exit_code == 1
    assert re.search(r"\b0\.[25] s", one_sentence(result))  # whichever came first


def test_the_guide_is_printed() -> None:
    """A list of topics, a page as Markdown in a pipe, laid out in a terminal."""
    topics = fcasync("guide").stdout
    assert "webhooks" in topics or "errors" in topics
    assert fcasync("guide", "errors").stdout.startswith("# Errors")
    unknown = fcasync("guide", "nothing")
    assert (unknown.exit_code, "choose from" in one_sentence(unknown)) == (2, True)


def test_features_are_completed() -> None:
    """A TAB after a comma completes the next feature, without those that are there."""
    environment = {
        **os.environ,
        "_FCASYNC_COMPLETE": "bash_complete",
        "COMP_WORDS": "fcasync refresh --features balance,t",
        "COMP_CWORD": "3",
    }
    program = str(Path(sys.executable).with_name("fcasync"))
    done = subprocess.run(
        [program], env=environment, capture_output=True, text=True, check=True, cwd=ROOT
    )
    assert done.stdout.split() == ["plain,balance,transactions"]


@pytest.mark.parametrize(
    "command",
    [
        "accounts list",
        "accounts balance",
        "refresh",
        "sync",
        "sessions create",
        "transactions list",
    ],
)
def test_help_stands_alone(command: str) -> None:
    """It groups the options that all commands share, and ends with something to type."""
    text = fcasync(*command.split(), "--help").stdout
    assert "\nConnection:\n" in text
    assert f"fcasync {command}" in text.partition("Examples:")[2]


def test_a_secret_without_an_endpoint_is_a_mistake() -> None:
    """It would be ignored in silence."""
    result = fcasync("sandbox", "--webhook-secret", "whsec_x")
    assert (result.exit_code, "--webhook-secret needs --webhook-url" in result.stderr) == (2, True)


def test_many_retries_are_a_few_lines(capsys: pytest.CaptureFixture[str]) -> None:
    """A job in an outage says so now and then, instead of once for each of its calls."""
    clock = FakeClock()
    report = RetryNotices(clock.monotonic)
    call = Call(operation="list", method="GET", route="/v1/x")
    retry = RetryScheduled(call=call, attempt=1, wait=0.1, error=OSError("gone"))
    for _ in range(100):
        report(retry)
    clock.advance(5)
    report(retry)
    lines = capsys.readouterr().err.splitlines()
    assert lines[:5] == ["fcasync: gone; retrying ..."] * 5
    assert lines[5:] == ["fcasync: gone; retrying ... (and 95 more)"]


def test_ctrl_c_ends_a_question(sandbox: Sandbox) -> None:
    """The prompt before what cannot be undone is left at once, and nothing was done."""
    account = str(listed(sandbox)[0]["id"])
    with on_a_terminal("accounts", "disconnect", account, *connection(sandbox)) as (process, _):
        assert process.stderr is not None
        assert b"[y/N]" in os.read(process.stderr.fileno(), 4096)
        for _ in range(100):
            # A signal that comes just before the read begins is noticed only after it.
            process.send_signal(signal.SIGINT)
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.2)
                break
    assert process.returncode in (130, -signal.SIGINT)  # the last one may come at the very end
    assert sandbox.executions("disconnect") == {}


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("sqlite://bank.db", "three slashes: sqlite:///bank.db"),
        ("sqlite://", "a database in memory is gone"),
        ("sqlite:///", "a database in memory is gone"),
        ("sqlite:///:memory:", "a database in memory is gone"),
    ],
)
def test_a_sync_that_would_store_nothing_is_refused(url: str, sentence: str) -> None:
    """The usual slips with the URL of a file are one sentence, before anything is read."""
    result = fcasync("sync", "--all", "--to", url, "--sandbox")
    assert (result.exit_code, sentence in result.stderr) == (2, True), result.stderr


def test_a_card_breaks_lines_between_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """On a terminal; a pipe gets each field in one line."""
    base = ("accounts", "list", "--sandbox=1", "--output", "csv")
    account = fcasync(*base).stdout.splitlines()[1].split(",")[0]
    card = ("accounts", "retrieve", account, "--sandbox=1")
    (whole,) = (line for line in fcasync(*card).stdout.splitlines() if "permissions" in line)
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("TERM", "dumb")
    lines = fcasync(*card, COLUMNS="80").stdout.splitlines()
    assert max(map(len, lines)) <= 80
    number = next(n for n, line in enumerate(lines) if line.startswith("permissions"))
    indent = len(whole) - len(whole.removeprefix("permissions").lstrip())
    first, second = lines[number], lines[number + 1]
    assert second.startswith(" " * indent)
    assert f"{first} {second.strip()}" in whole
