"""``--from``: a file of ids, and what is not one."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

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


@pytest.mark.parametrize(
    "text",
    [
        "id                            institution\nfca_1  Bank\n",
        "name;id\nBank;fca_1\n",
        "name,number\nBank,1\n",
        "# a comment\n\nname\tid\nBank\tfca_1\n",
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


def test_comments_in_a_file_of_ids_are_skipped(sandbox: Sandbox, tmp_path: Path) -> None:
    """Before the first id, before the header of a CSV, and between ids."""
    first, second, *_ = (str(row["id"]) for row in listed(sandbox))
    file = tmp_path / "ids.txt"
    for text in (f"# of today\n{first}\n  # and\n{second}\n", f"# CSV\n\nid\n{first}\n{second}\n"):
        file.write_text(text)
        base = ("refresh", "--from", str(file), *BALANCE, "--dry-run", "--output", "jsonl")
        lines = fcasync(*base, *connection(sandbox)).stdout.splitlines()
        assert [json.loads(line)["account_id"] for line in lines] == [first, second]
