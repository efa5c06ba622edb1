"""Bulk jobs without ``await``."""

import asyncio
import signal
import sqlite3
import threading
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

import fcasync
from fcasync import blocking
from fcasync.blocking._desk import Desk
from fcasync.bulk import Report, Tenants, read_journal
from fcasync.sandbox import Sandbox
from fcasync.testing import make_event
from tests._server import http, stall
from tests.blocking._threads import later, serving_elsewhere, tasks

KEY = "sk_test_4eC39HqLyjWDarjtT1zdp7dc"
ACCOUNTS = 40


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(threaded=True, accounts=ACCOUNTS, varied=False, settle_seconds=0.05) as sandbox:
        yield sandbox


def statuses(report: Report) -> dict[str, int]:
    return {status: count for status, count in report.by_status().items() if count}


def test_a_job_refreshes_every_account_once(
    client: blocking.Client, sandbox: Sandbox, tmp_path: Path
) -> None:
    """Outcomes come one by one; the report and the journal agree with them."""
    journal = tmp_path / "refresh.sqlite"
    with client.bulk.refresh(client.accounts.list(), features=["balance"], journal=journal) as run:
        seen = [outcome.account_id for outcome in run]
        assert run.progress.done == ACCOUNTS
    assert sorted(seen) == sorted(sandbox.executions("refresh"))
    assert set(sandbox.executions("refresh").values()) == {1}
    assert statuses(run.report) == {"accepted": ACCOUNTS}
    assert repr(run) == "<BulkRun 40 done, 0 failed, 0 waiting>"
    assert len(list(read_journal(journal))) == ACCOUNTS
    with client.bulk.refresh(seen, features=["balance"], journal=journal) as again:
        assert again.finish().finished_at is not None
    assert tasks(client) == []


def test_waiting_for_banks_and_finish(client: blocking.Client) -> None:
    """finish() processes everything and returns the report."""
    ids = [account.id for account in client.accounts.list(max_items=20)]
    with client.bulk.refresh(ids, features=["balance"], wait=True) as run:
        report = run.finish()
        assert list(run) == []
    assert statuses(report) == {"succeeded": 20}


def test_a_source_is_read_on_the_thread_that_waits(client: blocking.Client) -> None:
    """A cursor of sqlite3, which no other thread may touch, is a source; so is a generator."""
    ids = [account.id for account in client.accounts.list()]
    database = sqlite3.connect(":memory:")
    database.execute("create table linked (id text)")
    database.executemany("insert into linked values (?)", [(each,) for each in ids])
    threads: set[int] = set()

    def rows() -> Iterator[str]:
        try:
            for (account_id,) in database.execute("select id from linked"):
                threads.add(threading.get_ident())
                yield client.accounts.retrieve(account_id).id if len(threads) > 5 else account_id
        finally:
            threads.add(threading.get_ident())
            database.close()

    with client.bulk.refresh(rows(), features=["balance"]) as run:
        counts = Counter(outcome.status for outcome in run)
    assert counts == {"accepted": ACCOUNTS}
    assert threads == {threading.get_ident()}
    with pytest.raises(sqlite3.ProgrammingError, match="closed"):
        database.execute("select 1")


def test_a_source_may_call_the_client(client: blocking.Client) -> None:
    """A generator that fetches each account while the run waits for it does not deadlock."""
    ids = [account.id for account in client.accounts.list(max_items=30)]
    with client.bulk.refresh(
        (client.accounts.retrieve(each) for each in ids), features=["balance"], concurrency=4
    ) as run:
        assert sorted(outcome.account_id for outcome in run) == sorted(ids)


def test_a_source_that_was_not_read_to_its_end_is_closed_on_its_thread(
    client: blocking.Client,
) -> None:
    """Leaving the block early lets go of the generator where it was made."""
    closed_on: list[int] = []

    def endless() -> Iterator[str]:
        try:
            for account in list(client.accounts.list().collect()) * 100:
                yield account.id
        finally:
            closed_on.append(threading.get_ident())

    with client.bulk.refresh(endless(), features=["balance"], concurrency=8) as run:
        next(run)
    assert closed_on == [threading.get_ident()]


