"""The command line, run as users run it."""

import json
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest
from click.testing import CliRunner, Result
from rich.cells import cell_len

from fcasync.cli import cli
from fcasync.cli._table import Column, Table, fitting
from fcasync.sandbox import Sandbox
from tests._paths import ROOT


def fcasync(*arguments: str, stdin: str | None = None, **environment: str) -> Result:
    """Run the command in this process."""
    return CliRunner().invoke(cli, arguments, input=stdin, env={"COLUMNS": "200", **environment})


def start(*arguments: str, stdin: IO[str] | None = None) -> subprocess.Popen[str]:
    """Start the command as users do; a resource left open would show as a warning on stderr."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", "-X", "dev", "-m", "fcasync", *arguments],
        stdin=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        cwd=ROOT,
    )


def said(stderr: str) -> list[str]:
    """Return the lines on stderr, except asyncio's debug warnings about a busy machine."""
    return [line for line in stderr.splitlines() if not line.startswith("Executing <")]


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=30, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


def connection(sandbox: Sandbox) -> tuple[str, ...]:
    return "--api-key", sandbox.api_key, "--base-url", sandbox.url


def one_sentence(result: Result) -> str:
    """Return the only line on stderr; an error may print no more."""
    assert result.stdout == ""
    (line,) = result.stderr.strip().splitlines()
    return line


def test_the_main_job_leaves_nothing_open() -> None:
    """List, refresh, wait: stdout has a summary, and with -W error -X dev stderr is empty."""
    arguments = ["refresh", "--sandbox=40", "--all", "--features", "balance", "--wait"]
    process = start(*arguments)
    stdout, stderr = process.communicate(timeout=60)
    assert (process.returncode, said(stderr)) == (0, [])
    words = ("refreshed", "failed", "requests", "elapsed", "rate")
    assert [line.split()[0] for line in stdout.splitlines() if line.startswith(words)] == [*words]
    assert " of 40 accounts" in stdout


def test_the_summary_names_what_failed(sandbox: Sandbox) -> None:
    """Without --output only the first ten are named, on stderr; the counts are on stdout."""
    ids = [f"fca_nobody{number}" for number in range(12)]
    result = fcasync("refresh", *ids, "--features", "balance", *connection(sandbox))
    assert result.exit_code == 1
    assert "failed        12 (12 resource_missing)" in result.stdout
    *named, more = result.stderr.splitlines()
    assert len(named) == 10
    assert named[0].startswith("fcasync: fca_nobody")
    assert more == "fcasync: 2 more failed; --output jsonl shows each account"


def test_a_file_of_ids_may_hold_invalid_lines(sandbox: Sandbox, tmp_path: Path) -> None:
    """A byte order mark is ignored; bytes that are not UTF-8 fail one line only."""
    good = listed(sandbox)[0]["id"]
    ids = tmp_path / "ids.txt"
    ids.write_bytes(b"\xef\xbb\xbf" + good.encode() + b"\r\n\xff\xfe\r\n")
    base = ("refresh", "--from", str(ids), "--features", "balance", "--output", "csv")
    result = fcasync(*base, *connection(sandbox))
    lines = result.stdout.splitlines()
    assert any(line.startswith(f"{good},accepted") for line in lines)
    assert [line.split(",")[1:3] for line in lines if "failed" in line] == [
        ["failed", "invalid_id"]
    ]


def test_json_lines_are_one_per_account(sandbox: Sandbox) -> None:
    """Each line is the outcome of one account; the summary moves to stderr."""
    ids = [row["id"] for row in listed(sandbox)][:3]
    arguments = ("refresh", *ids, "--features", "balance", "--output", "jsonl")
    result = fcasync(*arguments, *connection(sandbox))
    rows = [json.loads(line) for line in result.stdout.splitlines()]
    assert sorted(row["account_id"] for row in rows) == sorted(ids)
    assert {row["status"] for row in rows} == {"accepted"}
    assert "3 of 3 accounts" in result.stderr


def listed(sandbox: Sandbox) -> list[dict[str, Any]]:
    result = fcasync("accounts", "list", "--output", "json", *connection(sandbox))
    rows: list[dict[str, Any]] = json.loads(result.stdout)
    return rows


