"""What a sync stores, what it says, and what it costs."""

import asyncio
import gc
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy.ext.asyncio import AsyncConnection

import fcasync
from fcasync import to_dict
from fcasync._rules.request import Request
from fcasync.bulk import Tenants
from fcasync.mirror import Mirror, SyncReport, SyncRun, SyncStatus, _database
from fcasync.mirror._location import locate
from fcasync.mirror._steps import SteppedConnection
from fcasync.testing import FakeClock, answer, make_account, make_event, make_ownership
from tests._bank import START, Bank
from tests.mirror._look import cursors, listed, table, transactions


def refreshed_bank(accounts: int, rows: int = 3) -> Bank:
    """Return a bank whose accounts were refreshed once."""
    bank = Bank(accounts)
    for account in bank.accounts.values():
        ids = [f"fctxn_{account.id[4:]}_{number}" for number in range(rows)]
        account.refresh({"id": name, "status": "pending"} for name in ids)
    return bank


async def test_the_tables_equal_the_list(url: str) -> None:
    """After a sync every transaction is stored as Stripe lists it, and the cursor with it."""
    bank = refreshed_bank(3, rows=120)
    client = bank.client()
    async with Mirror(url) as mirror:
        report = await mirror.sync(client, client.accounts.list())
    assert await transactions(url) == listed(bank)
    assert (report.synced, report.new, report.updated, report.void) == (3, 360, 0, 0)
    expected = {each.id: each.refreshes[0]["id"] for each in bank.accounts.values()}
    assert await cursors(url) == expected


async def test_a_second_sync_costs_one_request_per_account_at_most(url: str) -> None:
    """Accounts at hand cost nothing, ids one GET each."""
    bank = refreshed_bank(5)
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, client.accounts.list())
        for source, expected in ((client.accounts.list(), ["list"]), (list(bank.accounts), 5)):
            bank.requests.clear()
            report = await mirror.sync(client, source)
            assert bank.requests == (["retrieve"] * 5 if expected == 5 else expected)
            assert (report.synced, report.new, report.updated) == (5, 0, 0)


async def test_a_refresh_that_failed_is_not_listed_again(url: str) -> None:
    """It has ended and brings nothing more; the next success continues at the old cursor."""
    bank = refreshed_bank(1)
    (account,) = bank.accounts.values()
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, [account.id])
        account.begin([{"id": "fctxn_lost"}])
        account.settle("failed")
        await mirror.sync(client, [account.id])
        bank.requests.clear()
        await mirror.sync(client, [account.id])
        assert bank.requests == ["retrieve"]
        assert await cursors(url) == {account.id: account.refreshes[0]["id"]}
        account.refresh([{"id": "fctxn_0000_0", "status": "void"}])
        report = await mirror.sync(client, [account.id])
    assert (report.new, report.updated, report.void) == (0, 1, 1)
    assert await transactions(url) == listed(bank)
    assert await cursors(url) == {account.id: account.refreshes[2]["id"]}


async def test_a_row_counts_how_often_it_changed(url: str) -> None:
    """A repeat without a change does not count."""
    bank = refreshed_bank(1, rows=1)
    (account,) = bank.accounts.values()
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, [account.id])
        account.begin()  # pending: the cursor stays, so the next list repeats what is known
        await mirror.sync(client, [account.id])
        account.settle()
        account.refresh([{"id": "fctxn_0000_0", "status": "posted", "amount": -99}])
        await mirror.sync(client, [account.id])
    (row,) = await table(url, "transactions")
    assert (row["revision"], row["status"], row["amount"]) == (2, "posted", -99)
    at = datetime.fromtimestamp(account.transactions["fctxn_0000_0"]["updated"], UTC)
    assert (row["updated"], row["posted_at"], row["void_at"]) == (at, at, None)
    assert row["raw"]["description"] == row["description"]