def test_a_source_that_fails_ends_the_run(client: blocking.Client) -> None:
    """Its own error is raised, as it is."""

    def failing() -> Iterator[str]:
        yield client.accounts.list().page().data[0].id
        raise LookupError("the table is gone")

    with pytest.raises(LookupError, match="the table is gone"):  # noqa: SIM117
        with client.bulk.refresh(failing(), features=["balance"]) as run:
            list(run)
    assert tasks(client) == []


def test_a_source_that_is_interrupted_ends_the_run(client: blocking.Client) -> None:
    """Ctrl-C inside the source; whoever goes on all the same gets an error, and never hangs."""

    def interrupted() -> Iterator[str]:
        yield client.accounts.list().page().data[0].id
        signal.raise_signal(signal.SIGINT)

    with pytest.raises(RuntimeError, match="the source was interrupted"):  # noqa: SIM117
        with client.bulk.refresh(interrupted(), features=["balance"]) as run:
            with pytest.raises(KeyboardInterrupt):
                list(run)
            list(run)
    assert tasks(client) == []


def test_an_item_whose_way_to_the_loop_is_interrupted_is_sent_again(
    client: blocking.Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It was read, so it must not be read again, and the loop waits for it."""
    ids = [account.id for account in client.accounts.list()]
    loop, left = client._loops.current(), [5]
    post = loop.post

    def interrupted(callback: Callable[[], object]) -> bool:
        if getattr(getattr(callback, "func", None), "__name__", "") == "_succeed":
            left[0] -= 1
            if left[0] == 0:
                raise TimeoutError
        return post(callback)

    monkeypatch.setattr(loop, "post", interrupted)
    with client.bulk.refresh(iter(ids), features=["balance"]) as run:
        with pytest.raises(TimeoutError):
            run.finish()
        assert later(run.finish)().accepted == ACCOUNTS
    assert set(sandbox.executions("refresh").values()) == {1}


def test_an_interrupt_while_an_interrupted_item_is_put_back_loses_nothing(
    client: blocking.Client, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whoever waits next puts back what the loop still waits for."""
    ids = [account.id for account in client.accounts.list()]
    loop, posted, interrupts = client._loops.current(), 0, 0
    post, recall = loop.post, Desk.recall

    def post_or_not(callback: Callable[[], object]) -> bool:
        nonlocal posted, interrupts
        if getattr(getattr(callback, "func", None), "__name__", "") == "_succeed":
            posted += 1
            if posted == 5:
                interrupts += 1
                raise TimeoutError
        return post(callback)

    def recall_or_not(desk: Desk) -> None:
        nonlocal interrupts
        if interrupts == 1:
            interrupts += 1
            raise TimeoutError
        recall(desk)

    monkeypatch.setattr(loop, "post", post_or_not)
    monkeypatch.setattr(Desk, "recall", recall_or_not)
    with client.bulk.refresh(iter(ids), features=["balance"]) as run:
        while interrupts < 2:
            with pytest.raises(TimeoutError):
                run.finish()
        assert later(run.finish)().accepted == ACCOUNTS
    assert set(sandbox.executions("refresh").values()) == {1}


def test_a_source_is_read_on_after_an_interrupt(client: blocking.Client, sandbox: Sandbox) -> None:
    """An interrupt takes no item away; one in the middle of an item ends the run, and says so."""
    ids = [account.id for account in client.accounts.list()]
    fired: list[int] = []
    ends: list[str] = []

    def handle(number: int, _: object) -> None:
        fired.append(number)
        raise TimeoutError

    def finish(run: blocking.BulkRun) -> bool:
        before = len(fired)
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.002)
            run.finish()
        except TimeoutError:
            return len(fired) == before  # that is how the run has ended
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        return True

    before = signal.signal(signal.SIGALRM, handle)
    try:
        with client.bulk.refresh(iter(ids), features=["balance"]) as run:
            while not finish(run):
                pass
    except (RuntimeError, TimeoutError) as error:
        ends.append(type(error).__name__)
    finally:
        signal.signal(signal.SIGALRM, before)
    assert fired
    assert ends or len(sandbox.executions("refresh")) == ACCOUNTS
    assert tasks(client) == []