def test_a_list_can_be_printed_in_four_ways(sandbox: Sandbox) -> None:
    """Table, JSON, JSON lines and CSV hold the same accounts in the same order."""
    ids = [row["id"] for row in listed(sandbox)]
    assert len(ids) == 30
    base = ("accounts", "list", *connection(sandbox), "--output")
    lines = fcasync(*base, "jsonl").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids
    for output in ("table", "csv"):
        lines = fcasync(*base, output).stdout.splitlines()
        assert lines[0].startswith("id")
        assert [line.replace(",", " ").split()[0] for line in lines[1:]] == ids


def test_a_list_can_be_shortened_and_reversed(sandbox: Sandbox) -> None:
    """--max-items stops early; --reverse starts with the oldest."""
    ids = [row["id"] for row in listed(sandbox)]
    base = ("accounts", "list", *connection(sandbox), "--output", "jsonl", "--max-items", "3")
    lines = fcasync(*base).stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids[:3]
    lines = fcasync(*base, "--reverse").stdout.splitlines()
    assert [json.loads(line)["id"] for line in lines] == ids[::-1][:3]


def test_a_narrow_terminal_drops_columns_not_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    """The least useful columns are dropped first, and stderr names them; ids are never cut."""
    monkeypatch.setenv("FORCE_COLOR", "1")  # a terminal ...
    monkeypatch.setenv("TERM", "dumb")  # ... without colours
    result = fcasync("accounts", "list", "--sandbox=4", COLUMNS="80")
    lines = [line.split() for line in result.stdout.splitlines()]
    assert lines[0][0].endswith("id")
    assert {len(line[0]) for line in lines[1:]} == {28}
    assert "balance" in result.stdout
    assert "as of" not in result.stdout
    assert "no room for: name, as of" in result.stderr
    assert max(map(cell_len, result.stdout.splitlines()[1:])) <= 80


@pytest.mark.parametrize(
    ("room", "shown", "widths"),
    [
        (15, [0, 1, 2], [4, 5, 2]),
        (13, [0, 1, 2], [4, 3, 2]),
        (12, [0, 2], [4, 5, 2]),
        (7, [0], [4, 5, 2]),
        (1, [0], [4, 5, 2]),
    ],
)
def test_columns_shorten_before_they_vanish(room: int, shown: list[int], widths: list[int]) -> None:
    """Words are cut first, then the highest rank is dropped; rank 0 always stays, uncut."""
    columns = (
        Column("a", str),
        Column("b", str, rank=2, least=3),
        Column("c", str, rank=1),
    )
    found = [4, 5, 2]
    assert (fitting(columns, found, room), found) == (shown, widths)


def test_text_from_banks_cannot_control_the_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    """A control character in a name is printed as a blank."""
    table = Table([Column("name", str)])
    table.write("Bank\x1b[2J\nof Oz")
    table.close()
    assert capsys.readouterr().out == "name\nBank [2J of Oz\n"


def test_an_empty_list_says_so_on_stderr(sandbox: Sandbox) -> None:
    """An empty list is a success, and stdout stays empty for the next command in the pipe."""
    result = fcasync("accounts", "list", "--customer", "cus_nobody", *connection(sandbox))
    assert (result.exit_code, one_sentence(result)) == (0, "no results")


def test_failed_only_retries_the_failed_accounts(sandbox: Sandbox, tmp_path: Path) -> None:
    """The journal's failed accounts are retried, and no others."""
    journal = ("--features", "balance", "--journal", str(tmp_path / "refresh.sqlite"))
    base = ("refresh", *journal, "--output", "jsonl", *connection(sandbox))
    good = listed(sandbox)[0]["id"]
    assert fcasync(*base, good, "fca_nobody").exit_code == 1
    result = fcasync(*base, "--failed-only")
    assert [json.loads(line)["account_id"] for line in result.stdout.splitlines()] == ["fca_nobody"]
    assert result.exit_code == 1