async def test_each_account_has_one_outcome(url: str) -> None:
    """It says what became of the account and of its transactions."""
    bank = refreshed_bank(5)
    active, inactive, gone, shut, new = bank.accounts.values()
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, client.accounts.list())
        inactive.status, gone.status = "inactive", "disconnected"
        inactive.refresh([{"id": "fctxn_late"}])
        gone.refresh([{"id": "fctxn_gone"}])
        shut.permissions = ["balances"]
        new.refreshes.clear()
        source: list[Any] = [*bank.accounts, "fca_nobody", "not an id"]
        async with mirror.sync(client, source) as run:
            outcomes = {outcome.account_id: outcome async for outcome in run}
    found = {name: (each.status.value, each.reason) for name, each in outcomes.items()}
    assert found == {
        active.id: ("synced", None),
        inactive.id: ("synced", None),
        gone.id: ("skipped", "disconnected"),
        shut.id: ("synced", "permission_missing"),
        new.id: ("synced", "not_refreshed"),
        "fca_nobody": ("failed", "resource_missing"),
        "not an id": ("failed", "invalid_id"),
    }
    assert outcomes[inactive.id].new == 1
    assert isinstance(outcomes["fca_nobody"].error, fcasync.NotFoundError)
    stored = await transactions(url)
    assert "fctxn_late" in stored
    assert len([row for row in stored.values() if row["account"] == gone.id]) == 3
    statuses = {row["id"]: row["status"] for row in await table(url, "accounts")}
    assert statuses[gone.id] == "disconnected"
    assert "4 of 7 accounts" in str(run.report)


async def test_a_disconnected_account_is_never_taken_back(url: str) -> None:
    """An older state of the account, read earlier and stored later, does not revive it."""
    bank = refreshed_bank(1)
    (account,) = bank.accounts.values()
    client = bank.client()
    before = await client.accounts.retrieve(account.id)
    account.status = "disconnected"
    async with Mirror(url) as mirror:
        await mirror.sync(client, [account.id])
        await mirror.sync(client, [before])
    (row,) = await table(url, "accounts")
    assert row["status"] == "disconnected"


async def test_a_cursor_is_never_moved_back_by_an_account_at_hand(url: str) -> None:
    """An Account that was read long ago makes rows repeat, and nothing else."""
    bank = refreshed_bank(1)
    (account,) = bank.accounts.values()
    client = bank.client()
    before = await client.accounts.retrieve(account.id)
    account.refresh([{"id": "fctxn_new"}])
    async with Mirror(url) as mirror:
        await mirror.sync(client, [account.id])
        await mirror.sync(client, [before])
    assert await cursors(url) == {account.id: account.refreshes[1]["id"]}
    assert await transactions(url) == listed(bank)


async def test_a_cursor_that_stripe_forgot_starts_the_account_anew(url: str) -> None:
    """Every row is read again and replaced, and the new cursor stored."""
    bank = refreshed_bank(1)
    (account,) = bank.accounts.values()
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, [account.id])
        account.refreshes[0]["id"] = "fctxnref_other"
        account.refresh([{"id": "fctxn_new"}])
        report = await mirror.sync(client, [account.id])
    assert (report.synced, report.new) == (1, 1)
    assert await cursors(url) == {account.id: account.refreshes[1]["id"]}


async def test_balances_are_a_history(url: str) -> None:
    """Each as-of, kind and currency has a row; what is reported again is stored once."""
    bank = refreshed_bank(1)
    (account,) = bank.accounts.values()
    client = bank.client()
    async with Mirror(url) as mirror:
        for balance in (10_000, 12_500):
            account.balance = balance
            account.refresh()
            for _ in range(2):
                await mirror.sync(client, [account.id])
    found = [(row["kind"], row["currency"], row["amount"]) for row in await table(url, "balances")]
    assert found == [
        ("available", "usd", 9_500),
        ("current", "usd", 10_000),
        ("available", "usd", 12_000),
        ("current", "usd", 12_500),
    ]