@pytest.mark.parametrize("kind", [iter, list, lambda ids: dict.fromkeys(ids).keys()])
def test_any_iterable_is_a_source(client: blocking.Client, kind: Any) -> None:
    """Iterators, lists and views."""
    ids = [account.id for account in client.accounts.list(max_items=5)]
    with client.bulk.refresh(kind(ids), features=["balance"]) as run:
        assert statuses(run.finish()) == {"accepted": 5}


def test_a_list_of_another_client_is_a_source(client: blocking.Client, sandbox: Sandbox) -> None:
    """It is walked by its own client, on its own loop."""
    with (
        blocking.Client(sandbox.api_key, base_url=sandbox.url) as other,
        client.bulk.refresh(other.accounts.list(), features=["balance"]) as run,
    ):
        assert statuses(run.finish()) == {"accepted": ACCOUNTS}


def test_tenants_have_sources_on_the_thread_that_waits(
    client: blocking.Client, sandbox: Sandbox
) -> None:
    """Lazy lists of tenants and of their accounts; a list of the client's own; all accounts."""
    threads: set[int] = set()

    def ids(tenant: str) -> Iterator[str]:
        listed = client.with_options(stripe_account=tenant).accounts.list(max_items=3)
        threads.add(threading.get_ident())
        yield from [account.id for account in listed]

    def pairs() -> Iterator[Any]:
        threads.add(threading.get_ident())
        yield "acct_1", ids("acct_1")
        yield "acct_2", client.with_options(stripe_account="acct_2").accounts.list(max_items=4)
        yield "acct_3"

    with client.bulk.refresh(Tenants(pairs()), features=["balance"]) as run:
        counts = Counter(outcome.stripe_account for outcome in run)
    assert counts == {"acct_1": 3, "acct_2": 4, "acct_3": ACCOUNTS}
    assert threads == {threading.get_ident()}


def test_a_run_needs_its_block(client: blocking.Client) -> None:
    """It says how to enter it, and is entered once."""
    run = client.bulk.refresh(["fca_1"], features=["balance"])
    for use in (lambda: next(run), run.finish, lambda: run.__exit__(None, None, None)):
        with pytest.raises(fcasync.InvalidArgumentError, match="enter the run first"):
            use()
    assert run.stop() is False
    assert run.observe(make_event()) is False
    assert run.report.requests == 0
    with run:
        run.finish()
    with pytest.raises(fcasync.InvalidArgumentError, match="entered once"):
        run.__enter__()
    assert tasks(client) == []


def test_leaving_the_block_by_an_error_stops_the_run(
    client: blocking.Client, tmp_path: Path
) -> None:
    """The same call goes on, and hands the outcome that was not acknowledged out again."""
    ids = [account.id for account in client.accounts.list()]
    journal = tmp_path / "refresh.sqlite"
    with pytest.raises(LookupError):  # noqa: SIM117
        with client.bulk.refresh(ids, features=["balance"], journal=journal) as run:
            shown = next(run).account_id
            raise LookupError
    assert tasks(client) == []
    with client.bulk.refresh(ids, features=["balance"], journal=journal) as run:
        rest = list(run)
    assert {outcome.account_id for outcome in rest} == set(ids)
    assert shown in [outcome.account_id for outcome in rest if outcome.again]


def test_stop_comes_from_a_handler_or_another_thread(client: blocking.Client) -> None:
    """What is finished is handed out, and the iteration ends."""

    def ids() -> Iterator[str]:
        while True:
            yield from known

    known = [account.id for account in client.accounts.list()]
    before = signal.signal(signal.SIGUSR1, lambda *_: run.stop())
    try:
        with client.bulk.refresh(ids(), features=["balance"]) as run:
            for number, _ in enumerate(run):
                if number == 10:
                    signal.raise_signal(signal.SIGUSR1)
        with client.bulk.refresh(ids(), features=["balance"]) as run:
            stopper = threading.Timer(0.2, run.stop)
            stopper.start()
            list(run)
            stopper.join()
            assert run.stop() is False
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert tasks(client) == []


