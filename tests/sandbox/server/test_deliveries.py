"""Signed webhooks, delivered to a real endpoint."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

import aiohttp
import attrs
import orjson
import pytest
from aiohttp import web

from fcasync._facts.signature import header
from fcasync.sandbox import Sandbox
from fcasync.sandbox._api.world import Settings, World
from fcasync.sandbox._bank.events import Emit, Happened
from fcasync.sandbox._server import deliveries
from fcasync.sandbox._server.deliveries import Outbox
from fcasync.testing import FakeClock
from fcasync.webhooks import construct_event
from tests.sandbox.worlds import ACCOUNTS, SESSIONS


@attrs.define
class Receiver:
    """A webhook endpoint that keeps what it gets, and answers with the statuses in `answers`."""

    url: str = ""
    answers: list[int] = attrs.Factory(list)
    got: list[tuple[bytes, str]] = attrs.Factory(list)
    changed: asyncio.Event = attrs.Factory(asyncio.Event)

    async def take(self, request: web.Request) -> web.Response:
        self.got.append((await request.read(), request.headers["Stripe-Signature"]))
        self.changed.set()
        return web.Response(status=self.answers.pop(0) if self.answers else 200)

    async def until(self, done: Callable[["Receiver"], bool]) -> list[dict[str, Any]]:
        """Wait for it, and return the events so far."""
        async with asyncio.timeout(10):
            while not done(self):
                self.changed.clear()
                await self.changed.wait()
        return [orjson.loads(body) for body, _ in self.got]


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    receiver = Receiver()
    app = web.Application()
    app.router.add_post("/hook", receiver.take)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    host, port = runner.addresses[0][:2]
    receiver.url = f"http://{host}:{port}/hook"
    yield receiver
    await runner.cleanup()


async def refresh(sandbox: Sandbox, *positions: int) -> list[str]:
    """Refresh the balances of accounts, counted from the newest."""
    headers = {"Authorization": f"Bearer {sandbox.api_key}"}
    async with aiohttp.ClientSession(sandbox.url, headers=headers) as session:
        async with session.get(ACCOUNTS, params={"limit": "100"}) as answer:
            ids = [item["id"] for item in (await answer.json())["data"]]
        for position in positions:
            path = f"{ACCOUNTS}/{ids[position]}/refresh"
            async with session.post(path, data={"features[]": "balance"}) as answer:
                assert answer.status == 200
        return [ids[position] for position in positions]


async def test_a_settled_refresh_is_announced_and_signed(receiver: Receiver) -> None:
    """The event comes when the bank has answered, signed over its very bytes."""
    async with Sandbox(varied=False, webhook_url=receiver.url, settle_seconds=3600) as sandbox:
        (account,) = await refresh(sandbox, 0)
        assert receiver.got == []
        sandbox.advance(3600)
        (event,) = await receiver.until(lambda receiver: bool(receiver.got))
        body, sent = receiver.got[0]
        timestamp = int(sent.partition(",")[0].removeprefix("t="))

    assert sent == header(body, sandbox.webhook_secret, timestamp)
    assert event["object"] == "event"
    assert event["type"] == "financial_connections.account.refreshed_balance"
    assert event["data"]["object"]["id"] == account
    assert event["data"]["object"]["balance_refresh"]["status"] == "succeeded"


async def test_an_event_arrives_when_its_clock_was_moved_from_outside(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A sandbox notices by itself that the clock passed to it was moved."""
    monkeypatch.setattr(deliveries, "_LONGEST_NAP", 0.01)
    clock = FakeClock(paced_by=lambda: 0.0)
    async with Sandbox(
        varied=False, webhook_url=receiver.url, settle_seconds=3600, clock=clock
    ) as sandbox:
        await refresh(sandbox, 0)
        clock.advance(3600.0)

        assert len(await receiver.until(lambda receiver: bool(receiver.got))) == 1


async def test_an_event_is_sent_until_it_is_taken(receiver: Receiver) -> None:
    """Anything but a 2xx is tried again with the same event, up to five times."""
    receiver.answers = [500, 302, 429]
    async with Sandbox(varied=False, webhook_url=receiver.url, clock=FakeClock()) as sandbox:
        await refresh(sandbox, 0)
        events = await receiver.until(lambda receiver: len(receiver.got) == 4)
        while not sandbox.deliveries or not sandbox.deliveries[-1]["delivered"]:
            await asyncio.sleep(0.005)
        deliveries = sandbox.deliveries

    assert len({event["id"] for event in events}) == 1
    assert [row["status"] for row in deliveries] == [500, 302, 429, 200]
    assert [row["attempt"] for row in deliveries] == [1, 2, 3, 4]


async def test_an_endpoint_that_is_down_is_given_up() -> None:
    """After five attempts the event is lost, and the list of deliveries says so."""
    async with Sandbox(
        varied=False, webhook_url="http://127.0.0.1:9/hook", clock=FakeClock()
    ) as sandbox:
        await refresh(sandbox, 0)
        while len(sandbox.deliveries) < 5:
            await asyncio.sleep(0.005)
        await asyncio.sleep(0.02)
        rows = sandbox.deliveries

    assert [(row["delivered"], row["status"]) for row in rows] == [(False, None)] * 5


async def test_events_can_arrive_twice(receiver: Receiver) -> None:
    """A duplicate has the id of the first: a handler can recognise it."""
    async with Sandbox(
        varied=False, webhook_url=receiver.url, webhook_duplicates=1.0, clock=FakeClock()
    ) as sandbox:
        await refresh(sandbox, 0, 1)
        events = await receiver.until(lambda receiver: len(receiver.got) == 4)

    assert len({event["id"] for event in events}) == 2


