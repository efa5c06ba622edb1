"""Webhooks that one process receives and another works off."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import attrs
import pytest

from fcasync import AuthenticationError, Client, EventInProgress, RetryPolicy
from fcasync.bulk import Tenants
from fcasync.mirror import Inbox, Mirror
from fcasync.models import Event
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, answer, make_account, make_event, make_thin_event
from fcasync.webhooks import EventRouter
from tests._bank import START, Bank
from tests._virtual import Stoppable
from tests.mirror._look import listed, table, transactions
from tests.mirror.test_mirror import refreshed_bank

KIND = "financial_connections.account.refreshed_transactions"


def event_of(account: str, number: int) -> Any:
    return make_event(KIND, make_account(id=account), id=f"evt_{number}")


async def test_a_job_works_off_what_the_web_service_received(url: str) -> None:
    """Late, repeated and disordered events sync each account, and leave the inbox empty."""
    bank = refreshed_bank(3)
    client = bank.client()
    async with Mirror(url) as web, Mirror(url) as job:
        events = EventRouter(seen=web.inbox)

        @events.on(KIND)
        async def refreshed(event: Event[Any]) -> None:
            await web.inbox.put(event)

        for number, name in enumerate(["fca_0001", "fca_0000", "fca_0001"]):
            assert await events.dispatch(event_of(name, number))
        assert not await events.dispatch(event_of("fca_0001", 0))
        assert await web.observe(event_of("fca_0002", 9))
        assert not await web.observe(event_of("fca_0002", 9))
        report = await job.sync(client, job.inbox.accounts())
        assert report.synced >= 3
        assert [each async for each in job.inbox.events()] == []
    assert await transactions(url) == listed(bank)


async def test_a_thin_event_is_a_nudge_as_well(url: str) -> None:
    """It names its account and its tenant; one about something else is not stored."""
    async with Mirror(url) as mirror:
        related = {"id": "fca_1", "type": "financial_connections.account", "url": "/v1/x/fca_1"}
        thin = make_thin_event(id="evt_1", context="acct_1", related_object=related)
        assert await mirror.inbox.put(thin)
        assert not await mirror.inbox.put(thin)
        assert not await mirror.inbox.put(make_thin_event(id="evt_2", related_object={}))
        assert await mirror.observe(event_of("fca_2", 3))
        nudges = mirror.inbox.accounts()
        assert [key async for key in nudges.keys()] == [  # noqa: SIM118
            ("acct_1", "fca_1"),
            ("", "fca_2"),
        ]


async def test_an_event_whose_job_failed_is_handed_out_again(url: str) -> None:
    """It is removed only when the next one is asked for."""
    async with Mirror(url) as mirror:
        for number in range(2):
            await mirror.inbox.put(event_of(f"fca_{number}", number))

        async def fail() -> None:
            events = mirror.inbox.events()
            async for _ in events:
                await events.aclose()
                raise LookupError

        with pytest.raises(LookupError):
            await fail()
        assert [each.id async for each in mirror.inbox.events()] == ["evt_0", "evt_1"]


async def test_an_event_of_a_job_that_was_killed_comes_back(url: str) -> None:
    """After the lease, and not before."""
    clock = FakeClock()
    async with Mirror(url) as mirror:
        inbox = Inbox(mirror._database, lease=60, clock=clock)
        await inbox.put(event_of("fca_1", 1))
        assert await inbox._take() is not None  # and then a kill
        assert await inbox._take() is None
        clock.advance(61)
        assert await inbox._take() is not None


async def test_an_event_that_is_being_handled_is_claimed(url: str) -> None:
    """A repeat is refused until the first delivery is done, released, or abandoned."""
    clock = FakeClock()
    async with Mirror(url) as mirror:
        inbox = Inbox(mirror._database, lease=60, clock=clock)
        assert await inbox.claim("evt_1")
        with pytest.raises(EventInProgress):
            await inbox.claim("evt_1")
        await inbox.release("evt_1")
        assert await inbox.claim("evt_1")
        clock.advance(61)
        assert await inbox.claim("evt_1")
        await inbox.confirm("evt_1")
        clock.advance(61)
        assert not await inbox.claim("evt_1")


async def test_an_inbox_holds_no_account_numbers(url: str) -> None:
    """The event's account is stored as the mirror stores accounts."""
    async with Mirror(url) as mirror:
        await mirror.inbox.put(event_of("fca_1", 1))
        assert not await mirror.observe("not an event")
    (row,) = await table(url, "inbox")
    assert "account_numbers" not in str(row["raw"])


def failing(account: str, status: int) -> Any:
    """Return a bank's *meanwhile* that answers a request for *account* with *status*."""
    body = {"error": {"type": "api_error", "message": "no"}}
    headers = {"Request-Id": "req_1", "Content-Type": "application/json"}

    def meanwhile(request: Any) -> Any:
        if request.object_id == account:
            return answer(body, status=status, headers=headers)
        return None

    return meanwhile