def test_a_webhook_thread_settles_an_account() -> None:
    """observe() may be called from any thread while another waits for outcomes."""
    with (
        Sandbox(threaded=True, accounts=1, varied=False, settle_seconds=7200) as sandbox,
        blocking.Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        account = client.accounts.list().page().data[0]

        def observe() -> bool:
            while True:
                seen = fcasync.to_dict(client.accounts.retrieve(account))
                if seen["balance_refresh"]["status"] == "pending":
                    seen["balance_refresh"]["status"] = "succeeded"
                    event = make_event(object=seen)
                    if run.observe(event):
                        return run.observe(event)

        with client.bulk.refresh([account.id], features=["balance"], wait=True) as run:
            seen = later(observe)
            assert [outcome.status for outcome in run] == ["succeeded"]
        assert seen() is False  # nobody waits any more


def test_several_threads_may_take_the_outcomes(client: blocking.Client) -> None:
    """Each outcome goes to one of them, and all of them end."""
    ids = [account.id for account in client.accounts.list()]
    with client.bulk.refresh(iter(ids), features=["balance"]) as run:
        workers = [later(lambda: [outcome.account_id for outcome in run]) for _ in range(4)]
        taken = [each for worker in workers for each in worker()]
    assert sorted(taken) == sorted(ids)


def test_closing_the_client_ends_a_run_in_good_order(sandbox: Sandbox, tmp_path: Path) -> None:
    """The thread in the block gets an error; the journal is closed, and the job goes on from it."""
    journal = tmp_path / "refresh.sqlite"
    client = blocking.Client(sandbox.api_key, base_url=sandbox.url)
    ids = [account.id for account in client.accounts.list()]
    taken: list[str] = []

    def job() -> None:
        with client.bulk.refresh(iter(ids), features=["balance"], journal=journal) as run:
            for outcome in run:
                taken.append(outcome.account_id)
                began.set()

    began = threading.Event()
    error = later(job)
    began.wait()
    client.close()
    failure = error()
    assert isinstance(failure, fcasync.APIConnectionError)
    assert "closed" in str(failure)
    with client, client.bulk.refresh(ids, features=["balance"], journal=journal) as run:
        rest = [outcome.account_id for outcome in run]
    assert {*taken, *rest} == set(ids)
    assert set(sandbox.executions("refresh").values()) == {1}


def test_leaving_the_block_of_a_run_that_was_cut_short_is_an_error(
    client: blocking.Client,
) -> None:
    """Whoever does not look at outcomes learns of it, too; a complete run raises nothing."""
    ids = [account.id for account in client.accounts.list()]
    with pytest.raises(fcasync.APIConnectionError, match="the same call resumes it"):  # noqa: SIM117
        with client.bulk.refresh(ids, features=["balance"]) as run:
            next(run)
            client.close()
    assert run.report.requests > 0
    with client.bulk.refresh(ids[:2], features=["balance"]) as run:
        run.finish()
        client.close()
    assert run.report.by_status()


def test_an_asynchronous_source_is_read_on_the_loop(client: blocking.Client) -> None:
    """An asynchronous generator is a source here as well."""

    async def ids() -> Any:
        for account in known:
            await asyncio.sleep(0)
            yield account.id

    known = client.accounts.list(max_items=5).collect()
    with client.bulk.refresh(ids(), features=["balance"]) as run:
        assert statuses(run.finish()) == {"accepted": 5}


def test_a_bad_key_ends_a_run(client: blocking.Client) -> None:
    """Entering the block asks for the time, and is refused."""
    denied = http(b'{"error": {"message": "no"}}', "401 Unauthorized", Request_Id="req_1")
    with (
        serving_elsewhere(denied, stall) as server,
        blocking.Client(KEY, base_url=server.url) as other,
    ):
        with pytest.raises(fcasync.AuthenticationError):
            other.bulk.refresh(["fca_1"], features=["balance"]).__enter__()
        assert tasks(other) == []