def test_ids_come_from_standard_input(sandbox: Sandbox) -> None:
    """Plain ids and JSON lines may be mixed."""
    first, second = [row["id"] for row in listed(sandbox)][3:5]
    stdin = f'{first}\n\n{{"id": "{second}"}}\n'
    arguments = ("refresh", "--from", "-", "--features", "balance", "--output", "jsonl")
    result = fcasync(*arguments, *connection(sandbox), stdin=stdin)
    printed = {json.loads(line)["account_id"] for line in result.stdout.splitlines()}
    assert printed == {first, second}


def test_a_single_account_goes_through_all_its_verbs(sandbox: Sandbox) -> None:
    """retrieve, refresh --wait, owners, subscribe, unsubscribe, disconnect, in this order."""
    account = listed(sandbox)[-1]["id"]

    def run(*arguments: str) -> dict[str, object]:
        result = fcasync("accounts", *arguments, account, "--output", "jsonl", *connection(sandbox))
        assert result.exit_code == 0, result.stderr
        row: dict[str, object] = json.loads(result.stdout.splitlines()[0])
        return row

    assert run("retrieve")["status"] == "active"
    balance = ("refresh", "--features", "balance,ownership", "--wait")
    assert run(*balance)["balance_refresh"]["status"] == "succeeded"  # type: ignore[index]
    assert run("owners")["object"] == "financial_connections.account_owner"
    assert run("subscribe", "--features", "transactions")["subscriptions"] == ["transactions"]
    assert not run("unsubscribe", "--features", "transactions").get("subscriptions")
    assert run("disconnect", "--yes")["status"] == "disconnected"


def test_transactions_are_listed(sandbox: Sandbox) -> None:
    """Newest first, as many as are asked for, in every format."""
    account = listed(sandbox)[-1]["id"]
    where = ("--account", account, *connection(sandbox))
    refresh = ("accounts", "refresh", "--features", "transactions", "--wait", account)
    assert fcasync(*refresh, *connection(sandbox)).exit_code == 0
    rows = fcasync("transactions", "list", *where, "--output", "jsonl")
    assert (rows.exit_code, rows.stderr) == (0, "")
    every = [json.loads(line) for line in rows.stdout.splitlines()]
    assert {row["account"] for row in every} == {account}
    times = [row["transacted_at"] for row in every]
    assert times == sorted(times, reverse=True)
    two = fcasync("transactions", "list", *where, "--max-items", "2", "--output", "csv")
    assert len(two.stdout.splitlines()) == 1 + 2
    table = fcasync("transactions", "list", *where, "--output", "table")
    assert every[0]["id"] in table.stdout


def test_transactions_need_an_account() -> None:
    """There is no list of all of them."""
    result = fcasync("transactions", "list", "--sandbox")
    assert result.exit_code == 2
    assert "--account" in result.stderr


def test_an_unknown_account_is_a_failure(sandbox: Sandbox) -> None:
    """Exit 1, and one sentence that names the id."""
    result = fcasync("accounts", "retrieve", "fca_nobody", *connection(sandbox))
    assert "fca_nobody" in one_sentence(result)
    assert result.exit_code == 1


def test_a_wrong_key_is_an_authentication_failure(sandbox: Sandbox) -> None:
    """Exit 3, and one sentence that does not repeat the key."""
    key = "sk_test_expired_4eC39HqLyjWDarjt"
    result = fcasync("accounts", "list", "--api-key", key, "--base-url", sandbox.url)
    assert "key" in one_sentence(result).lower()
    assert key not in result.stderr
    assert result.exit_code == 3


def test_a_wrong_key_ends_a_bulk_job_too(sandbox: Sandbox) -> None:
    """Exit 3: no account could be processed."""
    key = "sk_test_expired_4eC39HqLyjWDarjt"
    base = ("--api-key", key, "--base-url", sandbox.url)
    result = fcasync("refresh", "fca_1", "--features", "balance", *base)
    assert result.exit_code == 3
    assert "key" in one_sentence(result).lower()


def test_no_key_is_a_usage_error() -> None:
    """Exit 2, and one sentence that says how to pass a key."""
    result = fcasync("accounts", "list", STRIPE_API_KEY="")
    assert "STRIPE_API_KEY" in one_sentence(result)
    assert result.exit_code == 2