async def left(inbox: Inbox) -> list[str]:
    return sorted([each.id async for each in inbox.events()])


async def test_a_sync_that_ends_early_loses_no_event(url: str) -> None:
    """What was read from the inbox, and not synced, is there for the next one, at once."""
    bank = refreshed_bank(6)
    bank.meanwhile = failing("fca_0003", 401)
    client = bank.client()
    async with Mirror(url) as mirror:
        for number in range(6):
            await mirror.inbox.put(event_of(f"fca_{number:04}", number))
        with pytest.raises(AuthenticationError):
            await mirror.sync(client, mirror.inbox.accounts(), concurrency=1)
        bank.meanwhile = lambda _: None
        report = await mirror.sync(client, mirror.inbox.accounts(), concurrency=1)
        assert report.synced >= 3
        assert await left(mirror.inbox) == []
    assert await transactions(url) == listed(bank)


async def test_an_account_for_which_nobody_answered_is_handed_out_again(url: str) -> None:
    """After the lease; a refusal of Stripe's would be the same again, and ends the event."""
    bank = refreshed_bank(3)
    bank.meanwhile = failing("fca_0001", 503)
    client = bank.client(retry=RetryPolicy(attempts=1))
    clock = FakeClock()
    async with Mirror(url) as mirror:
        inbox = Inbox(mirror._database, lease=60.0, clock=clock)
        for number, name in enumerate(["fca_0000", "fca_0001", "fca_gone"]):
            await inbox.put(event_of(name, number))
        report = await mirror.sync(client, inbox.accounts())
        assert (report.synced, report.failed) == (1, 2)
        assert await left(inbox) == []
        clock.advance(61.0)
        assert await left(inbox) == ["evt_1"]


async def test_an_event_of_a_connected_account_is_synced_under_it(url: str) -> None:
    """Its accounts cannot be seen from anywhere else."""
    bank = refreshed_bank(2)
    client = bank.client()
    async with Mirror(url) as mirror:
        await mirror.inbox.put(event_of("fca_0000", 0))
        event = make_event(KIND, make_account(id="fca_0001"), id="evt_1", account="acct_1")
        await mirror.inbox.put(event)
        await mirror.sync(client, mirror.inbox.accounts())
    rows = await table(url, "accounts")
    assert {(row["stripe_account"], row["id"]) for row in rows} == {
        ("", "fca_0000"),
        ("acct_1", "fca_0001"),
    }


def refreshing(bank: Bank, sent: list[tuple[str, str, str]], denies: str = "") -> Any:
    """Return a *meanwhile* under which each refresh brings a row at once.

    It notes the connected account, the operation and the account of each request; requests of the
    tenant *denies* get a 403.
    """

    def meanwhile(request: Any) -> Any:
        tenant, operation = request.options.stripe_account or "", request.operation.name
        name = str(request.object_id or "")
        sent.append((tenant, operation, name))
        if denies and tenant == denies:
            return answer({"error": {"type": "invalid_request_error"}}, status=403)
        if operation == "refresh":
            number = len(bank.accounts[name].refreshes)
            bank.accounts[name].refresh([{"id": f"fctxn_{name}_{number}"}])
        return None

    return meanwhile


def connected(account: str, number: int, tenant: str | None) -> Any:
    """Return an event about *account*, of a connected account."""
    return make_event(KIND, make_account(id=account), id=f"evt_{number}", account=tenant)


async def test_an_event_of_a_connected_account_is_refreshed_under_it(url: str) -> None:
    """And read and listed under it; one account may be seen from several."""
    bank = refreshed_bank(3)
    sent: list[tuple[str, str, str]] = []
    bank.meanwhile = refreshing(bank, sent)
    client = bank.client(clock=FakeClock(START))
    events = [("fca_0000", None), ("fca_0001", "acct_1"), ("fca_0002", "acct_2")]
    events += [("fca_0000", "acct_1")]
    async with Mirror(url) as mirror:
        for number, (name, tenant) in enumerate(events):
            await mirror.inbox.put(connected(name, number, tenant))
        source = mirror.inbox.accounts()
        async with mirror.sync(client, source, refresh=["transactions"]) as run:
            outcomes = [outcome async for outcome in run]
        assert await left(mirror.inbox) == []
    expected = sorted((tenant or "", name) for name, tenant in events)
    assert sorted((each.stripe_account or "", each.account_id) for each in outcomes) == expected
    assert {(each.status, each.refresh and each.refresh.status) for each in outcomes} == {
        ("synced", "succeeded")
    }
    assert sorted((of, name) for of, kind, name in sent if kind == "refresh") == expected
    assert {(of, name) for of, kind, name in sent if kind == "retrieve"} <= set(expected)
    rows = await table(url, "accounts")
    assert [(row["stripe_account"], row["id"]) for row in rows] == expected
    assert run.report.refreshed is not None
    assert run.report.refreshed.succeeded == 4


