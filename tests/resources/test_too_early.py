"""A refresh that comes too early: the error says when, if that is known without asking."""

import pickle
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from fcasync import BalanceRefresh, Client, InvalidRequestError, OwnershipRefresh
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, ScriptedTransport, answer, make_account

NOW = datetime(2026, 11, 20, tzinfo=UTC)
LATER = NOW + timedelta(minutes=5)
REFUSED = answer({"error": {"type": "invalid_request_error", "message": "no"}}, status=400)
INACTIVE = answer(
    {"error": {"type": "invalid_request_error", "code": "financial_connections_account_inactive"}},
    status=400,
)


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=3, varied=False, settle_seconds=0.0) as sandbox:
        yield sandbox


async def test_the_account_at_hand_says_when(sandbox: Sandbox) -> None:
    """As Stripe's field has it; an id says nothing, and no request is sent to find out."""
    async with Client(sandbox.api_key, base_url=sandbox.url) as client:
        account = await client.accounts.refresh(
            (await client.accounts.list())[0], features=["balance"]
        )
        account = await client.accounts.retrieve(account)
        assert account.balance_refresh is not None
        sent = len(sandbox.ledger)
        for refresh in (client.accounts.refresh, client.accounts.refresh_and_wait):
            with pytest.raises(InvalidRequestError) as caught:
                await refresh(account, features=["balance"])
            assert caught.value.available_at == account.balance_refresh.next_refresh_available_at
            assert (
                pickle.loads(pickle.dumps(caught.value)).available_at == caught.value.available_at
            )
        with pytest.raises(InvalidRequestError) as caught:
            await client.accounts.refresh(account.id, features=["balance"])
        assert caught.value.available_at is None
        assert len(sandbox.ledger) == sent + 3


@pytest.mark.parametrize(
    ("changes", "reply", "expected"),
    [
        ({"balance_refresh": BalanceRefresh(next_refresh_available_at=LATER)}, REFUSED, LATER),
        ({"balance_refresh": BalanceRefresh(next_refresh_available_at=LATER)}, INACTIVE, None),
        ({"balance_refresh": BalanceRefresh(next_refresh_available_at=NOW)}, REFUSED, None),
        ({"balance_refresh": BalanceRefresh()}, REFUSED, None),
        ({"balance_refresh": None}, REFUSED, None),
        ({"ownership_refresh": OwnershipRefresh(next_refresh_available_at=LATER)}, REFUSED, None),
    ],
)
async def test_nothing_is_said_that_is_not_known(
    changes: dict[str, Any], reply: Any, expected: datetime | None
) -> None:
    """Another reason for the refusal, a time that has come, another feature."""
    account = make_account(**{"balance_refresh": None, "ownership_refresh": None, **changes})
    clock = FakeClock(NOW.timestamp())
    transport = ScriptedTransport([reply])
    async with Client("sk_test_1", transport=transport, clock=clock) as client:
        with pytest.raises(InvalidRequestError) as caught:
            await client.accounts.refresh(account, features=["balance"])
    assert caught.value.available_at == expected
