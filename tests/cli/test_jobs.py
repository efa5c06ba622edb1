"""``fcasync subscribe``, ``unsubscribe`` and ``disconnect`` as bulk jobs."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed

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
    assert other.exit_code == 1
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


@pytest.mark.parametrize("verb", ["subscribe", "unsubscribe"])
def test_a_feature_that_cannot_be_subscribed_is_refused(verb: str) -> None:
    """Only transactions can; the message says so before anything is sent."""
    result = fcasync(verb, "--all", "--features", "balance", "--sandbox")
    assert (result.exit_code, "choose from transactions" in result.stderr) == (2, True)