def test_an_unreachable_server_is_a_failure() -> None:
    """Exit 1, and one sentence that names the address."""
    base = ("--api-key", "sk_test_x1", "--base-url", "http://127.0.0.1:1")
    result = fcasync("accounts", "list", *base)
    assert "cannot connect to http://127.0.0.1:1" in result.stderr.splitlines()[-1]
    assert result.exit_code == 1


@pytest.mark.parametrize("command", [("refresh", "--all"), ("accounts", "refresh", "fca_1")])
def test_an_unknown_feature_is_a_usage_error(command: tuple[str, ...]) -> None:
    """Exit 2, with a list of the supported features."""
    result = fcasync(*command, "--sandbox", "--features", "balanc")
    assert result.exit_code == 2
    assert "unknown feature 'balanc'; choose from balance, ownership, transactions" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("refresh", "--features", "balance", "--sandbox"),
        ("refresh", "fca_1", "--all", "--features", "balance", "--sandbox"),
        ("refresh", "--failed-only", "--features", "balance", "--sandbox"),
        ("accounts", "list", "--sandbox", "--api-key", "sk_test_x1"),
        ("refresh", "--from", "/no/such/file", "--features", "balance", "--sandbox"),
        ("refresh", "--all", "--sandbox"),
        ("journal", "show", "/no/such/file"),
    ],
)
def test_a_command_that_makes_no_sense_is_refused(arguments: tuple[str, ...]) -> None:
    """No source, two sources, a sandbox with a key, a missing file, no features."""
    result = fcasync(*arguments)
    assert result.exit_code == 2
    assert isinstance(result.exception, SystemExit)


def test_a_bare_sandbox_does_not_swallow_the_next_word() -> None:
    """`--sandbox fca_x` embeds the default sandbox and refreshes fca_x."""
    result = fcasync("refresh", "--sandbox", "fca_x", "--features", "balance")
    assert result.exit_code == 1
    assert "0 of 1 account" in result.stdout


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_says_how_to_resume(
    sandbox: Sandbox, tmp_path: Path, number: signal.Signals
) -> None:
    """SIGINT and SIGTERM exit 130 and print the command that resumes, without the key."""
    journal = tmp_path / "refresh.sqlite"
    base = ("refresh", "--all", "--features", "balance", "--journal", str(journal))
    slow = (*base, "--max-rate", "2", "--output", "jsonl", *connection(sandbox))
    process = start(*slow)
    assert process.stdout is not None
    process.stdout.readline()
    process.send_signal(number)
    process.send_signal(number)  # people press Ctrl-C twice
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130, stderr
    assert sandbox.api_key not in stderr
    assert len(said(stderr)) == 1, stderr
    (sentence,) = said(stderr)
    assert sentence.startswith("fcasync: stopped with ")
    words = shlex.split(sentence.partition("to resume, run (with --api-key): ")[2])
    assert words[:7] == [sys.executable, "-W", "error", "-X", "dev", "-m", "fcasync"]
    rate = words.index("--max-rate")
    again = fcasync(*words[7:rate], *words[rate + 2 :], "--api-key", sandbox.api_key)
    assert again.exit_code == 0
    assert set(sandbox.executions("refresh").values()) == {1}
    assert len(sandbox.executions("refresh")) == 30


def test_the_sandbox_serves_until_it_is_stopped() -> None:
    """It prints the URL and the key, one line each, and exits with 0 on Ctrl-C."""
    process = start("sandbox", "--accounts", "3")
    assert process.stdout is not None
    url = process.stdout.readline().removeprefix("url: ").strip()
    key = process.stdout.readline().removeprefix("key: ").strip()
    arguments = ("accounts", "list", "--api-key", key, "--base-url", url, "--output", "jsonl")
    assert len(fcasync(*arguments).stdout.splitlines()) == 3
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert (process.returncode, said(stderr)) == (0, [])