async def test_events_can_overtake_each_other(
    receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With reordering, the order of arrival is not that of `created`."""
    monkeypatch.setattr(deliveries, "_LONGEST_NAP", 0.01)
    clock = FakeClock(paced_by=lambda: 0.0)
    async with Sandbox(
        varied=False,
        webhook_url=receiver.url,
        webhook_reordering=0.5,
        settle_seconds=10,
        clock=clock,
    ) as sandbox:
        await refresh(sandbox, *range(12))
        clock.advance(12.0)
        events = await receiver.until(lambda receiver: len(receiver.got) == 12)

    created = [event["created"] for event in events]
    assert created != sorted(created)


def test_an_event_that_is_late_comes_after_younger_ones() -> None:
    """A detour delays one event, and no other waits for it."""
    outbox, world = Outbox(), World(Settings())
    state = world.store.state(0, 10.0)
    older = Happened(1, Emit("created", 0, 10.0), state)
    younger = Happened(2, Emit("created", 1, 11.0), state)
    outbox.put(world, older, late=2.0)
    outbox.put(world, younger)

    assert outbox.wait(9.0) == 2.0
    assert outbox.take(11.0) == [(world, younger)]
    assert outbox.take(12.0) == [(world, older)]


async def test_a_reset_calls_back_what_was_not_due(receiver: Receiver) -> None:
    """Events of a world that has ended never arrive."""
    async with Sandbox(varied=False, webhook_url=receiver.url, settle_seconds=100) as sandbox:
        await refresh(sandbox, 0)
        old = sandbox.world
        sandbox.reset()
        await refresh(sandbox, 1)
        old.advance(1000)
        sandbox.advance(1000)
        events = await receiver.until(lambda receiver: bool(receiver.got))

    assert len(events) == 1


async def test_linking_is_announced(receiver: Receiver) -> None:
    """A linked account is created, and what was prefetched arrives with it."""
    async with Sandbox(webhook_url=receiver.url, clock=FakeClock()) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        form = {
            "account_holder[type]": "customer",
            "account_holder[customer]": "cus_1",
            "permissions[]": "balances",
            "prefetch[]": "balances",
        }
        async with (
            aiohttp.ClientSession(sandbox.url, headers=headers) as session,
            session.post(SESSIONS, data=form) as answer,
        ):
            secret = (await answer.json())["client_secret"]
        (linked,) = sandbox.link(secret)
        sandbox.deactivate(linked)
        events = await receiver.until(lambda receiver: len(receiver.got) == 3)

    assert {event["type"].rsplit(".")[-1] for event in events} == {
        "created",
        "deactivated",
        "refreshed_balance",
    }


async def test_a_delivered_event_is_no_longer_pending(receiver: Receiver) -> None:
    """`GET /v1/events` says of each event whether the endpoint has taken it."""
    receiver.answers = [500, 500]
    async with Sandbox(varied=False, webhook_url=receiver.url, clock=FakeClock()) as sandbox:
        await refresh(sandbox, 0)
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        async with aiohttp.ClientSession(sandbox.url, headers=headers) as session:

            async def listed(**params: str) -> list[Any]:
                async with session.get("/v1/events", params=params) as answer:
                    data: list[Any] = (await answer.json())["data"]
                    return data

            (sent, *_) = await receiver.until(lambda receiver: bool(receiver.got))
            (event,) = await listed(delivery_success="false")
            assert (event["id"], event["pending_webhooks"]) == (sent["id"], 1)
            assert event["data"] == sent["data"]
            await receiver.until(lambda receiver: len(receiver.got) == 3)
            async with asyncio.timeout(10):
                while await listed(delivery_success="false"):
                    await asyncio.sleep(0.005)
            (event,) = await listed(delivery_success="true")
            assert event["pending_webhooks"] == 0


async def test_thin_events_are_delivered_when_the_endpoint_wants_them(receiver: Receiver) -> None:
    """They are signed alike, and name the account without holding it."""
    async with Sandbox(
        varied=False, webhook_url=receiver.url, webhook_thin=True, clock=FakeClock()
    ) as sandbox:
        (account,) = await refresh(sandbox, 0)
        events = await receiver.until(lambda receiver: len(receiver.got) == 2)
        body, signature = receiver.got[0]
        assert construct_event(body, signature, sandbox.webhook_secret, tolerance=1e9).id

    kinds = {event["type"].rpartition(".")[2] for event in events}
    assert kinds == {"refreshed_balance", "balance_refresh_succeeded"}
    assert {event["object"] for event in events} == {"v2.core.event"}
    assert {event["related_object"]["id"] for event in events} == {account}


async def test_what_has_no_thin_event_is_not_pending(receiver: Receiver) -> None:
    """An endpoint for thin events waits for nothing else."""
    async with Sandbox(
        varied=False, webhook_url=receiver.url, webhook_thin=True, clock=FakeClock()
    ) as sandbox:
        (account,) = await refresh(sandbox, 0)
        sandbox.scenario(account, "authorization_upcoming_deactivation")
        await receiver.until(lambda receiver: len(receiver.got) == 2)
        log = sandbox.world.store.log
        async with asyncio.timeout(10):
            while log.undelivered or log.count < 2:
                await asyncio.sleep(0.005)


async def test_a_restarted_sandbox_delivers_what_is_due(receiver: Receiver) -> None:
    """Stopping loses no event that was still to come."""
    sandbox = Sandbox(varied=False, webhook_url=receiver.url, settle_seconds=3600)
    async with sandbox:
        await refresh(sandbox, 0)
    async with sandbox:
        sandbox.advance(3600)
        assert len(await receiver.until(lambda receiver: bool(receiver.got))) == 1
