"""``client.events``: what happened, and what it happened to."""

import inspect
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest

import fcasync
from fcasync import Account, Client, Event, EventType, InvalidArgumentError, ThinEvent
from fcasync.resources.events import Events
from fcasync.sandbox import Sandbox
from fcasync.testing import (
    FakeClock,
    ScriptedTransport,
    answer,
    make_event,
    make_thin_event,
)
from tests.models.samples import account

KEY = "sk_test_1234567890"
RELATED = {"id": "x_1", "type": "financial_connections.account", "url": "/v1/x"}
DISCONNECTED = "financial_connections.account.disconnected"


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=40, varied=False) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[Client]:
    async with Client(sandbox.api_key, base_url=sandbox.url) as client:
        yield client


async def disconnect(client: Client, count: int) -> list[str]:
    """Disconnect some accounts one after the other, and return their ids."""
    ids = [each.id for each in await client.accounts.list(limit=100) if each.status == "active"]
    for each in ids[:count]:
        await client.accounts.disconnect(each)
    return ids[:count]


def about(event: Any) -> str:
    assert isinstance(event.data.object, Account)
    return event.data.object.id


async def test_events_are_listed_and_retrieved(client: Client, sandbox: Sandbox) -> None:
    """Newest first, typed, with the object as it was; the filters are Stripe's."""
    ids = await disconnect(client, 5)
    sandbox.scenario((await client.accounts.list())[-1].id, "deactivated")
    page = await client.events.list()
    assert page[0].type is EventType.ACCOUNT_DEACTIVATED
    assert [about(event) for event in page[1:]] == ids[::-1]
    assert all(isinstance(event, Event) for event in page)
    assert page[1].created is not None
    assert page[1].created.tzinfo is UTC

    only = await client.events.list(types=[DISCONNECTED, EventType.ACCOUNT_CREATED], limit=3)
    assert [about(event) for event in only] == ids[:1:-1]
    assert only.has_more
    walked = [about(event) async for event in client.events.list(types=[DISCONNECTED], limit=2)]
    assert walked == ids[::-1]
    later = datetime.now(UTC) + timedelta(hours=1)
    assert not await client.events.list(created={"gte": later})
    assert len(await client.events.list(created={"lt": later}, delivery_success=True)) == 6
    assert not await client.events.list(delivery_success=False)

    event = await client.events.retrieve(page[1].id)
    assert event == page[1]
    raw = await client.events.with_raw_response.retrieve(event)
    assert raw.value == event
    assert raw.request_id is not None
    listed = await client.events.with_raw_response.list(limit=1)
    assert listed.value[0] == page[0]
    with pytest.raises(fcasync.NotFoundError):
        await client.events.retrieve("evt_unknown")


async def test_a_walk_is_not_disturbed_by_new_events(client: Client) -> None:
    """Events that happen meanwhile are before its first page; none is missed or repeated."""
    first = await disconnect(client, 8)
    seen = []
    async for event in client.events.list(limit=2):
        seen.append(about(event))
        if len(seen) % 3 == 0:
            await disconnect(client, 1)
    assert seen == first[::-1]


async def test_the_bytes_of_a_list_are_stripes() -> None:
    """`types[0]=`, `created[gte]=` and `delivery_success=` as the official SDK sends them."""
    page = {"object": "list", "data": [], "has_more": False, "url": "/v1/events"}
    transport = ScriptedTransport([answer(page)])
    async with Client(KEY, transport=transport) as client:
        await client.events.list(
            types=[DISCONNECTED],
            created={"gte": datetime(2026, 11, 1, tzinfo=UTC)},
            delivery_success=False,
            limit=5,
            extra_params={"x": "y"},
        )
    (request,) = transport.requests
    assert (request.operation.method, request.path) == ("GET", "/v1/events")
    assert sorted(request.query.split("&")) == [
        "created[gte]=1793491200",
        "delivery_success=false",
        "limit=5",
        f"types[0]={DISCONNECTED}",
        "x=y",
    ]


