"""Catching up: what an endpoint has missed is handled once, oldest first."""

import asyncio
from collections import Counter
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import fcasync
from fcasync import Account, Client, Event, EventType, FCError, InvalidArgumentError
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, InstantTransport, answer, make_event
from fcasync.webhooks import CatchUp, EventRouter, SeenEvents, SqliteSeenEvents
from tests.apps import _serving
from tests.webhooks._missed import deactivate, now

KIND = "financial_connections.account.disconnected"
HOUR = timedelta(hours=1)


def recording(seen: Any = None, *kinds: str) -> tuple[EventRouter, list[str]]:
    events, got = EventRouter(SeenEvents() if seen is None else seen), list[str]()

    @events.on(*kinds or (EventType.ACCOUNT_DEACTIVATED,))
    async def keep(event: Any) -> None:
        got.append(event.data.object.id)

    return events, got


@pytest.mark.parametrize("has_older", [False, True])
@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
async def test_what_was_missed_is_handled_oldest_first(
    sandbox: Sandbox, client: Client, count: int, has_older: bool
) -> None:
    """Whether or not there is an older event to start from, and over any number of pages."""
    if has_older:
        deactivate(sandbox, 299, 298)
    sandbox.advance(86_400)
    since = now(sandbox)
    sandbox.advance(60)
    ids = deactivate(sandbox, *range(count))
    events, got = recording()
    before = len(sandbox.ledger)

    report = await events.catch_up(client, since=since)

    assert got == ids
    assert report == CatchUp(handled=count)
    pages = max(1, -(-count // 100))
    # One look for an older event; without one, the walk to the oldest has to be made, too.
    looked = pages if has_older else 1 if pages == 1 else 2 * pages
    assert len(sandbox.ledger) - before <= 1 + looked
    assert await events.catch_up(client, since=since) == CatchUp(repeated=count)
    assert got == ids


async def test_only_what_somebody_handles_is_read(sandbox: Sandbox, client: Client) -> None:
    """The types of the router are those of the list; `*` reads everything."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, 1, 2)
    sandbox.scenario(sandbox.world.store.seed.account_ids.encode(3), "null_balance")
    for kinds, expected in (
        ((), 2),
        ((EventType.ACCOUNT_REFRESHED_BALANCE,), 1),
        (("financial_connections.account.created",), 0),
        (("*",), 3),
        (("*", "financial_connections.account.created"), 3),
    ):
        events, _ = recording(None, *kinds)
        assert (await events.catch_up(client, since=since)).handled == expected


async def test_two_at_once_handle_each_event_once(
    sandbox: Sandbox, client: Client, tmp_path: Path
) -> None:
    """Two processes with one durable seen-store, and webhooks that arrive meanwhile."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, *range(120))
    effects: Counter[str] = Counter()

    def router() -> EventRouter:
        events = EventRouter(SqliteSeenEvents(tmp_path / "seen.sqlite"))

        @events.on("*")
        async def effect(event: Any) -> None:
            await asyncio.sleep(0)
            effects[event.id] += 1

        return events

    live = router()

    async def webhooks() -> None:
        for event in await client.events.list(limit=50):
            try:
                await live.dispatch(event)
            except fcasync.EventInProgress:
                continue

    first, second, _ = await asyncio.gather(
        router().catch_up(client, since=since), router().catch_up(client, since=since), webhooks()
    )
    assert set(effects.values()) == {1}
    assert len(effects) == 120
    assert first.total == second.total == 120
    last = await router().catch_up(client, since=since)
    assert last == CatchUp(repeated=120)


async def test_events_that_happen_meanwhile_disturb_nothing(
    sandbox: Sandbox, client: Client
) -> None:
    """None is repeated or out of order; those after the last page are for the next call."""
    deactivate(sandbox, 299)
    sandbox.advance(100)
    since = now(sandbox)
    ids = deactivate(sandbox, *range(150))
    events, got = EventRouter(SeenEvents()), list[str]()
    more = iter(range(200, 290))

    @events.on("*")
    async def keep(event: Event[Account]) -> None:
        got.append(event.data.object.id)
        if len(got) % 10 == 0:
            ids.extend(deactivate(sandbox, next(more)))

    report = await events.catch_up(client, since=since)
    assert got == ids[: len(got)]
    assert report.handled == len(got) >= 150
    before = len(got)
    again = await events.catch_up(client, since=since)
    assert again.repeated == before
    assert got == ids[: len(got)]
    assert len(got) > before


async def test_an_event_that_fails_keeps_no_other_from_being_handled(
    sandbox: Sandbox, client: Client
) -> None:
    """The error says which; the next call tries it again, and handles nothing twice."""
    since = now(sandbox) - HOUR
    ids = deactivate(sandbox, *range(10))
    events, got = EventRouter(SeenEvents()), list[str]()
    failures = [RuntimeError("the database was away")]

    @events.on("*")
    async def keep(event: Event[Account]) -> None:
        if event.data.object.id == ids[4] and failures:
            raise failures.pop()
        got.append(event.data.object.id)

    with pytest.raises(ExceptionGroup, match="1 events failed, 9 were handled; the") as caught:
        await events.catch_up(client, since=since)
    (error,) = caught.value.exceptions
    assert str(error) == "the database was away"
    assert error.__notes__[0].startswith("while catching up: event evt_")
    assert got == ids[:4] + ids[5:]
    assert await events.catch_up(client, since=since) == CatchUp(handled=1, repeated=9)
    assert got == [*ids[:4], *ids[5:], ids[4]]


async def test_failures_are_not_lost_when_the_list_cannot_be_read_on(
    sandbox: Sandbox, client: Client
) -> None:
    """Both are raised: what the functions have raised, and what ended the walk."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, *range(150))
    events, failures = EventRouter(SeenEvents()), [RuntimeError("the database was away")]

    @events.on("*")
    async def fail_once(event: Event[Account]) -> None:
        if failures:
            sandbox.add_faults({"operation": "list_events", "kind": "status", "status": 403})
            raise failures.pop()

    with pytest.raises(ExceptionGroup, match="and the rest was left") as caught:
        await events.catch_up(client, since=since)
    first, last = caught.value.exceptions
    assert (type(first), type(last)) == (RuntimeError, fcasync.PermissionDeniedError)


async def test_functions_that_only_fail_are_not_called_for_every_event(
    sandbox: Sandbox, client: Client
) -> None:
    """After a hundred failures it stops: a database that is away is away for all."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, *range(120))
    events, called = EventRouter(SeenEvents()), list[str]()

    @events.on("*")
    async def fail(event: Event[Account]) -> None:
        called.append(event.id)
        raise RuntimeError("the database is away")

    with pytest.raises(ExceptionGroup, match="100 events failed, 0 were handled, and the rest"):
        await events.catch_up(client, since=since)
    assert len(called) == len(set(called)) == 100


async def test_an_event_that_is_being_handled_is_left_to_the_other(
    sandbox: Sandbox, client: Client
) -> None:
    """It is counted, and the walk goes on."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, *range(3))
    seen = SeenEvents()
    events, got = recording(seen)
    busy = (await client.events.list())[1].id
    assert await seen.claim(busy)
    assert await events.catch_up(client, since=since) == CatchUp(handled=2, in_progress=1)
    await seen.release(busy)
    assert await events.catch_up(client, since=since) == CatchUp(handled=1, repeated=2)
    assert len(got) == 3


async def test_cancelling_it_leaves_no_claim(sandbox: Sandbox, client: Client) -> None:
    """The event at which it was cancelled is handled by the next call."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, *range(3))
    events, entered = EventRouter(SeenEvents()), asyncio.Event()
    got: list[str] = []

    @events.on("*")
    async def keep(event: Event[Account]) -> None:
        if not entered.is_set():
            entered.set()
            await asyncio.Event().wait()
        got.append(event.id)

    task = asyncio.create_task(events.catch_up(client, since=since))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await events.catch_up(client, since=since) == CatchUp(handled=3)
    assert len(set(got)) == 3


async def test_an_oldest_page_that_has_expired_meanwhile_is_passed_over() -> None:
    """Stripe forgets events while the list is walked: the page behind the last one is empty."""
    events, got = recording(None, "*")
    newest = fcasync.to_dict(make_event(id="evt_1", created=500))

    def serve(request: Any) -> Any:
        if "created" in request.query or "starting_after" in request.query:
            return answer(page([], has_more=False))
        if "ending_before" in request.query:
            return answer(page([], has_more=False))
        return answer(page([newest], has_more=True))

    clock = FakeClock(1000.0)
    async with Client("sk_test_1", transport=InstantTransport(serve), clock=clock) as client:
        report = await events.catch_up(client, since=datetime.fromtimestamp(1, UTC))
    assert report == CatchUp(handled=1)
    assert len(got) == 1


async def test_a_connected_account_is_caught_up_by_a_view(sandbox: Sandbox) -> None:
    """Its events name it, as those of a webhook do, whether Stripe's list says so or not."""
    tenant = sandbox.connected("acct_1")
    since = now(sandbox) - HOUR
    theirs = tenant.world.store.account(3, tenant.now)["id"]
    tenant.scenario(theirs, "deactivated")
    accounts: list[tuple[str | None, str]] = []
    events = EventRouter(SeenEvents())

    @events.on("*")
    async def keep(event: Event[Account]) -> None:
        accounts.append((event.account, event.data.object.id))

    async with Client(sandbox.api_key, base_url=sandbox.url) as client:
        assert (await events.catch_up(client, since=since)).total == 0
        view = client.with_options(stripe_account="acct_1")
        assert (await events.catch_up(view, since=since)).handled == 1
    assert accounts == [("acct_1", theirs)]

    page = {"object": "list", "has_more": False, "data": [fcasync.to_dict(make_event(id="evt_9"))]}
    empty = {"object": "list", "has_more": False, "data": []}
    transport = InstantTransport(
        lambda request: answer(empty if "created" in request.query else page)
    )
    async with Client("sk_test_1", transport=transport, stripe_account="acct_7") as client:
        await events.catch_up(client, since=since)
    assert accounts[-1][0] == "acct_7"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"since": datetime(2026, 1, 1)}, "aware datetime"),
        ({"since": 1_700_000_000}, "aware datetime"),
        ({"since": "yesterday"}, "aware datetime"),
        ({"since": datetime.now(UTC) - timedelta(days=32)}, "32 days ago"),
        ({"client": None}, "must be a fcasync.Client"),
        ({"events": EventRouter()}, "needs a seen-store"),
        ({"events": EventRouter(SeenEvents())}, "no function is registered"),
    ],
)
async def test_bad_arguments_are_refused_before_any_io(change: dict[str, Any], words: str) -> None:
    """A walk without a seen-store would repeat every effect."""
    since = change.get("since", datetime.now(UTC))
    client = change.get("client", Client("sk_test_1", transport=InstantTransport(_no_request)))
    events = change.get("events", recording()[0])
    with pytest.raises(InvalidArgumentError, match=words):
        await events.catch_up(client, since=since)