async def test_owners_are_stored_only_when_asked_for(url: str) -> None:
    """Their contact details are personal data; a second sync does not read them again."""
    bank = refreshed_bank(1)
    (account,) = bank.accounts.values()
    owner = {"id": "fcaown_1", "name": "Jo Tester", "email": "jo@example.com"}
    account.owners = [{**owner, "object": "financial_connections.account_owner"}]
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, client.accounts.list(expand=["data.ownership"]))
    assert await table(url, "owners") == []
    async with Mirror(url, owners=True) as mirror:
        await mirror.sync(client, [account.id])
        assert bank.requests.count("list_owners") == 1
        await mirror.sync(client, [account.id])
    assert bank.requests.count("list_owners") == 1
    (row,) = await table(url, "owners")
    assert (row["name"], row["email"]) == ("Jo Tester", "jo@example.com")


async def test_account_numbers_and_personal_data_are_never_stored(url: str) -> None:
    """They are left out of the raw JSON, wherever they stand in it."""
    bank = refreshed_bank(1, rows=0)
    (account,) = bank.accounts.values()
    account.refresh([{"id": "fctxn_1", "meta": {"Account_Number": "000123456789"}}])
    customer = {"id": "cus_1", "object": "customer", "email": "jo@x.org"}
    account.extra = {
        "account_holder": {"type": "customer", "customer": customer},
        "ownership": to_dict(make_ownership(id="fcaowns_1")),
        "us_bank_account": {"routing_number": "110000000", "bank_name": "Test"},
    }
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, client.accounts.list())
    (row,) = await table(url, "accounts")
    (transaction,) = await table(url, "transactions")
    assert row["raw"]["account_holder"] == {"type": "customer", "customer": "cus_1"}
    assert row["raw"]["ownership"] == "fcaowns_1"
    assert (row["holder"], row["ownership"]) == ("cus_1", "fcaowns_1")
    assert row["raw"]["us_bank_account"] == {"bank_name": "Test"}
    assert transaction["raw"]["meta"] == {}
    text = f"{row} {transaction}"
    for secret in ("000123456789", "110000000", "jo@x.org", "jo.tester", "account_numbers"):
        assert secret not in text


async def test_text_that_a_database_cannot_hold_is_replaced(url: str) -> None:
    """PostgreSQL has no NUL characters; one bank's odd description stops no sync."""
    bank = refreshed_bank(1, rows=0)
    (account,) = bank.accounts.values()
    account.refresh([{"id": "fctxn_1", "description": "Caf\0é \N{PILE OF POO}"}])
    client = bank.client()
    async with Mirror(url) as mirror:
        report = await mirror.sync(client, [account.id])
    (row,) = await table(url, "transactions")
    assert (report.synced, row["description"]) == (1, "Caf\ufffdé \N{PILE OF POO}")


async def test_tenants_share_a_database(url: str) -> None:
    """The rows of a connected account stand under its id."""
    bank = refreshed_bank(1)
    (account,) = bank.accounts.values()
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.sync(client, [account.id])
        platform = client.with_options(stripe_account="acct_1")
        async with mirror.sync(platform, [account.id]) as run:
            (outcome,) = [outcome async for outcome in run]
    assert outcome.stripe_account == "acct_1"
    for name in ("accounts", "transactions", "sync_state"):
        tenants = [row["stripe_account"] for row in await table(url, name)]
        assert sorted(set(tenants)) == ["", "acct_1"]


async def test_a_source_of_tenants_stores_each_under_its_own_id(url: str) -> None:
    """A tenant without a source has all its accounts synced; one that denies access ends alone."""
    bank = refreshed_bank(2)

    def deny(request: Request[Any]) -> Any:
        denies = request.options.stripe_account == "acct_3"
        error = {"type": "invalid_request_error", "message": "no access"}
        return answer({"error": error}, status=403) if denies else None

    bank.meanwhile = deny
    client = bank.client()
    tenants = Tenants({"acct_1": ["fca_0000"], "acct_3": ["fca_0001"]})
    async with Mirror(url) as mirror:
        await mirror.sync(client, Tenants(["acct_2"]))
        async with mirror.sync(client, tenants) as run:
            found = {each.stripe_account: (each.status.value, each.reason) async for each in run}
    assert found == {"acct_1": ("synced", None), "acct_3": ("failed", "denied")}
    stored = [(row["stripe_account"], row["id"]) for row in await table(url, "accounts")]
    assert stored == [("acct_1", "fca_0000"), ("acct_2", "fca_0000"), ("acct_2", "fca_0001")]


