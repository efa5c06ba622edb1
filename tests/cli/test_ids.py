"""``--from``: a file of ids, and what is not one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcasync.cli._outcomes import Failures
from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed, one_sentence

BALANCE = ("--features", "balance")
KEY = "sk_live_51Habcdefghijklmnopqr34Q3"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=4, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


def test_a_key_in_a_file_of_ids_is_not_sent(sandbox: Sandbox, tmp_path: Path) -> None:
    """The line is named instead; a bank's name that reads like a header is no secret."""
    file = tmp_path / "ids.txt"
    for text, number in ((f"{KEY}\n", 1), (f"fca_1\n{KEY}\n", 2), (f"id\n{KEY}\n", 2)):
        file.write_text(text)
        result = fcasync("refresh", "--from", str(file), *BALANCE, *connection(sandbox))
        assert result.exit_code == 2
        assert f"ids.txt:{number}: not an id; it looks like a secret" in result.stderr
        assert KEY not in result.output
    account = {**listed(sandbox)[0], "display_name": "Basic Checking"}
    file.write_text(json.dumps(account))
    assert fcasync("refresh", "--from", str(file), *BALANCE, *connection(sandbox)).exit_code == 0


@pytest.mark.parametrize("key", [KEY, KEY.upper(), "rk_test_0123456789", "whsec_0123456789"])
@pytest.mark.parametrize("shape", ["id", "account_id", "account"])
def test_a_key_in_json_is_neither_sent_nor_written_down(
    sandbox: Sandbox, tmp_path: Path, key: str, shape: str
) -> None:
    """As an id of anything, as that of an account; the line is named, and the key is not."""
    row = {**listed(sandbox)[0], "id": key} if shape == "account" else {shape: key}
    file, journal = tmp_path / "ids.txt", tmp_path / "job.sqlite"
    file.write_text(json.dumps(row))
    base = ("refresh", "--from", str(file), *BALANCE, "--journal", str(journal))
    result = fcasync(*base, *connection(sandbox))
    assert (result.exit_code, "ids.txt:1: not an id" in result.stderr) == (2, True)
    assert key[8:] not in result.output
    assert sandbox.executions("refresh") == {}
    assert not [row for row in sandbox.ledger if row["method"] == "POST"]
    assert not journal.exists() or key.encode() not in journal.read_bytes()


def test_an_id_that_is_a_key_is_hidden_where_it_failed(capsys: pytest.CaptureFixture[str]) -> None:
    """A journal of an older version may hold one."""
    out = Failures()
    row = {"account_id": KEY, "stripe_account": None, "error": "gone", "reason": None}
    out.write({**row, "status": "failed"})
    out.close()
    assert capsys.readouterr().err == "fcasync: sk_live_…: gone\n"


@pytest.mark.parametrize(
    "text",
    [
        "id                            institution\nfca_1  Bank\n",
        "name;id\nBank;fca_1\n",
        "name,number\nBank,1\n",
        "# a comment\n\nname\tid\nBank\tfca_1\n",
        '{"id": "a b"}\n',
    ],
)
def test_a_file_of_something_else_ends_at_its_first_line(
    sandbox: Sandbox, tmp_path: Path, text: str
) -> None:
    """One sentence that says what is expected, and nothing is refreshed."""
    file = tmp_path / "tab.txt"
    file.write_text(text)
    number = 3 if text.startswith("#") else 1
    result = fcasync("refresh", "--from", str(file), *BALANCE, *connection(sandbox))
    assert one_sentence(result) == (
        f"fcasync: {file}:{number}: not an id; expected fca_... on each line, JSON lines, or a CSV "
        "with a column id or account_id"
    )
    assert result.exit_code == 2
    assert sandbox.executions("refresh") == {}


def test_a_cell_of_a_csv_may_begin_as_a_comment_does(sandbox: Sandbox, tmp_path: Path) -> None:
    """Below the header no row is skipped."""
    first = str(listed(sandbox)[0]["id"])
    file = tmp_path / "ids.csv"
    file.write_text(f"# of today\nname,id\n#1 Bank,{first}\n")
    base = ("refresh", "--from", str(file), *BALANCE, "--dry-run", "--output", "jsonl")
    (line,) = fcasync(*base, *connection(sandbox)).stdout.splitlines()
    assert json.loads(line)["account_id"] == first


def test_comments_in_a_file_of_ids_are_skipped(sandbox: Sandbox, tmp_path: Path) -> None:
    """Before the first id, before the header of a CSV, and between ids."""
    first, second, *_ = (str(row["id"]) for row in listed(sandbox))
    file = tmp_path / "ids.txt"
    for text in (f"# of today\n{first}\n  # and\n{second}\n", f"# CSV\n\nid\n{first}\n{second}\n"):
        file.write_text(text)
        base = ("refresh", "--from", str(file), *BALANCE, "--dry-run", "--output", "jsonl")
        lines = fcasync(*base, *connection(sandbox)).stdout.splitlines()
        assert [json.loads(line)["account_id"] for line in lines] == [first, second]
