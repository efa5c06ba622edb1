"""Keeping transactions in step: the cursor never skips a change, whatever happens meanwhile."""

import asyncio
import pickle
import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import fcasync
from fcasync._rules.request import Request
from fcasync.testing import answer
from tests._bank import Bank, BankAccount, Json


def bank_of(transactions: int) -> tuple[Bank, BankAccount]:
    """Return a bank with one account whose first refresh brought *transactions*."""
    bank = Bank()
    (account,) = bank.accounts.values()
    account.refresh({"id": f"fctxn_{n}", "status": "pending"} for n in range(transactions))
    return bank, account


async def drained(sync: fcasync.TransactionSync, table: dict[str, Json] | None = None) -> set[str]:
    """Store what *sync* yields in *table*, and return the ids."""
    seen = set()
    async for transaction in sync:
        seen.add(transaction.id)
        if table is not None:
            table[transaction.id] = fcasync.to_dict(transaction)
    return seen


async def test_the_cursor_is_the_refresh_that_was_read_before_the_list() -> None:
    """A refresh that succeeds while the pages are read belongs to the next sync."""
    bank, account = bank_of(5)

    def refresh_before_the_second_page(request: Request[Any]) -> None:
        if "starting_after" in request.query and len(account.refreshes) == 1:
            account.refresh([{"id": "fctxn_0", "status": "posted"}, {"id": "fctxn_new"}])

    bank.meanwhile = refresh_before_the_second_page
    client = bank.client()
    table: dict[str, Json] = {}
    sync = client.transactions.sync(account.id, limit=2)
    assert (sync.account, sync.cursor) == (None, None)
    await drained(sync, table)
    assert sync.account is not None
    assert sync.cursor == account.refreshes[0]["id"]
    again = client.transactions.sync(account.id, after=sync.cursor)
    assert await drained(again, table) == {"fctxn_0", "fctxn_new"}
    assert again.cursor == account.refreshes[1]["id"]
    assert {name: row["status"] for name, row in table.items()} == {
        row["id"]: row["status"] for row in account.listed()
    }


@pytest.mark.parametrize("status", ["pending", "failed"])
async def test_a_refresh_that_has_not_succeeded_is_never_a_cursor(status: str) -> None:
    """What a pending or failed refresh will bring is unknown, so the cursor stays."""
    bank, account = bank_of(3)
    before = account.refreshes[0]["id"]
    account.begin([{"id": "fctxn_0", "status": "void"}])
    if status == "failed":
        account.settle("failed")
    client = bank.client()
    for after, found in ((None, 3), (before, 0)):
        sync = client.transactions.sync(account.id, after=after)
        assert len(await drained(sync)) == found
        assert sync.cursor == after


async def test_nothing_new_costs_one_request() -> None:
    """If the latest refresh is the cursor, the account is read and the list is not."""
    bank, account = bank_of(3)
    cursor = account.refreshes[0]["id"]
    sync = bank.client().transactions.sync(account.id, after=cursor)
    assert await drained(sync) == set()
    assert sync.cursor == cursor
    assert bank.requests == ["retrieve"]


async def test_an_account_that_was_never_refreshed_yields_nothing() -> None:
    """Not yet is not an error, and makes no cursor."""
    bank = Bank()
    sync = bank.client().transactions.sync("fca_0000")
    assert await drained(sync) == set()
    assert sync.cursor is None


async def test_a_sync_that_failed_continues_under_the_account_of_its_start() -> None:
    """After an error, the same object goes on with the page that failed, and promotes no more."""
    bank, account = bank_of(5)
    failures = iter([None, None, answer(status=400), None])

    def fail_once(request: Request[Any]) -> Any:
        return next(failures, None)

    bank.meanwhile = fail_once
    sync = bank.client().transactions.sync(account.id, limit=2)
    seen: list[str] = []
    with pytest.raises(fcasync.InvalidRequestError) as caught:
        async for transaction in sync:
            seen.append(transaction.id)
    assert (len(seen), caught.value.cursor, sync.cursor) == (2, seen[-1], None)
    # The first page has changed since; the refresh that did it must not become the cursor.
    account.refresh([{"id": seen[0], "status": "void"}])
    seen += [transaction.id async for transaction in sync]
    assert sorted(seen) == sorted(row["id"] for row in account.listed())
    assert sync.cursor == account.refreshes[0]["id"]
    assert bank.requests.count("retrieve") == 1
    assert [transaction async for transaction in sync] == []


