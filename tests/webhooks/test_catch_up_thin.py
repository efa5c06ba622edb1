"""Catching up with thin events: once, in the order of creation, beside snapshot events."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import fcasync
from fcasync import Account, Client, FCError, InvalidArgumentError, ThinEvent
from fcasync.resources import _missed
from fcasync.sandbox import Sandbox
from fcasync.sandbox._bank.event_bodies import thin
from fcasync.testing import FakeClock, InstantTransport, answer, make_thin_event
from fcasync.webhooks import CatchUp, EventRouter, SeenEvents, parse_event
from tests.webhooks._missed import deactivate, now

GONE = "v1.financial_connections.account.deactivated"
SNAPSHOT = "financial_connections.account.deactivated"
HOUR = timedelta(hours=1)
START = datetime(2026, 11, 20, tzinfo=UTC)


def recording(*kinds: str, seen: Any = None) -> tuple[EventRouter, list[Any]]:
    events, got = EventRouter(seen or SeenEvents()), list[Any]()
    events.on(*kinds or (GONE,))(got.append)
    return events, got


def about(event: Any) -> str | None:
    if isinstance(event, ThinEvent):
        assert event.related_object is not None
        return event.related_object.id
    return str(event.data.object.id)


@pytest.mark.parametrize("count", [0, 1, 100, 101, 250])
async def test_missed_thin_events_are_handled_once_oldest_first(
    sandbox: Sandbox, client: Client, count: int
) -> None:
    """Over any number of pages; what happened before is left out."""
    deactivate(sandbox, 299)
    sandbox.advance(60)
    since = now(sandbox)
    sandbox.advance(60)
    ids = deactivate(sandbox, *range(count))
    events, got = recording()
    before = len(sandbox.ledger)

    assert await events.catch_up(client, since=since) == CatchUp(handled=count)

    assert [about(event) for event in got] == ids
    assert len(sandbox.ledger) - before == max(1, -(-count // 100))
    assert await events.catch_up(client, since=since) == CatchUp(repeated=count)
    assert len(got) == count


async def test_what_the_endpoint_got_is_not_handled_again(sandbox: Sandbox, client: Client) -> None:
    """The list has the ids that were delivered, so that one seen-store serves both."""
    since = now(sandbox) - HOUR
    ids = deactivate(sandbox, *range(5))
    sandbox.advance(1)
    store = sandbox.world.store
    store.settle(sandbox.now)
    events, got = recording()
    for happened in list(store.log.past.values())[:2]:
        for body in thin(store, happened):
            await events.dispatch(parse_event(body))
    assert await events.catch_up(client, since=since) == CatchUp(handled=3, repeated=2)
    assert [about(event) for event in got] == ids


async def test_both_kinds_come_in_the_order_of_creation(sandbox: Sandbox, client: Client) -> None:
    """A router with functions of both kinds reads both lists; neither waits for the other."""
    since = now(sandbox) - HOUR
    ids = []
    for index in range(4):
        ids += deactivate(sandbox, index)
        sandbox.advance(2)
    events, got = recording(GONE, SNAPSHOT)
    assert (await events.catch_up(client, since=since)).handled == 8
    assert [about(event) for event in got] == [each for each in ids for _ in range(2)]
    assert [isinstance(event, ThinEvent) for event in got] == [False, True] * 4


@pytest.mark.parametrize(
    ("kinds", "event_payload", "expected"),
    [
        ((GONE,), None, "thin"),
        ((SNAPSHOT,), None, "snapshot"),
        (("*",), None, "snapshot"),
        (("*",), "thin", "thin"),
        (("*",), "snapshot", "snapshot"),
        ((GONE, SNAPSHOT), "thin", "thin"),
        ((GONE, SNAPSHOT), "snapshot", "snapshot"),
    ],
)
async def test_only_the_list_that_is_wanted_is_read(
    sandbox: Sandbox, client: Client, kinds: Any, event_payload: Any, expected: str
) -> None:
    """Stripe lists both events of what happened: `*` must not be given each thing twice."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, 1, 2)
    events, got = recording(*kinds)
    report = await events.catch_up(client, since=since, event_payload=event_payload)
    assert report == CatchUp(handled=2)
    assert {isinstance(event, ThinEvent) for event in got} == {expected == "thin"}


@pytest.mark.parametrize(
    ("kinds", "event_payload", "words"),
    [
        ((GONE,), "snapshot", "no function is registered for snapshot events"),
        ((SNAPSHOT,), "thin", "no function is registered for thin events"),
        ((GONE,), "fat", "'snapshot', 'thin' or None"),
    ],
)
async def test_a_walk_that_could_find_nothing_is_refused(
    client: Client, kinds: Any, event_payload: Any, words: str
) -> None:
    """Its report of zero events would be taken for good news."""
    with pytest.raises(InvalidArgumentError, match=words):
        await recording(*kinds)[0].catch_up(
            client, since=datetime.now(UTC), event_payload=event_payload
        )