def denial(status: int) -> Any:
    error = {"type": "invalid_request_error", "message": "no access"}
    return answer({"error": error}, status=status)


@pytest.mark.parametrize("status", [401, 403])
@pytest.mark.parametrize("of", [None, ["fca_0000", "fca_0001", "fca_0002"]])
async def test_a_tenant_that_denies_access_ends_alone(
    url: str, status: int, of: list[str] | None
) -> None:
    """Nothing more is sent for it, and the others go on, even where each has one worker."""
    bank = refreshed_bank(3)
    asked: list[str] = []

    def deny(request: Request[Any]) -> Any:
        tenant = request.options.stripe_account or ""
        asked.append(tenant)
        return denial(status) if tenant == "acct_2" else None

    bank.meanwhile = deny
    client = bank.client()
    tenants: dict[str, Any] = {"acct_1": ["fca_0000"], "acct_2": of, "acct_3": ["fca_0001"]}
    source = Tenants([(name, own) if own else name for name, own in tenants.items()])
    async with Mirror(url) as mirror, mirror.sync(client, source, concurrency=1) as run:
        found = [
            (each.stripe_account, each.account_id, each.status.value, each.reason)
            async for each in run
        ]
    denied = [("acct_2", name, "failed", "denied") for name in of or [""]]
    assert sorted(found, key=str) == sorted(
        [
            ("acct_1", "fca_0000", "synced", None),
            *denied,
            ("acct_3", "fca_0001", "synced", None),
        ],
        key=str,
    )
    assert asked.count("acct_2") == 1
    assert asked.count("") == (1 if status == 401 else 0)  # is it the key that is bad?


async def test_a_bad_key_ends_a_run_over_tenants(url: str) -> None:
    """It is not taken for a hundred tenants that each deny access."""
    bank = refreshed_bank(1)
    bank.meanwhile = lambda request: denial(401)
    client = bank.client()
    source = Tenants({f"acct_{number}": ["fca_0000"] for number in range(100)})
    async with Mirror(url) as mirror:
        with pytest.raises(fcasync.AuthenticationError):
            await mirror.sync(client, source, concurrency=2)
    assert len(bank.requests) < 10


async def test_tenants_that_all_deny_access_end_the_run(url: str) -> None:
    """Where nobody was ever served, it is for the key that each says 403."""
    bank = refreshed_bank(1)
    bank.meanwhile = lambda request: denial(403)
    client = bank.client()
    source = Tenants({f"acct_{number}": ["fca_0000"] for number in range(100)})
    async with Mirror(url) as mirror:
        with pytest.raises(fcasync.PermissionDeniedError):
            await mirror.sync(client, source, concurrency=2)
    assert len(bank.requests) < 30


async def test_the_same_account_twice_in_a_source_is_harmless(url: str) -> None:
    """Whoever came second takes over; nothing is lost or doubled."""
    bank = refreshed_bank(2, rows=250)
    client = bank.client()
    source = [*bank.accounts] * 3
    async with Mirror(url) as mirror:
        async with mirror.sync(client, source) as run:
            statuses = {(each.status, each.reason) async for each in run}
        await mirror.sync(client, source)
    assert statuses <= {(SyncStatus.SYNCED, None), (SyncStatus.SKIPPED, "taken_over")}
    assert await transactions(url) == listed(bank)


async def test_a_failure_of_one_account_leaves_the_others(url: str) -> None:
    """It has its outcome, and the next run takes it up where it stopped."""
    bank = refreshed_bank(3)
    bad = "fca_0001"
    bank.meanwhile = lambda request: (
        answer(status=400) if bad in request.query else None  # its list, not the account
    )
    client = bank.client()
    async with Mirror(url) as mirror:
        report = await mirror.sync(client, client.accounts.list())
        assert (report.synced, report.failed) == (2, 1)
        assert {row["account"] for row in (await transactions(url)).values()} == {
            "fca_0000",
            "fca_0002",
        }
        bank.meanwhile = lambda _: None
        await mirror.sync(client, client.accounts.list())
    assert await transactions(url) == listed(bank)


