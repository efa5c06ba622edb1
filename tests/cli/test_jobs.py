"""``fcasync subscribe``, ``unsubscribe`` and ``disconnect`` as bulk jobs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed, one_sentence

TRANSACTIONS = ("--features", "transactions")


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=6, varied=False, threaded=True) as sandbox:
        yield sandbox


def test_all_are_subscribed_and_unsubscribed(sandbox: Sandbox, tmp_path: Path) -> None:
    """The journal of one verb is not that of another."""
    journal = ("--all", "--journal", str(tmp_path / "job.sqlite"), *connection(sandbox))
    done = fcasync("subscribe", *journal, *TRANSACTIONS)
    assert (done.exit_code, "subscribed    6 of 6" in done.stdout) == (0, True)
    assert {tuple(row["subscriptions"]) for row in listed(sandbox)} == {("transactions",)}
    again = fcasync("subscribe", *journal, *TRANSACTIONS)
    assert "nothing to do: this job finished at" in again.stderr
    assert "to subscribe again, name a new journal" in again.stderr
    other = fcasync("unsubscribe", *journal, *TRANSACTIONS)
    assert other.exit_code == 2
    ended = fcasync("unsubscribe", "--all", *connection(sandbox), *TRANSACTIONS)
    assert ended.exit_code == 0
    assert not any(row.get("subscriptions") for row in listed(sandbox))


def test_a_job_that_disconnects_needs_a_yes(sandbox: Sandbox) -> None:
    """Without a terminal nothing is sent; a dry run is harmless and needs none."""
    base = ("disconnect", "--all", *connection(sandbox))
    refused = fcasync(*base)
    assert (refused.exit_code, "pass --yes" in refused.stderr) == (2, True)
    dry = fcasync(*base, "--dry-run", "--output", "jsonl")
    assert {json.loads(line)["reason"] for line in dry.stdout.splitlines()} == {"dry_run"}
    assert sandbox.executions("disconnect") == {}
    assert fcasync(*base, "--yes").exit_code == 0
    assert set(sandbox.executions("disconnect").values()) == {1}
    assert {row["status"] for row in listed(sandbox)} == {"disconnected"}


def test_the_question_says_what_would_end(sandbox: Sandbox, tmp_path: Path) -> None:
    """Which accounts or how many, of whose key, in which mode, at which host; nothing is sent."""
    ids, tenants = tmp_path / "ids.csv", tmp_path / "tenants.txt"
    ids.write_text("id\nfca_1\nfca_2\n")
    tenants.write_text("acct_1\n")
    key = "sk_live_51Habcdefghijklmnopqr34Q3"
    whose = "sk_live_…34Q3 (live mode, api.stripe.com)"
    for words, whom in (
        (("--all",), f"all accounts of {whose}"),
        (("fca_1",), f"fca_1 of {whose}"),
        (("fca_1", "fca_2"), f"2 accounts of {whose}"),
        (("--from", str(ids)), f"2 accounts in {ids} of {whose}"),
        (("--from", "-"), f"the accounts in standard input of {whose}"),
        (("--tenants", str(tenants)), f"the accounts of the tenants in {tenants} of {whose}"),
        (("--all", "--stripe-account", "acct_1"), f"all accounts of acct_1, by the key {whose}"),
    ):
        refused = fcasync("disconnect", *words, "--api-key", key)
        assert f"this would end the access to {whom} for good" in refused.stderr
        assert refused.exit_code == 2
    single = fcasync("accounts", "disconnect", "fca_1", *connection(sandbox))
    host = sandbox.url.removeprefix("http://")
    assert f"end the access to fca_1 of sk_test_…{sandbox.api_key[-4:]} (test mode, {host})" in (
        single.stderr
    )
    assert sandbox.executions("disconnect") == {}


def test_the_question_counts_what_would_end_in_a_journal(sandbox: Sandbox, tmp_path: Path) -> None:
    """How many have failed, how many are unfinished, after what narrows them down."""
    journal, ids = str(tmp_path / "job.sqlite"), [str(row["id"]) for row in listed(sandbox)]
    base = ("disconnect", "--journal", journal, *connection(sandbox))
    missing = fcasync(*base, "--failed-only")
    assert (missing.exit_code, one_sentence(missing)) == (2, f"fcasync: {journal} does not exist")
    once = ("--max-requests", "2", "--concurrency", "1", "--yes")
    assert fcasync(*base, "fca_nobody", "fca_noone", *ids[:2], *once).exit_code == 1
    file = tmp_path / "ids.txt"
    file.write_text(f"fca_noone\n{ids[1]}\n{ids[2]}\n")
    for words, whom in (
        ((), "2 failed and 2 unfinished accounts"),
        (("--all",), "2 failed and 2 unfinished accounts"),
        (("fca_nobody", ids[3]), "1 failed account"),
        (("--from", str(file)), "1 failed and 1 unfinished accounts"),
        (
            ("--from", "-"),
            "those named by standard input among the 2 failed and 2 unfinished accounts",
        ),
        ((ids[3],), "0 failed accounts"),
    ):
        refused = fcasync(*base, "--failed-only", *words)
        assert f"this would end the access to {whom} in {journal} of sk_test_" in refused.stderr
        assert refused.exit_code == 2
    assert sandbox.executions("disconnect") == {}


@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
def test_a_feature_that_cannot_be_subscribed_is_refused(verb: str) -> None:
    """Only transactions can; the message says so before anything is sent."""
    result = fcasync(verb, "--all", "--features", "balance", "--sandbox")
    assert (result.exit_code, "choose from transactions" in result.stderr) == (2, True)