def test_the_parameters_are_those_of_the_official_sdk() -> None:
    """Each is an argument, but `type`, which `types` covers."""
    pytest.importorskip("stripe", reason="the official SDK is a development dependency")
    from stripe._request_options import RequestOptions
    from stripe.params._event_list_params import EventListParams

    ours = set(inspect.signature(Events.list).parameters)
    theirs = set(EventListParams.__annotations__) - set(RequestOptions.__annotations__)
    assert theirs - ours == {"type"}


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"types": []}, "types must hold at least one name"),
        ({"types": DISCONNECTED}, "types must be a list"),
        ({"types": [f"a.{number}" for number in range(21)]}, "at most 20 types of events, not 21"),
        ({"types": [7]}, "types must hold"),
        ({"delivery_success": "yes"}, "delivery_success must be True or False"),
        ({"created": datetime(2026, 1, 1)}, "without a time zone"),
        ({"limit": 101}, "limit must be"),
        ({"starting_after": "evt_1", "ending_before": "evt_2"}, "only one of"),
        ({"extra_params": {"types": ["x"]}}, "argument of the method itself"),
    ],
)
def test_bad_arguments_are_refused_before_any_io(arguments: dict[str, Any], words: str) -> None:
    """When the method is called, not when it is awaited."""
    client = Client(KEY, transport=ScriptedTransport([]))
    with pytest.raises(InvalidArgumentError, match=words):
        client.events.list(**arguments)
    with pytest.raises(TypeError, match="colour"):
        client.events.list(colour="red")  # type: ignore[call-arg]


async def test_the_object_of_a_thin_event_is_fetched(client: Client, sandbox: Sandbox) -> None:
    """As it is now, with what is asked for expanded, and as a whole response if wanted."""
    found = (await client.accounts.list())[0]
    event = make_thin_event(
        related_object={
            "id": found.id,
            "type": "financial_connections.account",
            "url": f"/v1/financial_connections/accounts/{found.id}",
        }
    )
    assert await client.events.fetch_related(event) == found
    raw = await client.events.with_raw_response.fetch_related(event)
    assert raw.value == found
    await client.accounts.disconnect(found)
    after = await client.events.fetch_related(event)
    assert isinstance(after, Account)
    assert after.status == "disconnected"
    assert [row["operation"] for row in sandbox.ledger].count("retrieve") == 3


async def test_the_object_is_read_for_the_tenant_of_the_event(sandbox: Sandbox) -> None:
    """The event's context goes before the client's own account, which a bare event gets."""
    tenant = sandbox.connected("acct_1")
    theirs = tenant.world.store.account(3, tenant.now)["id"]
    url = f"/v1/financial_connections/accounts/{theirs}"
    related = {"id": theirs, "type": "financial_connections.account", "url": url}
    event = make_thin_event(context="acct_1", related_object=related)
    async with Client(sandbox.api_key, base_url=sandbox.url, stripe_account="acct_2") as client:
        fetched = await client.events.fetch_related(event)
        assert isinstance(fetched, Account)
        assert fetched.id == theirs
        with pytest.raises(fcasync.NotFoundError):
            await client.events.fetch_related(make_thin_event(related_object=related))
        bare = client.with_options(stripe_account="acct_1").events
        assert await bare.fetch_related(make_thin_event(related_object=related)) == fetched


@pytest.mark.parametrize(
    ("kind", "body", "cls"),
    [
        ("financial_connections.account", account(id="x_1"), Account),
        (
            "financial_connections.authorization",
            {"id": "x_1", "object": "financial_connections.authorization"},
            fcasync.Authorization,
        ),
        (
            "financial_connections.session",
            {"id": "x_1", "object": "financial_connections.session"},
            fcasync.Session,
        ),
        ("customer", {"id": "x_1", "object": "customer", "email": None}, dict),
    ],
)
async def test_any_object_of_the_api_can_be_fetched(kind: str, body: Any, cls: Any) -> None:
    """As a model where there is one, as parsed JSON otherwise."""
    transport = ScriptedTransport([answer(body)])
    related = {"id": "x_1", "type": kind, "url": "/v1/things/x_1"}
    async with Client(KEY, transport=transport) as client:
        fetched = await client.events.fetch_related(
            make_thin_event(context="acct_9", related_object=related)
        )
    assert type(fetched) is cls
    (request,) = transport.requests
    assert request.headers["Stripe-Context"] == "acct_9"
    assert "Stripe-Account" not in request.headers


