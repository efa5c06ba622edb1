"""Messages speak of options, not of Python; they echo no key, and say what to do."""

from collections.abc import Iterator

import pytest

from fcasync.sandbox import Sandbox
from tests.cli.test_cli import connection, fcasync, listed, one_sentence

BALANCE = ("--features", "balance")
KEY = "sk_live_51Habcdefghijklmnopqr34Q3"
REFRESH = ("refresh", "--all", "--sandbox", *BALANCE)


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(accounts=4, varied=False, settle_seconds=0.2, threaded=True) as sandbox:
        yield sandbox


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ((*REFRESH, "--shard", "0/2"), "--shard 0/2 needs --tenants FILE"),
        ((*REFRESH, "--total-rate", "5"), "--total-rate 5 needs --tenants FILE"),
        ((*REFRESH, "--job", "night"), "--job night needs --since INSTANT"),
        (
            (*REFRESH, "--since", "2026-11-24T00:00Z"),
            "--since 2026-11-24T00:00:00+00:00 belongs to --job NAME",
        ),
        (
            (*REFRESH, "--job", "night", "--since", "2999-01-01T00:00Z"),
            "--since 2999-01-01 00:00:00+00:00 lies ",
        ),
        (
            ("sync", "--all", "--sandbox", "--to", "cli2.db"),
            "--to must be the URL of a database, such as sqlite:///cli2.db or ",
        ),
        (("accounts", "list", "--api-key", ""), "--api-key is empty; pass --api-key KEY"),
        (
            ("accounts", "list", "--api-key", "sk_test_1", "--base-url", "ftp://x"),
            "--base-url 'ftp://x' must start with",
        ),
        (
            ("accounts", "balance", "fca_1", "--sandbox", "--at-least", "50.001usd"),
            "'50.001usd' is not an amount in USD with at most 2 decimal places",
        ),
        (
            ("accounts", "balance", "fca_1", "--sandbox", "--at-least", "5.0.0usd"),
            "'5.0.0usd' is not an amount such as 50.00usd",
        ),
        (("sandbox", "--rate-limit", "fast"), "'fast' is neither a number of requests a second"),
        (("sandbox", "--rate-limit", "-1"), "'-1' is neither a number of requests a second"),
        (("accounts", "list", "--sandbox=abc"), "'abc' is not a valid whole number"),
        (("accounts", "list", "--sandbox", "--timeout", "x"), "'x' is not a valid number"),
        (
            ("accounts", "list", "--sandbox", "--stripe-account", "foo"),
            "'foo' is not a connected account (acct_...)",
        ),
        (("accounts", "get", "fca_1", "--sandbox"), "did you mean 'retrieve'?"),
        (("accounts", "ls", "--sandbox"), "did you mean 'list'?"),
        (("journal", "get", "x"), "did you mean 'show'?"),
    ],
)
def test_a_mistake_is_named_as_it_was_typed(arguments: tuple[str, ...], sentence: str) -> None:
    """Exit code 2, the option with its value, and none of the names of Python's arguments."""
    result = fcasync(*arguments)
    assert sentence in result.stderr
    assert result.exit_code == 2
    assert "=" not in result.stderr


def test_the_form_of_a_connected_account_costs_no_request(sandbox: Sandbox) -> None:
    """Before the command or after it."""
    for words in (
        ("accounts", "list", "--stripe-account", "foo"),
        ("--stripe-account", "foo", "accounts", "list"),
    ):
        assert fcasync(*words, *connection(sandbox)).exit_code == 2
    assert not sandbox.ledger


@pytest.mark.parametrize(
    "arguments",
    [
        (KEY,),
        ("accounts", KEY),
        ("accounts", "list", KEY),
        ("accounts", "list", "--output", KEY),
        ("accounts", "list", f"--{KEY}"),
        ("accounts", "retrieve", KEY),
        ("accounts", "disconnect", KEY),
        ("refresh", KEY, *BALANCE),
        ("refresh", "fca_1", "--features", KEY),
        ("guide", KEY),
        ("journal", "show", "whsec_0123456789abcdef"),
        ("transactions", "list", "rk_test_0123456789abcdef"),
        ("transactions", "list", "--account", KEY),
        ("accounts", "list", "--customer", KEY.upper()),
        ("accounts", "list", "--holder-account", "pk_live_0123456789abcdef"),
        ("accounts", "list", "--session", "whsec_0123456789abcdef"),
        ("accounts", "list", "--stripe-account", f"acct_{KEY}"),
        ("accounts", "--stripe-account", f"acct_{KEY}", "list"),
        ("sessions", "create", "--customer", KEY, "--permissions", "balances"),
        ("refresh", "fca_1", *BALANCE, "--journal", KEY),
        ("refresh", "fca_1", *BALANCE, "--job", KEY, "--since", "2026-01-01T00:00Z"),
        ("sync", "--all", "--to", KEY),
    ],
)
def test_no_message_echoes_a_key(sandbox: Sandbox, arguments: tuple[str, ...]) -> None:
    """Wherever it was typed by mistake; nor is it sent in the place of an id."""
    secret = next(word for word in arguments if "_" in word and len(word) > 20).lstrip("-")[8:]
    result = fcasync(*arguments, STRIPE_API_KEY=sandbox.api_key, STRIPE_API_BASE=sandbox.url)
    assert result.exit_code == 2
    assert secret not in result.output
    assert not sandbox.ledger


def test_options_of_the_connection_may_follow_the_group() -> None:
    """Those of the command come first, then those of the group, then those of the program."""
    words = ("--sandbox=2", "accounts", "--sandbox=3", "list", "--output", "csv")
    assert len(fcasync(*words).stdout.splitlines()) == 1 + 3
    assert len(fcasync(*words, "--sandbox=4").stdout.splitlines()) == 1 + 4
    nothing = fcasync("sessions", "--api-key", KEY, "retrieve", "fcsess_1", "--sandbox")
    assert "--sandbox has its own key" in nothing.stderr


def test_transactions_need_a_refresh_first(sandbox: Sandbox) -> None:
    """The account may be named as for any other command, and the message says what to run."""
    account = next(
        str(row["id"]) for row in listed(sandbox) if row.get("transaction_refresh") is None
    )
    for words in ((account,), ("--account", account)):
        result = fcasync("transactions", "list", *words, *connection(sandbox))
        line = one_sentence(result)
        assert line.startswith(f"fcasync: {account} has no transactions yet; run: fcasync ")
        assert result.exit_code == 1
    command = line.partition("run: fcasync ")[2].split()
    assert fcasync(*command, *connection(sandbox)).exit_code == 0
    assert fcasync("transactions", "list", account, *connection(sandbox)).exit_code == 0
    both = fcasync("transactions", "list", account, "--account", account, *connection(sandbox))
    assert (both.exit_code, "exactly one account" in both.stderr) == (2, True)