@pytest.mark.parametrize("status", [401, 403])
async def test_a_bad_key_ends_the_run(url: str, status: int) -> None:
    """Every account would fail in the same way."""
    bank = refreshed_bank(3)
    bank.meanwhile = lambda request: answer(
        {"error": {"type": "invalid_request_error", "message": "no"}}, status=status
    )
    client = bank.client()
    async with Mirror(url) as mirror:
        with pytest.raises((fcasync.AuthenticationError, fcasync.PermissionDeniedError)):
            await mirror.sync(client, list(bank.accounts))


async def test_an_outage_ends_the_run(url: str) -> None:
    """A server that is down fails no hundred thousand accounts; the error says what it is."""
    bank = refreshed_bank(60)
    bank.meanwhile = lambda request: answer(status=503)
    client = bank.client(retry=fcasync.RetryPolicy(attempts=1))
    async with Mirror(url) as mirror:
        with pytest.raises(fcasync.ServerError):
            await mirror.sync(client, list(bank.accounts))
    assert len(bank.requests) < 60 + 60


async def test_memory_does_not_depend_on_the_source(url: str) -> None:
    """The source is read only as fast as outcomes are taken."""
    bank = refreshed_bank(1)
    client = bank.client()
    read = 0

    def source() -> Any:
        nonlocal read
        while True:
            read += 1
            yield "fca_0000"

    async with Mirror(url) as mirror, mirror.sync(client, source(), concurrency=4) as run:
        for _ in range(3):
            await anext(run)
        for _ in range(200):
            await asyncio.sleep(0)
    assert read < 30


async def test_a_refresh_comes_first_and_each_account_follows_its_bank(url: str) -> None:
    """With refresh= the rows are those after the refresh, and outcomes say what became of it."""
    bank = refreshed_bank(3)
    failing = bank.accounts["fca_0002"]

    def meanwhile(request: Request[Any]) -> None:
        if request.operation.name == "refresh":
            account = bank.accounts[str(request.object_id)]
            account.begin([{"id": f"fctxn_{account.id[4:]}_new"}])
            account.settle("failed" if account is failing else "succeeded")

    bank.meanwhile = meanwhile
    client = bank.client(clock=FakeClock(START))
    source = list(bank.accounts)
    async with (
        Mirror(url) as mirror,
        mirror.sync(client, source, refresh=["transactions"]) as run,
    ):
        outcomes = {outcome.account_id: outcome async for outcome in run}
    assert await transactions(url) == listed(bank)
    ends = {name: each.refresh and each.refresh.status for name, each in outcomes.items()}
    assert ends == {
        "fca_0000": "succeeded",
        "fca_0001": "succeeded",
        "fca_0002": "failed",
    }
    assert {each.status for each in outcomes.values()} == {SyncStatus.SYNCED}
    assert run.report.refreshed is not None
    assert (run.report.refreshed.succeeded, run.report.refreshed.failed) == (2, 1)
    assert run.report.to_dict()["refreshed"]["by_status"]["failed"] == 1