@pytest.mark.parametrize("kind", ["financial_connections.session", "customer"])
async def test_an_answer_about_another_object_is_refused(kind: str) -> None:
    """An event about one thing never brings another."""
    body = {"id": "x_2", "object": kind}
    related = {"id": "x_1", "type": kind, "url": "/v1/things/x_1"}
    async with Client(KEY, transport=ScriptedTransport([answer(body)])) as client:
        with pytest.raises(fcasync.ProtocolError, match="x_2"):
            await client.events.fetch_related(make_thin_event(related_object=related))


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/v1/accounts/x",
        "//evil.example/v1/x",
        "/v1/../v1/x",
        "/v1/x?expand[]=y",
        "/v1/x#y",
        "/v1/x\r\nHost: evil",
        "/admin",
        "",
    ],
)
async def test_an_event_cannot_lead_elsewhere(url: str) -> None:
    """Only a plain path of Stripe's API is asked for, whatever an event says."""
    client = Client(KEY, transport=ScriptedTransport([]))
    event = make_thin_event(related_object={"id": "x_1", "type": "customer", "url": url})
    with pytest.raises(InvalidArgumentError, match="path must begin"):
        await client.events.fetch_related(event)


@pytest.mark.parametrize(
    ("event", "words"),
    [
        (make_event(), "must be a ThinEvent, not Event"),
        ("evt_1", "must be a ThinEvent, not str"),
        (make_thin_event(related_object={}), "does not say which object"),
        (ThinEvent(id="evt_1"), "does not say which object"),
        (make_thin_event(context="a\nb"), "event.context must be printable"),
        (
            make_thin_event(
                related_object={
                    "id": "../x",
                    "type": "financial_connections.account",
                    "url": "/v1/x",
                }
            ),
            "account must be an id",
        ),
    ],
)
async def test_what_cannot_be_fetched_is_refused_before_any_io(event: Any, words: str) -> None:
    """With a sentence that says why."""
    client = Client(KEY, transport=ScriptedTransport([]))
    with pytest.raises(InvalidArgumentError, match=words):
        await client.events.fetch_related(event)


async def test_a_list_of_other_events_is_decoded() -> None:
    """An account has events of all its products; those hold a dict."""
    charge = {
        "id": "evt_2",
        "object": "event",
        "type": "charge.succeeded",
        "data": {"object": {"id": "ch_1"}},
    }
    ours = orjson.loads(orjson.dumps(fcasync.to_dict(make_event())))
    page = {"object": "list", "has_more": False, "data": [ours, charge, {**charge, "data": None}]}
    async with Client(KEY, transport=ScriptedTransport([answer(page)])) as client:
        events = await client.events.list()
    assert isinstance(events[0].data.object, Account)
    assert events[1].data.object == {"id": "ch_1"}
    assert events[2].data.object == {}


async def test_a_misfit_in_a_list_is_named_with_its_path() -> None:
    """The place in the page, and in the object of its event."""
    ours = fcasync.to_dict(make_event(object=account()))
    ours["data"]["object"]["created"] = "yesterday"
    page = {"object": "list", "has_more": False, "data": [fcasync.to_dict(make_event()), ours]}
    transport = ScriptedTransport([answer(page)])
    async with Client(KEY, transport=transport, clock=FakeClock()) as client:
        with pytest.raises(fcasync.ProtocolError, match=r"\$\.data\[1\]\.data\.object\.created"):
            await client.events.list()


async def test_thin_events_are_listed(client: Client, sandbox: Sandbox) -> None:
    """Typed, with Stripe's filters; pages are walked and resumed by their tokens."""
    ids = [sandbox.world.store.seed.account_ids.encode(index) for index in range(5)]
    for each in ids:
        sandbox.scenario(each, "deactivated")
    kind = "v1.financial_connections.account.deactivated"
    page = await client.events.list_thin(types=[kind], limit=2)
    assert [type(event) for event in page] == [ThinEvent, ThinEvent]
    assert page.has_more
    rest = client.events.list_thin(types=[kind], limit=2, page=page.next_cursor)
    whole = [*page, *await rest.collect()]
    assert [event.related_object and event.related_object.id for event in whole] == ids[::-1]
    assert await client.events.list_thin().collect(max_items=3) == whole[:3]

    later = datetime.now(UTC) + timedelta(hours=1)
    assert not await client.events.list_thin(created={"gte": later})
    assert len(await client.events.list_thin(created={"gte": 0, "lt": later})) == 5
    assert list(await client.events.list_thin(object_id=ids[1])) == [whole[3]]
    raw = await client.events.with_raw_response.list_thin(limit=1)
    assert raw.value.data == whole[:1]

    sandbox.add_faults({"kind": "status", "status": 403, "operation": "list_thin_events"})
    walk = client.events.list_thin(page=page.next_cursor)
    with pytest.raises(fcasync.PermissionDeniedError) as caught:
        await walk.collect()
    assert caught.value.cursor == page.next_cursor