async def test_events_of_one_account_refresh_it_once(url: str) -> None:
    """The later ones are worked off as well: the account is read anew for each."""
    bank = refreshed_bank(2)
    sent: list[tuple[str, str, str]] = []
    bank.meanwhile = refreshing(bank, sent)
    client = bank.client(clock=FakeClock(START))
    async with Mirror(url) as mirror:
        for number in range(7):
            await mirror.inbox.put(connected(f"fca_000{number % 2}", number, "acct_1"))
        source = mirror.inbox.accounts()
        report = await mirror.sync(client, source, refresh=["transactions"])
        assert await left(mirror.inbox) == []
    assert report.failed == 0
    assert report.total == 7
    assert sorted(name for _, kind, name in sent if kind == "refresh") == ["fca_0000", "fca_0001"]
    assert {of for of, _, name in sent if name} == {"acct_1"}
    assert (await transactions(url)).items() == listed(bank).items()


async def test_a_connected_account_that_denies_access_ends_only_its_events(url: str) -> None:
    """The refusal is Stripe's answer, which would be the same again; the others go on."""
    bank = refreshed_bank(3)
    sent: list[tuple[str, str, str]] = []
    bank.meanwhile = refreshing(bank, sent, denies="acct_2")
    client = bank.client(clock=FakeClock(START))
    async with Mirror(url) as mirror:
        for number, tenant in enumerate([None, "acct_2", "acct_1"]):
            await mirror.inbox.put(connected(f"fca_000{number}", number, tenant))
        source = mirror.inbox.accounts()
        async with mirror.sync(client, source, refresh=["transactions"]) as run:
            found = {each.stripe_account: (each.status, each.reason) async for each in run}
        assert await left(mirror.inbox) == []
    assert found == {
        None: ("synced", None),
        "acct_1": ("synced", None),
        "acct_2": ("failed", "denied"),
    }


async def test_a_sync_with_refreshes_that_ends_early_gives_its_events_back(url: str) -> None:
    """At once, whatever connected account they are of, and those that wait for a bank too."""
    bank = refreshed_bank(40)
    client = bank.client(clock=FakeClock(START))
    names = {f"evt_{number:02}" for number in range(40)}
    async with Mirror(url) as mirror:
        for number in range(40):
            event = connected(f"fca_{number:04}", number, [None, "acct_1", "acct_2"][number % 3])
            await mirror.inbox.put(attrs.evolve(event, id=f"evt_{number:02}"))
        source = mirror.inbox.accounts()
        async with mirror.sync(client, source, refresh=["transactions"], concurrency=1) as run:
            done = (await anext(run)).account_id
        events = set(await left(mirror.inbox))
    assert events <= names - {f"evt_{done[-2:]}"}
    assert len(events) >= 30


async def test_a_source_is_closed_when_a_sync_ends_early(url: str) -> None:
    """In the run's own time, and not when its memory is collected."""
    bank = refreshed_bank(3)
    refuse = failing("fca_0001", 401)
    # A tenant's 401 ends the run only if the key is refused as well, for which it lists.
    bank.meanwhile = lambda request: (
        answer(status=401) if request.operation.name == "list" else refuse(request)
    )
    closed = []

    async def ids() -> AsyncGenerator[str]:
        try:
            for name in bank.accounts:
                yield name
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            closed.append(True)

    async with Mirror(url) as mirror:
        for source in (ids(), Tenants([("acct_1", ids())])):
            with pytest.raises(AuthenticationError):
                await mirror.sync(bank.client(), source)
    assert closed == [True, True]


async def test_thin_events_wake_a_sync_that_waits_for_banks(url: str) -> None:
    """As snapshot events do: the account is read at once, though no poll is due."""
    time = Stoppable()
    async with (
        Sandbox(accounts=3, varied=False, settle_seconds=3600.0) as sandbox,
        Client(sandbox.api_key, base_url=sandbox.url, clock=FakeClock(paced_by=time)) as client,
        Mirror(url) as mirror,
        asyncio.timeout(30),
    ):
        run = mirror.sync(client, client.accounts.list(), refresh=["balance"])
        async with run:
            while run.progress.settling < 3:
                await asyncio.sleep(0.01)
            time.stop()
            sandbox.advance(3601)
            news = [await mirror.observe(event) async for event in client.events.list_thin()]
            report = await run.finish()
        assert news == [True] * 6
        assert (report.synced, report.failed) == (3, 0)