@pytest.mark.parametrize("turns", range(1, 6))
async def test_leaving_is_completed_however_often_it_is_cancelled(
    url: str, turns: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged, and no connection or task of the database is left."""
    bank = refreshed_bank(1)
    client = bank.client()
    before = asyncio.all_tasks()
    mirror = await Mirror(url).__aenter__()
    await mirror.sync(client, client.accounts.list())
    task = asyncio.create_task(mirror.__aexit__())
    for _ in range(turns):
        await asyncio.sleep(0)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []


@pytest.mark.parametrize("pause", [0, 2])
@pytest.mark.parametrize("turns", [0, 1, 2, 4, 8, 16, 32])
async def test_entering_is_undone_however_often_it_is_cancelled(
    url: str, turns: int, pause: int, caplog: pytest.LogCaptureFixture
) -> None:
    """Nothing is logged, no connection or task of the database is left, and it can be entered."""
    before = asyncio.all_tasks()
    mirror = Mirror(url)
    task = asyncio.create_task(mirror.__aenter__())
    for _ in range(turns):
        await asyncio.sleep(0.0005)
    while not task.done():
        task.cancel()
        for _ in range(1 + pause):
            await asyncio.sleep(0)
    if not task.cancelled():  # it was faster
        assert task.result() is mirror
        await mirror.__aexit__()
    assert asyncio.all_tasks() == before
    gc.collect()
    await asyncio.sleep(0)
    assert [each.getMessage() for each in caplog.records if each.levelname == "ERROR"] == []
    async with Mirror(url) as again:
        assert await again.inbox.put(make_event(account_event(), make_account(id="fca_1")))


@pytest.mark.parametrize("kind", ["reading", "writing"])
async def test_a_transaction_gives_its_connection_back_however_often_it_is_cancelled(
    url: str, kind: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It ends only then, so that no task is left which does so afterwards."""
    begun, is_closing, may_close = asyncio.Event(), asyncio.Event(), asyncio.Event()
    close = AsyncConnection.close

    async def close_slowly(connection: AsyncConnection) -> None:
        is_closing.set()
        await may_close.wait()
        await close(connection)

    monkeypatch.setattr(AsyncConnection, "close", close_slowly)

    async def use(database: _database.Database) -> None:
        async with getattr(database, kind)():
            begun.set()
            await asyncio.Event().wait()

    before = asyncio.all_tasks()
    database = _database.Database(locate(url))
    task = asyncio.create_task(use(database))
    await begun.wait()
    task.cancel()
    await is_closing.wait()
    for _ in range(3):
        task.cancel()
        await asyncio.sleep(0)
    assert not task.done()
    may_close.set()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert asyncio.all_tasks() == before
    await database.aclose()


async def test_a_connection_whose_opening_is_cancelled_is_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A thread opens it, and may be ready when nobody waits for it any more."""
    loop, opened, closed = asyncio.get_running_loop(), list[object](), list[object]()

    class Watched(SteppedConnection):
        def __init__(self, *args: Any, **options: Any) -> None:
            super().__init__(*args, **options)
            opened.append(self)
            loop.call_soon_threadsafe(task.cancel)

        def close(self) -> None:
            closed.append(self)
            super().close()

    monkeypatch.setattr(_database, "SteppedConnection", Watched)
    task = asyncio.create_task(Mirror(f"sqlite:///{tmp_path}/bank.db").__aenter__())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert len(opened) == 1
    assert closed == opened


def account_event() -> str:
    return "financial_connections.account.refreshed_balance"


async def test_opening_a_mirror_ends_no_lock_of_another_in_the_process(tmp_path: Path) -> None:
    """Another process would take itself for the last user, and delete the write-ahead log."""
    path = tmp_path / "bank.db"
    async with Mirror(f"sqlite:///{path}"):
        pass
    with closing(sqlite3.connect(path)) as reader:
        reader.execute("SELECT * FROM accounts").fetchall()
        async with Mirror(f"sqlite:///{path}"):
            pass
        code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('PRAGMA {}')"
        command = [sys.executable, "-c", code.format("journal_mode = DELETE"), str(path)]
        other = await asyncio.to_thread(
            subprocess.run, command, capture_output=True, text=True, check=False
        )
    assert "database is locked" in other.stderr


async def test_a_database_in_memory_takes_events_while_it_syncs() -> None:
    """All have its one connection, and wait for one another."""
    bank = refreshed_bank(80, rows=30)
    client = bank.client()
    async with Mirror("sqlite://") as mirror:

        async def observe() -> None:
            for number in range(40):
                event = make_event(
                    "financial_connections.account.refreshed_balance",
                    make_account(id=f"fca_{number:04}"),
                    id=f"evt_{number}",
                )
                assert await mirror.observe(event)

        one, other, _ = await asyncio.gather(
            run_to_its_end(mirror.sync(client, list(bank.accounts))),
            run_to_its_end(mirror.sync(client, list(bank.accounts))),
            observe(),
        )
        assert one.failed == other.failed == 0
        assert one.new + other.new == len(listed(bank))
        assert len([event async for event in mirror.inbox.events()]) == 40


async def run_to_its_end(run: SyncRun) -> SyncReport:
    return await run
