"""Bulk jobs over many connected accounts, from the shell."""

import json
import shlex
import signal
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, one_sentence, said, start

REFRESH = ("refresh", "--features", "balance")
KEY = "sk_live_51Habcdefghijklmnopqr34Q3"


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=3, varied=False, threaded=True) as sandbox:
        yield sandbox


def test_tenants_come_from_a_file_or_a_pipe(sandbox: Sandbox, tmp_path: Path) -> None:
    """A line is a tenant, a tenant with its accounts, or a comment; outcomes name the tenant."""
    first = sandbox.connected("acct_1").world.store.facts(0).id
    one = json.dumps({"stripe_account": "acct_1", "accounts": [first]})
    lines = f"# of today\n\nacct_2\n # and\n{one}\n"
    file = tmp_path / "tenants.txt"
    file.write_text(lines)
    for source, stdin in ((str(file), None), ("-", lines)):
        arguments = (*REFRESH, "--tenants", source, "--output", "jsonl", *connection(sandbox))
        result = fcasync(*arguments, stdin=stdin)
        assert result.exit_code == 0, result.stderr
        rows = [json.loads(line) for line in result.stdout.splitlines()]
        assert sorted(row["stripe_account"] for row in rows) == ["acct_1", *["acct_2"] * 3]
        sandbox.advance(3600)
        for name in ("acct_1", "acct_2"):
            sandbox.connected(name).advance(3600)


@pytest.mark.parametrize(
    ("line", "sentence"),
    [
        ("fca_1", "tenants.txt:2: a tenant must be a connected account (acct_...), not 'fca_1'"),
        ("{nonsense", "tenants.txt:2: not JSON: "),
        ('{"accounts": []}', "tenants.txt:2: a tenant must be"),
        ('{"stripe_account": "acct_2", "accounts": "fca_1"}', 'tenants.txt:2: "accounts" must be'),
        ("acct_1", "the tenant acct_1 is named twice"),
        (KEY, "tenants.txt:2: not an id; it looks like a secret"),
        (f"acct_{KEY}", "tenants.txt:2: not an id; it looks like a secret"),
        (f'{{"stripe_account": "{KEY}"}}', "tenants.txt:2: not an id; it looks like a secret"),
        (
            f'{{"stripe_account": "acct_2", "accounts": ["fca_1", "{KEY}"]}}',
            "tenants.txt:2: not an id; it looks like a secret",
        ),
        (
            '{"stripe_account": "acct_2", "accounts": ["fca_1", {"id": "fca_2"}]}',
            'tenants.txt:2: "accounts" must be a list of account ids',
        ),
    ],
)
def test_a_line_that_names_no_tenant_is_named_and_nothing_is_sent(
    sandbox: Sandbox, tmp_path: Path, line: str, sentence: str
) -> None:
    """Exit code 2, one sentence."""
    file = tmp_path / "tenants.txt"
    file.write_text(f"acct_1\n{line}\n")
    result = fcasync(*REFRESH, "--tenants", str(file), *connection(sandbox))
    assert result.exit_code == 2
    assert sentence in one_sentence(result)
    assert KEY[8:] not in result.output
    assert not sandbox.ledger


@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--shard", "2/2"), "I/N"),
        (("--shard", "1"), "I/N"),
        (("--job", "nightly", "--since", "yesterday"), "is not a time"),
        (("--job", "nightly", "--since", "2026-11-24"), "no time zone"),
        (("--job", "nightly"), "--job nightly needs --since INSTANT"),
        (("--job", "nightly", "--since", "9999-12-31T23:59-14:00"), "in the future"),
        (("--job", "nightly", "--since", "1969-12-31T23:59Z"), "1970 or later"),
        (("--job", "nightly", "--since", "2999-01-01T00:00Z"), "in the future"),
    ],
)
def test_what_cannot_be_a_shard_or_a_job_is_refused(
    sandbox: Sandbox, tmp_path: Path, arguments: tuple[str, ...], word: str
) -> None:
    """Exit code 2, and no POST."""
    file = tmp_path / "tenants.txt"
    file.write_text("acct_1\n")
    result = fcasync(*REFRESH, "--tenants", str(file), *arguments, *connection(sandbox))
    assert result.exit_code == 2
    assert word in result.stderr
    assert not [row for row in sandbox.ledger if row["method"] == "POST"]


