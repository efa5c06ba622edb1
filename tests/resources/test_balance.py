"""Is there enough money: the nine situations in which a debit is decided."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import fcasync
from fcasync import BalanceCheck, Client, InvalidArgumentError, NotFoundError
from fcasync.errors import APIConnectionError
from fcasync.testing import FakeClock, ScriptedTransport, answer

KEY = "sk_test_" + "a" * 24
NOW = 1_760_000_000
HOUR, DAY = 3600, 86_400
CASH = {"type": "cash", "current": {"usd": 6_000}, "cash": {"available": {"usd": 4_000}}}


def account(
    balance: dict[str, Any] | None = CASH,
    *,
    status: str = "active",
    refresh: str = "succeeded",
    age: int = 2 * HOUR,
    opens: int | None = None,
    as_of: int = NOW - 2 * HOUR,
    **more: Any,
) -> dict[str, Any]:
    return {
        "object": "financial_connections.account",
        "id": "fca_1",
        "status": status,
        "permissions": ["balances"],
        "balance": balance and {**balance, "as_of": as_of},
        "balance_refresh": {
            "status": refresh,
            "last_attempted_at": NOW - age,
            "next_refresh_available_at": opens,
        },
        **more,
    }


FRESH: dict[str, Any] = {"age": 60}
FIVE_THOUSAND = {"usd": 5_000}


async def check(*script: Any, **arguments: Any) -> tuple[BalanceCheck, int]:
    """Return the check, and how many refreshes were sent."""
    steps = [answer(step) if isinstance(step, dict) else step for step in script]
    transport = ScriptedTransport(steps)
    client = Client(KEY, transport=transport, clock=FakeClock(NOW))
    found = await client.accounts.balance("fca_1", **{"at_least": FIVE_THOUSAND, **arguments})
    return found, sum(request.operation.method == "POST" for request in transport.requests)


def error(status: int, code: str = "x") -> Any:
    return answer({"error": {"type": "invalid_request_error", "code": code}}, status=status)


CURRENT = {"type": "cash", "current": {"usd": 6_000}}
CREDIT = {"type": "credit", "current": {"usd": 900}, "credit": {"used": {"usd": 900}}}
RICH = {"type": "cash", "current": {"usd": 9_000}, "cash": {"available": {"usd": 8_000}}}
NINE: dict[str, tuple[list[Any], int, str, str | None, int | None, str | None]] = {
    # what is answered; refreshes; verdict, basis, amount, reason
    "fresh": ([account(**FRESH)], 0, "insufficient", "available", 4_000, None),
    "older, and refreshed": (
        [account(), account(refresh="pending", age=0), account(RICH, age=0)],
        1, "sufficient", "available", 8_000, None,
    ),
    "only the current balance": (
        [account(CURRENT, **FRESH)], 0, "sufficient", "current", 6_000, None,
    ),
    "not allowed yet": (
        [account(opens=NOW + HOUR)], 0, "insufficient", "available", 4_000, "too_early",
    ),
    "the refresh fails": (
        [account(RICH), account(refresh="pending", age=0), account(RICH, refresh="failed", age=0)],
        1, "sufficient", "available", 8_000, "refresh_failed",
    ),
    "the bank is silent": (
        [account(RICH), *[account(RICH, refresh="pending", age=0)] * 9],
        1, "sufficient", "available", 8_000, "not_settled",
    ),
    "no balance": ([account(None, **FRESH)], 0, "unknown", None, None, "no_balance"),
    "a credit account": ([account(CREDIT, **FRESH)], 0, "unknown", None, None, "credit_account"),
    "an inactive account": (
        [account(RICH, status="inactive")],
        0, "unknown", "available", 8_000, "account_inactive",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", NINE)
async def test_every_situation_has_an_answer(name: str) -> None:
    """By the deadline, with what it rests on."""
    script, refreshes, verdict, basis, amount, reason = NINE[name]
    found, sent = await check(*script)
    assert (found.verdict, found.basis, found.amount, found.reason) == (
        verdict, basis, amount, reason,
    )  # fmt: skip
    assert sent == refreshes


async def test_a_balance_of_yesterday_that_was_read_just_now_says_so() -> None:
    """The bank's time and Stripe's are two things."""
    found, sent = await check(account(RICH, as_of=NOW - DAY, **FRESH))
    assert (found.verdict, sent) == ("sufficient", 0)
    assert found.as_of == datetime.fromtimestamp(NOW - DAY, UTC)
    assert found.refreshed_at == datetime.fromtimestamp(NOW - 60, UTC)


async def test_the_edge_is_sufficient() -> None:
    """``at_least`` means at least."""
    assert (await check(account(**FRESH), at_least={"USD": 4_000}))[0].verdict == "sufficient"
    assert (await check(account(**FRESH), at_least={"usd": 4_001}))[0].verdict == "insufficient"


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [({"at_least": {"eur": 1}}, "currency_missing"), ({"at_least": None}, "no_threshold")],
)
async def test_what_cannot_be_compared_is_unknown(arguments: Any, reason: str) -> None:
    """The amount is there all the same, if there is one."""
    found, _ = await check(account(**FRESH), **arguments)
    assert (found.verdict, found.reason) == ("unknown", reason)


@pytest.mark.parametrize(
    ("failure", "reason"),
    [
        (error(400, "account_inactive"), "refresh_refused"),
        (APIConnectionError("reset", may_have_executed=True), "APIConnectionError"),
    ],
)
async def test_a_refresh_that_cannot_be_had_raises_nothing(failure: Any, reason: str) -> None:
    """The balance that is there decides."""
    found, _ = await check(account(RICH), *[failure] * 4)
    assert (found.verdict, found.amount, found.reason) == ("sufficient", 8_000, reason)


async def test_an_account_without_the_permission_is_not_refreshed() -> None:
    """Stripe would refuse it."""
    found, sent = await check(account(None, permissions=["ownership"]))
    assert (found.verdict, found.reason, sent) == ("unknown", "permission_missing", 0)


async def test_an_account_that_is_not_there_raises() -> None:
    """That is not a bank's silence."""
    with pytest.raises(NotFoundError):
        await check(error(404, "resource_missing"))


@pytest.mark.parametrize(
    "wrong",
    [
        {"at_least": {}},
        {"at_least": {"usd": 1, "eur": 1}},
        {"at_least": {"usd": 1.5}},
        {"at_least": {"usd": -1}},
        {"at_least": {"dollar": 1}},
        {"at_least": 5},
        {"max_age": -1},
        {"max_age": timedelta(0)},
        {"timeout": 0},
    ],
)
async def test_what_cannot_be_asked_is_refused(wrong: Any) -> None:
    """Before anything is sent."""
    with pytest.raises(InvalidArgumentError):
        await check(**wrong)


async def test_the_sandbox_agrees(fc_client: Client) -> None:
    """Over real connections: refreshed once, then fresh."""
    async for each in fc_client.accounts.list():
        if each.status == "active" and each.balance and each.balance.type == "cash":
            break
    first = await fc_client.accounts.balance(each, at_least={"usd": 0})
    assert isinstance(first, fcasync.BalanceCheck)
    assert first.verdict in ("sufficient", "insufficient")
    assert first.refreshed_at is not None