def _no_request(request: Any) -> Any:
    raise AssertionError(request)


async def test_all_that_stripe_keeps_may_be_asked_for(client: Client) -> None:
    """Thirty days ago is not too long ago, though it was computed a moment earlier."""
    events, _ = recording()
    since = datetime.now(UTC) - timedelta(days=30)
    assert (await events.catch_up(client, since=since)).total == 0


async def test_an_answer_that_fails_ends_it(sandbox: Sandbox, client: Client) -> None:
    """With the error of the call; the next call goes on."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, *range(3))
    events, got = recording()
    sandbox.add_faults({"kind": "status", "status": 403, "operation": "list_events", "times": 1})
    with pytest.raises(FCError):
        await events.catch_up(client, since=since)
    assert (await events.catch_up(client, since=since)).handled == len(got) == 3


async def test_an_endpoint_that_was_down_misses_nothing(tmp_path: Path) -> None:
    """The whole story: deliveries fail, the service starts, and catches up."""
    listener = _serving.listening()
    port = listener.getsockname()[1]
    listener.close()
    clock = FakeClock(datetime.now(UTC).timestamp(), paced_by=lambda: 0.0)
    url = f"http://127.0.0.1:{port}/webhooks"
    async with Sandbox(varied=False, webhook_url=url, clock=clock) as sandbox:
        since = now(sandbox) - HOUR
        ids = deactivate(sandbox, *range(3))
        async with Client(sandbox.api_key, base_url=sandbox.url) as client:
            failed = await client.events.list(delivery_success=False)
            assert len(failed) == 3
            events, got = recording()
            report = await events.catch_up(client, since=since)
            assert (report.handled, got) == (3, ids)
            assert (await events.catch_up(client, since=since)).repeated == 3


@settings(max_examples=60, deadline=None)
@given(
    older=st.integers(0, 3),
    newer=st.integers(0, 12),
    size=st.integers(1, 5),
)
async def test_any_list_is_walked_from_its_oldest_event(older: int, newer: int, size: int) -> None:
    """Each event from the instant on once, in order, whatever the size of a page."""
    made = [fcasync.to_dict(make_event(id=f"evt_{n}", created=n)) for n in range(older + newer)]

    def serve(request: Any) -> Any:
        asked = dict(pair.split("=") for pair in request.query.split("&"))
        left = made[::-1]
        if "created[lt]" in asked:
            left = [each for each in left if each["created"] < int(asked["created[lt]"])]
        limit = min(size, int(asked["limit"]))
        if "ending_before" in asked:
            place = [each["id"] for each in left].index(asked["ending_before"])
            start = max(0, place - limit)
            return answer(page(left[start:place], start > 0))
        after = asked.get("starting_after")
        place = [each["id"] for each in left].index(after) + 1 if after else 0
        return answer(page(left[place : place + limit], len(left) > place + limit))

    events, got = EventRouter(SeenEvents()), list[str]()
    events.on("*")(lambda event: got.append(event.id))
    since = datetime.fromtimestamp(older, UTC)
    clock = FakeClock(1000.0)
    async with Client("sk_test_1", transport=InstantTransport(serve), clock=clock) as client:
        report = await events.catch_up(client, since=since)
    assert got == [f"evt_{n}" for n in range(older, older + newer)]
    assert report.handled == newer


def page(data: list[Any], has_more: bool) -> dict[str, Any]:
    return {"object": "list", "has_more": has_more, "data": data, "url": "/v1/events"}
