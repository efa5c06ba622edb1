"""``fcasync accounts``: what the bank has done."""

import json

from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed


def test_a_bank_that_failed_is_a_failure() -> None:
    """The account is printed all the same; stderr names what the bank did not deliver."""
    bank = Sandbox(accounts=1, varied=False, settle_seconds=0.1, failure_rate=1, threaded=True)
    with bank as sandbox:
        account = str(listed(sandbox)[-1]["id"])
        base = ("accounts", "refresh", account, "--features", "balance,ownership", "--wait")
        result = fcasync(*base, "--output", "json", *connection(sandbox))
    assert json.loads(result.stdout)["balance_refresh"]["status"] == "failed"
    assert result.stderr == (
        f"fcasync: {account}: the bank has failed to refresh: balance, ownership\n"
    )
    assert result.exit_code == 1