def test_a_port_in_use_is_named(sandbox: Sandbox) -> None:
    """Exit 1, and one sentence that says what to do."""
    port = sandbox.url.rpartition(":")[2]
    result = fcasync("sandbox", "--port", port)
    assert one_sentence(result) == f"fcasync: port {port} is in use; --port 0 picks a free one"
    assert result.exit_code == 1


@pytest.mark.parametrize(
    "command", ["", "accounts", "journal", "journal show", "refresh", "sandbox", "transactions"]
)
def test_every_command_explains_itself(command: str) -> None:
    """--help works everywhere."""
    result = fcasync(*command.split(), "--help")
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage:")


def test_the_version_is_printed() -> None:
    """--version and `fcasync.__version__` agree."""
    code = "import fcasync; print(fcasync.__version__)"
    printed = subprocess.check_output([sys.executable, "-c", code], text=True, cwd=ROOT)
    assert printed.strip() in fcasync("--version").stdout


@pytest.mark.parametrize("text", ["{}", "nonsense", '{"format": 9}'])
def test_a_state_that_cannot_be_used_is_one_sentence(text: str, tmp_path: Path) -> None:
    """No traceback, and exit code 2."""
    path = tmp_path / "state.json"
    path.write_text(text)
    result = fcasync("sandbox", "--state", str(path))
    (line,) = result.stderr.splitlines()
    assert result.exit_code == 2
    assert line.startswith(f"fcasync: --state: {path}")


def test_a_state_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    """Not after an hour of work, when everything in it would be lost."""
    path = tmp_path / "none" / "state.json"
    result = fcasync("sandbox", "--state", str(path))
    assert result.exit_code == 2
    assert result.stderr == f"fcasync: --state: cannot use {path}: No such file or directory\n"


def test_a_state_behind_a_link_is_refused(tmp_path: Path) -> None:
    """It is neither read nor replaced."""
    path = tmp_path / "link"
    path.symlink_to(tmp_path / "victim")
    result = fcasync("sandbox", "--state", str(path))
    assert (result.exit_code, result.stderr) == (
        2,
        f"fcasync: --state: {path} is a link; name the file itself\n",
    )


def test_a_sandbox_starts_with_rare_moments() -> None:
    """Each befalls an account of its own, which is printed before the server is used."""
    names = ("null_balance", "stale_balance", "reactivated")
    options = [part for name in names for part in ("--scenario", name)]
    with start("sandbox", "--webhook-thin", *options) as process:
        assert process.stdout is not None
        printed = dict(process.stdout.readline().strip().split(": ") for _ in range(5))
        base = ("accounts", "retrieve", "--output", "json")
        reach = ("--api-key", printed["key"], "--base-url", printed["url"])
        result = fcasync(*base, printed["null_balance"], *reach)
        process.send_signal(signal.SIGINT)
        assert process.wait(10) == 0

    assert result.exit_code == 0, result.output
    account = json.loads(result.stdout)
    account = account[0] if isinstance(account, list) else account
    assert account.get("balance") is None
    assert account["balance_refresh"]["status"] == "succeeded"
    assert len({printed[name] for name in names}) == 3


def test_a_rare_moment_that_fits_no_account_is_an_error() -> None:
    """The message says which one, and what to try."""
    result = fcasync("sandbox", "--accounts", "0", "--scenario", "null_balance")
    assert result.exit_code == 1
    assert "--scenario: null_balance does not fit any free account" in result.stderr
    unknown = fcasync("sandbox", "--scenario", "exploded")
    assert unknown.exit_code == 2


@pytest.mark.parametrize("missing", ["click", "rich"])
def test_without_the_extra_a_sentence_names_it(missing: str) -> None:
    """The command and the import say what to install."""
    sentence = f"the command line needs {missing}: pip install 'fcasync[cli]'"
    hide = f"import sys; sys.modules[{missing!r}] = None; "
    for code, line in (
        ("import fcasync.cli", f"ImportError: {sentence}"),
        ("import fcasync.__main__ as m; m.main()", f"fcasync: {sentence}"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", hide + code], capture_output=True, text=True, check=False
        )
        assert done.returncode == 1
        assert done.stderr.splitlines()[-1] == line
