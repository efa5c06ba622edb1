"""Lists and syncs without ``await``."""

import gc
import threading
from contextlib import closing
from typing import Any

import pytest

import fcasync
from fcasync import blocking
from fcasync.sandbox import Sandbox
from fcasync.testing import InstantTransport, make_account, make_page
from tests._bank import Bank
from tests._server import stall
from tests.blocking._threads import later, serving_elsewhere, tasks

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"


def test_a_walk_is_the_asynchronous_one(client: blocking.Client) -> None:
    """Forwards, backwards, bounded, by pages and as a list: the same items in the same order."""
    ids = [account.id for account in client.accounts.list()]
    assert len(set(ids)) == 250
    assert [a.id for a in client.accounts.list(limit=7)] == ids
    assert [a.id for a in client.accounts.list(max_items=150)] == ids[:150]
    assert [a.id for a in client.accounts.list(starting_after=ids[99], max_items=3)] == ids[100:103]
    assert [a.id for a in client.accounts.list(ending_before=ids[120], limit=50)] == ids[:120][::-1]
    backwards = client.accounts.list(ending_before=ids[120], max_items=3)
    assert [a.id for a in backwards] == ids[117:120][::-1]
    assert [len(page) for page in client.accounts.list().pages()] == [100, 100, 50]
    assert [a.id for a in client.accounts.list().collect(max_items=120)] == ids[:120]
    assert len(client.accounts.list().page()) == 10
    assert len(client.accounts.list(max_items=3).page()) == 3
    assert list(client.accounts.list(max_items=0)) == []


def test_a_list_is_walked_as_often_as_it_is_iterated(client: blocking.Client) -> None:
    """Each iteration starts anew."""
    listed = client.accounts.list(max_items=3)
    assert list(listed) == list(listed)


def test_a_page_is_fetched_when_it_is_needed(client: blocking.Client, sandbox: Sandbox) -> None:
    """Nothing is sent before the first step, and no more than one page ahead."""
    listed = client.accounts.list(prefetch=False)
    assert sandbox.ledger == []
    items = iter(listed)
    next(items)
    assert len(sandbox.ledger) == 1
    assert len(list(items)) == 249
    assert len(sandbox.ledger) == 3


@pytest.mark.parametrize("leave", ["break", "close", "drop"])
def test_a_walk_that_is_left_half_way_leaves_no_task(client: blocking.Client, leave: str) -> None:
    """The request that is ahead is cancelled, whether by break, close() or the collector."""
    for _ in range(20):
        items = iter(client.accounts.list(limit=1))
        next(items)
        if leave == "close":
            items.close()
        elif leave == "drop":
            cycle: list[Any] = [items]
            cycle.append(cycle)
            del cycle
        del items
    gc.collect()
    client.accounts.list().page()  # what was posted before has been done by then
    assert [name for name in tasks(client) if name != "fcasync.blocking.close"] == []


def test_an_error_says_where_to_go_on() -> None:
    """As in the asynchronous client, any error in the middle of a walk has a cursor."""
    script = iter([make_page([make_account(id="fca_1")], has_more=True)])

    def respond(_: object) -> Any:
        return next(script, fcasync.APIConnectionError("lost", retryable=False))

    with (
        blocking.Client(KEY, transport=InstantTransport(respond)) as client,
        pytest.raises(fcasync.APIConnectionError) as caught,
    ):
        list(client.accounts.list())
    assert caught.value.cursor == "fca_1"


def test_closing_in_the_middle_of_a_walk_is_an_error(client: blocking.Client) -> None:
    """The walk does not end as if it were complete; its error says where to go on."""
    ids = [account.id for account in client.accounts.list()]
    items = iter(client.accounts.list())
    seen = [next(items).id for _ in range(60)]
    client.close()
    with pytest.raises(fcasync.APIConnectionError, match="begun before the client") as caught:
        seen.extend(account.id for account in items)
    assert seen == ids[:100]
    assert caught.value.cursor == ids[99]
    assert [a.id for a in client.accounts.list(starting_after=ids[99])] == ids[100:]


@pytest.mark.parametrize("start", [{"starting_after": "fca_9"}, {"ending_before": "fca_9"}])
def test_closing_during_the_first_page_is_an_error(start: dict[str, str]) -> None:
    """The request in flight is cancelled, and the cursor is where the walk began."""
    with serving_elsewhere(stall) as server:
        client = blocking.Client(KEY, base_url=server.url)
        walk = later(lambda: list(client.accounts.list(**start).pages()))  # type: ignore[arg-type]
        while not server.requests:
            threading.Event().wait(0.001)
        client.close()
        error = walk()
        assert isinstance(error, fcasync.APIConnectionError)
        assert error.cursor == "fca_9"


def test_a_walk_may_be_left_to_another_thread(client: blocking.Client) -> None:
    """A walk that began in one thread goes on in another."""
    items = iter(client.accounts.list())
    rest: list[str] = [next(items).id]
    thread = threading.Thread(target=lambda: rest.extend(account.id for account in items))
    thread.start()
    thread.join()
    assert rest == [account.id for account in client.accounts.list()]


def bank() -> tuple[Bank, blocking.Client]:
    made = Bank()
    account = made.accounts["fca_0000"]
    account.refresh([{"id": f"fctxn_{n}", "amount": n} for n in range(250)])
    return made, blocking.Client("sk_test_bank", transport=InstantTransport(made.respond))


def test_a_sync_has_its_cursor_at_the_end() -> None:
    """Before the end it is what it was, so that nothing is skipped after an error."""
    made, client = bank()
    with client:
        sync = client.transactions.sync("fca_0000", after=None)
        assert (sync.account_id, sync.after, sync.account, sync.cursor) == ("fca_0000",) + (
            None,
        ) * 3
        seen = set()
        for transaction in sync:
            seen.add(transaction.id)
            assert sync.cursor is None
        assert len(seen) == 250
        assert sync.cursor == "fctxnref_0000_1"
        assert sync.account is not None
        made.accounts["fca_0000"].refresh([{"id": "fctxn_3", "status": "void"}])
        again = client.transactions.sync("fca_0000", after=sync.cursor)
        assert [[t.id for t in page] for page in again.pages()] == [["fctxn_3"]]
        assert again.cursor == "fctxnref_0000_2"
        assert repr(again) == "<TransactionSync of fca_0000 after fctxnref_0000_1, finished>"


def test_a_sync_goes_on_after_an_error() -> None:
    """Iterating over the same object again continues, also after the client was closed."""
    made, client = bank()
    failures = [fcasync.APIConnectionError("lost", retryable=False)]

    def fail(request: Any) -> Any:
        is_second = "starting_after" in request.query
        return failures.pop() if is_second and failures else None

    made.meanwhile = fail
    sync = client.transactions.sync("fca_0000")
    seen: list[str] = []
    with pytest.raises(fcasync.APIConnectionError, match="lost"):
        seen.extend(transaction.id for transaction in sync)
    client.close()
    with client, closing(sync.pages()) as pages:
        rest = [transaction.id for page in pages for transaction in page]
    assert len({*seen, *rest}) == 250
    assert sync.cursor == "fctxnref_0000_1"