async def test_a_connected_account_is_asked_for_by_its_context(sandbox: Sandbox) -> None:
    """The v2 API takes Stripe-Context; the events name the tenant, so that it can be read there."""
    tenant = sandbox.connected("acct_1")
    since = now(sandbox) - HOUR
    theirs = tenant.world.store.account(3, tenant.now)["id"]
    tenant.scenario(theirs, "deactivated")
    events, got = recording()
    async with Client(sandbox.api_key, base_url=sandbox.url) as client:
        view = client.with_options(stripe_account="acct_1")
        assert (await events.catch_up(view, since=since)).handled == 1
        (event,) = got
        assert event.context == "acct_1"
        account = await client.events.fetch_related(event)
    assert isinstance(account, Account)
    assert account.status == "inactive"

    headers = list[Any]()
    body = fcasync.to_dict(make_thin_event(id="evt_9"))

    def serve(request: Any) -> Any:
        headers.append(request.headers)
        return answer({"data": [body], "next_page_url": None, "previous_page_url": None})

    async with Client(
        "sk_test_1", transport=InstantTransport(serve), stripe_account="acct_7"
    ) as client:
        event = (await client.events.list_thin())[0]
        await recording()[0].catch_up(client, since=since)
    assert event.context is None
    assert {each["Stripe-Context"] for each in headers} == {"acct_7"}
    assert all("Stripe-Account" not in each for each in headers)


async def test_an_answer_that_fails_ends_it(sandbox: Sandbox, client: Client) -> None:
    """With the error of the call; the next call goes on."""
    since = now(sandbox) - HOUR
    deactivate(sandbox, *range(3))
    events, got = recording()
    sandbox.add_faults(
        {"kind": "status", "status": 403, "operation": "list_thin_events", "times": 1}
    )
    with pytest.raises(FCError):
        await events.catch_up(client, since=since)
    assert (await events.catch_up(client, since=since)).handled == len(got) == 3


def listing(made: list[dict[str, Any]], limit: int, asked: list[int]) -> Callable[[Any], Any]:
    """Serve the v2 list of *made* in that very order, in pages named by a number."""

    def serve(request: Any) -> Any:
        query = {name: values[0] for name, values in parse_qs(request.query).items()}
        least = datetime.fromisoformat(query["created[gte]"])
        most = datetime.fromisoformat(query.get("created[lt]", "9999-01-01T00:00:00Z"))
        found = [each for each in made if least <= datetime.fromisoformat(each["created"]) < most]
        start = int(query.get("page", "0"))
        end = start + limit
        url = f"/v2/core/events?page={end}" if end < len(found) else None
        asked.append(len(found))
        return answer({"data": found[start:end], "next_page_url": url, "previous_page_url": None})

    return serve


@settings(
    max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    offsets=st.lists(st.integers(-5_000, 400_000), max_size=60),
    limit=st.integers(1, 7),
    most=st.integers(1, 12),
    seed=st.randoms(use_true_random=False),
)
async def test_any_order_of_the_list_gives_the_order_of_creation(
    monkeypatch: pytest.MonkeyPatch, offsets: list[int], limit: int, most: int, seed: Any
) -> None:
    """Stripe documents no order: windows of time are read instead, few events at a time."""
    monkeypatch.setattr(_missed, "MOST_HELD", most)
    made = [
        fcasync.to_dict(
            make_thin_event(
                id=f"evt_{n}", type=GONE, created=START + timedelta(milliseconds=offset)
            )
        )
        for n, offset in enumerate(offsets)
    ]
    seed.shuffle(made)
    events, got = recording()
    clock = FakeClock((START + timedelta(seconds=300)).timestamp())
    transport = InstantTransport(listing(made, limit, []))
    async with Client("sk_test_1", transport=transport, clock=clock) as client:
        report = await events.catch_up(client, since=START)
    expected = sorted(offset for offset in offsets if offset >= 0)
    assert [event.created for event in got] == [
        START + timedelta(milliseconds=offset) for offset in expected
    ]
    assert report == CatchUp(handled=len(expected))


async def test_a_long_outage_is_read_in_windows_that_fit() -> None:
    """Few events are held at a time, for little more than the requests of a plain walk."""
    made = [
        fcasync.to_dict(
            make_thin_event(id=f"evt_{n}", type=GONE, created=START + timedelta(seconds=n))
        )
        for n in range(20_000)
    ]
    asked: list[int] = []
    events, got = recording()
    clock = FakeClock((START + timedelta(seconds=20_000)).timestamp())
    transport = InstantTransport(listing(made, 100, asked))
    async with Client("sk_test_1", transport=transport, clock=clock) as client:
        await events.catch_up(client, since=START)
    assert [event.id for event in got] == [f"evt_{n}" for n in range(20_000)]
    assert len(asked) <= 1.5 * 20_000 / 100