def test_shards_are_reported_and_merged(sandbox: Sandbox, tmp_path: Path) -> None:
    """One report over many journals, and one journal that says the job is done."""
    file = tmp_path / "tenants.txt"
    file.write_text("".join(f"acct_{number}\n" for number in range(6)))
    named = ("--job", "nightly", "--since", "2026-01-01T00:00Z")
    journals = [str(tmp_path / f"{number}.sqlite") for number in range(2)]
    for number, journal in enumerate(journals):
        shard = ("--shard", f"{number}/2", "--journal", journal)
        arguments = (*REFRESH, "--tenants", str(file), *shard, *named, *connection(sandbox))
        assert fcasync(*arguments).exit_code == 0
    shown = fcasync("journal", "show", *journals).stdout
    assert "job           refresh balance for 6 connected accounts" in shown
    assert "accepted      18" in shown
    assert "journals      2" in shown
    whole = str(tmp_path / "whole.sqlite")
    merged = fcasync("journal", "merge", *journals, "--into", whole)
    assert (merged.exit_code, "18 accounts of 2 journals" in merged.stderr) == (0, True)
    arguments = (*REFRESH, "--tenants", str(file), "--journal", whole, *named)
    again = fcasync(*arguments, *connection(sandbox))
    assert "nothing to do" in again.stderr
    assert "18 of 18 accounts" in again.stdout
    assert fcasync("journal", "merge", *journals, "--into", whole).exit_code == 2


def test_failures_of_tenants_can_be_retried(sandbox: Sandbox, tmp_path: Path) -> None:
    """--failed-only asks each tenant for its own, and leaves alone what did not fail."""
    file, journal = tmp_path / "tenants.txt", tmp_path / "job.sqlite"
    first = sandbox.connected("acct_1").world.store.facts(0).id
    other = '{"stripe_account": "acct_2", "accounts": ["fca_gone"]}'
    file.write_text(f'{{"stripe_account": "acct_1", "accounts": ["{first}"]}}\n{other}\n')
    base = (*REFRESH, "--journal", str(journal), *connection(sandbox), "--output", "jsonl")
    assert fcasync(*base, "--tenants", str(file)).exit_code == 1
    again = fcasync(*base, "--failed-only")
    (row,) = (json.loads(line) for line in again.stdout.splitlines())
    assert (row["stripe_account"], row["account_id"]) == ("acct_2", "fca_gone")
    assert row["reason"] == "resource_missing"
    assert set(sandbox.connected("acct_1").executions("refresh").values()) == {1}


@pytest.mark.parametrize("source", ["-", "tenants.txt"])
@pytest.mark.parametrize("keeps", ["--journal", "--job"])
def test_an_interrupted_job_of_tenants_says_how_to_resume(
    sandbox: Sandbox, tmp_path: Path, source: str, keeps: str
) -> None:
    """The sentence names what is missing, and the command goes on where the job stopped."""
    lines = tmp_path / "tenants.txt"
    lines.write_text("acct_1\nacct_2\n")
    name = "-" if source == "-" else str(lines)
    named = ("--job", "night shift", "--since", f"{datetime.now(UTC):%Y-%m-%dT00:00Z}")
    kept = named if keeps == "--job" else ("--journal", str(tmp_path / "the job.sqlite"))
    slow = ("--total-rate", "2", "--concurrency", "1", "--output", "jsonl")
    with lines.open() as stdin:
        process = start(
            *REFRESH, "--tenants", name, *kept, *slow, *connection(sandbox), stdin=stdin
        )
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        _, stderr = process.communicate(timeout=30)
    (sentence,) = said(stderr)
    missing = "--api-key and the same input" if source == "-" else "--api-key"
    words = shlex.split(sentence.partition(f"to resume, run (with {missing}): ")[2])
    rate = words.index("--total-rate")
    rest = (*words[words.index("refresh") : rate], *words[rate + 2 :])
    again = fcasync(*rest, "--api-key", sandbox.api_key, stdin=lines.read_text())
    assert again.exit_code == 0, again.stderr
    for tenant in ("acct_1", "acct_2"):
        assert list(sandbox.connected(tenant).executions("refresh").values()) == [1, 1, 1]