async def test_a_thin_event_is_retrieved_by_its_id(client: Client, sandbox: Sandbox) -> None:
    """Or by itself; an answer about another event is not taken for it."""
    sandbox.scenario(sandbox.world.store.seed.account_ids.encode(0), "deactivated")
    (event,) = await client.events.list_thin()
    assert await client.events.retrieve_thin(event.id) == event
    assert await client.events.retrieve_thin(event) == event
    raw = await client.events.with_raw_response.retrieve_thin(event.id)
    assert (raw.value, raw.attempts) == (event, 1)
    with pytest.raises(fcasync.NotFoundError, match="evt_none"):
        await client.events.retrieve_thin("evt_none")
    with pytest.raises(InvalidArgumentError, match="event must be an id"):
        await client.events.retrieve_thin("a b")

    transport = ScriptedTransport([answer(fcasync.to_dict(event))])
    async with Client(KEY, transport=transport, clock=FakeClock()) as other:
        with pytest.raises(fcasync.ProtocolError, match="not 'evt_other'"):
            await other.events.retrieve_thin("evt_other")


async def test_a_thin_event_is_retrieved_for_the_tenant_of_the_view() -> None:
    """By the header ``Stripe-Context``, which supersedes ``Stripe-Account`` in the v2 API."""
    event = {
        "id": "evt_1",
        "object": "v2.core.event",
        "type": "v1.financial_connections.account.created",
        "created": "2026-11-01T00:00:00Z",
    }
    transport = ScriptedTransport([answer(event)])
    async with Client(KEY, transport=transport, stripe_account="acct_1") as client:
        assert (await client.events.retrieve_thin("evt_1")).id == "evt_1"
    (request,) = transport.requests
    assert request.options.stripe_context == "acct_1"
    assert request.options.stripe_account is None


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"types": []}, "types"),
        ({"types": ["a"] * 21}, "at most 20"),
        ({"created": datetime.now(UTC)}, "created must be a range"),
        ({"created": {"gte": datetime(2026, 1, 1)}}, r"created\[gte\] must be an aware datetime"),
        ({"created": {"lt": 10**20}}, r"created\[lt\] must be"),
        ({"object_id": "a b"}, "object_id must be an id"),
        ({"page": ""}, "page must be"),
    ],
)
def test_a_list_of_thin_events_refuses_bad_arguments(arguments: dict[str, Any], words: str) -> None:
    """At once, before anything is sent."""
    client = Client(KEY, transport=ScriptedTransport([]))
    with pytest.raises(InvalidArgumentError, match=words):
        client.events.list_thin(**arguments)


def test_a_list_of_thin_events_has_no_ids_as_cursors() -> None:
    """Pages of the v2 API are named by tokens."""
    client: Any = Client(KEY, transport=ScriptedTransport([]))
    with pytest.raises(TypeError, match="starting_after"):
        client.events.list_thin(starting_after="evt_1")


@pytest.mark.parametrize("url", ["https://[", "/v2/core/events", "/v2/core/events?limit=3"])
async def test_a_next_page_without_a_name_ends_the_walk(url: str) -> None:
    """The URL itself is never followed, so that no answer can send the key elsewhere."""
    body: dict[str, Any] = {"data": [], "next_page_url": url, "previous_page_url": None}
    async with Client(KEY, transport=ScriptedTransport([answer(body)])) as client:
        with pytest.raises(fcasync.PaginationError, match="without a page"):
            await client.events.list_thin().collect()
