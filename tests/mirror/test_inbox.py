"""Webhooks that one process receives and another works off."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from fcasync import AuthenticationError, EventInProgress, RetryPolicy
from fcasync.bulk import Tenants
from fcasync.mirror import Inbox, Mirror
from fcasync.models import Event
from fcasync.testing import FakeClock, answer, make_account, make_event, make_thin_event
from fcasync.webhooks import EventRouter
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


async def test_a_source_is_closed_when_a_sync_ends_early(url: str) -> None:
    """In the run's own time, and not when its memory is collected."""
    bank = refreshed_bank(3)
    bank.meanwhile = failing("fca_0001", 401)
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