async def test_a_page_that_was_left_half_way_comes_again() -> None:
    """Until the next page is asked for, a page is not processed."""
    bank, account = bank_of(4)
    sync = bank.client().transactions.sync(account.id, limit=2)
    first = []
    async for transaction in sync:
        first.append(transaction.id)
        if len(first) == 3:
            break
    assert sync.cursor is None
    again = [transaction.id async for transaction in sync]
    assert again[0] == first[2]
    assert {*first, *again} == set(account.transactions)
    assert sync.cursor == account.refreshes[0]["id"]


async def test_a_cancelled_sync_has_no_cursor() -> None:
    """A cursor that comes without all of its rows would lose the rest."""
    bank, account = bank_of(4)
    sync = bank.client().transactions.sync(account.id, limit=2)

    async def half_way() -> None:
        async for _ in sync:
            await asyncio.sleep(0)
            raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await half_way()
    assert sync.cursor is None


async def test_an_older_iteration_ends_when_another_has_begun() -> None:
    """Two loops over one sync would each skip the pages of the other."""
    bank, account = bank_of(4)
    sync = bank.client().transactions.sync(account.id, limit=2)
    older = sync.pages()
    await anext(older)
    await drained(sync)
    with pytest.raises(RuntimeError, match="another iteration"):
        await anext(older)


async def test_a_cursor_that_stripe_does_not_know_is_an_error_of_its_own() -> None:
    """It says what to do, and has Stripe's facts."""
    bank, account = bank_of(1)
    sync = bank.client().transactions.sync(account.id, after="fctxnref_other")
    with pytest.raises(fcasync.UnknownCursorError, match="from the start, with after=None") as it:
        await drained(sync)
    assert (it.value.status, it.value.code) == (400, "resource_missing")
    assert "fctxnref_other" in str(it.value)
    assert str(pickle.loads(pickle.dumps(it.value))) == str(it.value)
    assert sync.cursor == "fctxnref_other"


async def test_other_refusals_arrive_as_they_are() -> None:
    """Only what is about the cursor is renamed."""
    with pytest.raises(fcasync.NotFoundError):
        await drained(Bank().client().transactions.sync("fca_nobody", after="fctxnref_1"))


@pytest.mark.parametrize(
    ("account", "options"),
    [("", {}), ("a b", {}), (7, {}), ("fca_1", {"after": ""}), ("fca_1", {"after": 7})]
    + [("fca_1", {"limit": limit}) for limit in (0, 101, True)],
)
def test_wrong_input_is_refused_before_anything_is_sent(account: Any, options: Any) -> None:
    """An id, a cursor and a limit are checked when the sync is made."""
    with pytest.raises(fcasync.InvalidArgumentError):
        Bank().client().transactions.sync(account, **options)


def test_a_repr_shows_how_far_it_is() -> None:
    """It names the account, the cursor and the state."""
    sync = Bank().client().transactions.sync("fca_1", after="fctxnref_1")
    assert repr(sync) == "<TransactionSync of fca_1 after fctxnref_1, at the start>"


@given(seed=st.integers(0, 2**32), limit=st.integers(1, 5))
def test_a_table_that_is_synced_equals_the_list(seed: int, limit: int) -> None:
    """Whatever refreshes, fails or breaks off meanwhile, the last sync leaves the whole truth."""

    async def play() -> None:
        draw = random.Random(seed)
        bank = Bank()
        (account,) = bank.accounts.values()

        def meanwhile(request: Request[Any]) -> Any:
            if draw.random() < 0.3:
                if account.refreshes and account.refreshes[-1]["status"] == "pending":
                    account.settle(draw.choice(["succeeded", "succeeded", "failed"]))
                else:
                    account.begin(account.changes(draw))
            return answer(status=400) if draw.random() < 0.15 else None

        table: dict[str, Json] = {}
        cursor = None
        client = bank.client()
        for _ in range(8):
            bank.meanwhile = meanwhile
            sync = client.transactions.sync(account.id, after=cursor, limit=limit)
            for _ in range(draw.randrange(1, 4)):
                try:
                    await drained(sync, table)
                except fcasync.InvalidRequestError:
                    continue
            cursor = sync.cursor
        bank.meanwhile = lambda _: None
        await drained(client.transactions.sync(account.id, after=cursor, limit=limit), table)
        stored = {name: (row["status"], row["amount"]) for name, row in table.items()}
        assert stored == {
            row["id"]: (row["status"], row["amount"]) for row in account.transactions.values()
        }

    asyncio.run(play())
