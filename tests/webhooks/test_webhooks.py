"""Webhooks: signatures, payloads and routing.

The golden signatures were computed by Stripe's own scheme: HMAC-SHA256, in hexadecimal, over
``b"{t}." + body`` with the whole secret as the key.
"""

import asyncio
import hashlib
import hmac
import json
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.errors import (
    EventInProgress,
    FCError,
    InvalidArgumentError,
    SignatureVerificationError,
    WebhookPayloadError,
)
from fcasync.models import Account, Authorization, Event, EventType
from fcasync.models._convert import to_dict
from fcasync.testing import FakeClock
from fcasync.webhooks import EventRouter, SeenEvents, construct_event, sign
from tests._paths import DATA
from tests.models.samples import account

SECRET = "whsec_test_secret"
NOW = 1_700_000_000
BODY = b'{"id":"evt_1","object":"event"}'
GOLDEN = {
    BODY: "0c8670ed117751cc551a20e35839447075c42800ea3cf3e8a2fbda99cd1e6edd",
    '{"name":"Zoë ☃"}'.encode(): "2c0c406c4e2a1090ee8e6ab84cc1d473d7dfe072ccd83b48df44f665178d7346",
}
BAD_INPUTS = DATA / "cases" / "bad_inputs.json"


def construct(
    payload: Any = BODY,
    header: Any = None,
    secret: Any = SECRET,
    *,
    now: float = NOW,
    tolerance: Any = 300,
) -> Any:
    """Construct an event at *now*; the default header is the right one for *payload*."""
    clock = FakeClock(now)
    signature = sign(payload, SECRET, NOW) if header is None else header
    return construct_event(payload, signature, secret, tolerance, clock=clock)


def envelope(kind: str | None, inside: Any, **more: Any) -> dict[str, Any]:
    return {"id": "evt_1", "object": "event", "type": kind, "data": {"object": inside}, **more}


def refused(*args: Any, match: str, **kwargs: Any) -> None:
    with pytest.raises(SignatureVerificationError, match=match) as caught:
        construct(*args, **kwargs)
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("payload", GOLDEN)
def test_sign_makes_the_golden_signatures(payload: bytes) -> None:
    """Signatures are Stripe's, bytes and text alike."""
    expected = f"t={NOW},v1={GOLDEN[payload]}"
    assert sign(payload, SECRET, NOW) == expected
    assert sign(payload.decode(), SECRET, NOW) == expected


@pytest.mark.parametrize("timestamp", [1_700_000_000.5, -1, True, "1700000000"])
def test_sign_refuses_an_invalid_time(timestamp: Any) -> None:
    """A time that no signature can hold is an error here, not a failure at the endpoint."""
    with pytest.raises(InvalidArgumentError, match="whole seconds"):
        sign(BODY, SECRET, timestamp)


@pytest.mark.parametrize("payload", [BODY, bytearray(BODY), memoryview(BODY), BODY.decode()])
def test_the_raw_body_may_have_any_type_of_a_framework(payload: Any) -> None:
    """Frameworks provide bodies as bytes, as text, or as a view."""
    assert construct(payload).id == "evt_1"


def test_a_signature_from_the_future_is_refused() -> None:
    """wh-future: the tolerance holds in both directions, even for a valid signature."""
    refused(now=NOW - 10 * 365 * 86400, match="ahead")
    refused(now=NOW - 301, match="dated 301 s ahead")
    assert construct(now=NOW - 300).id == "evt_1"


def test_an_old_signature_is_refused() -> None:
    """wh-old: a signature older than the tolerance is refused; one just as old is accepted."""
    refused(now=NOW + 301, match="dated 301 s ago by this machine's clock")
    assert construct(now=NOW + 300).id == "evt_1"
    assert construct(now=NOW + 301, tolerance=301).id == "evt_1"


def test_another_scheme_is_ignored() -> None:
    """wh-v0: a scheme other than v1 proves nothing."""
    refused(header=f"t={NOW},v0={GOLDEN[BODY]}", match="0 signatures of scheme v1")


def test_two_times_are_refused() -> None:
    """wh-two-t: two times are refused, whichever of them was signed."""
    for times in (f"t={NOW},t=1", f"t=1,t={NOW}", f"t={NOW},t={NOW}"):
        refused(header=f"{times},v1={GOLDEN[BODY]}", match="exactly one timestamp")


def test_a_signature_that_is_not_ascii_is_refused() -> None:
    """wh-nonascii: a signature that is not ASCII is a wrong signature, not a crash."""
    for signature in ("é", "\udce9", "\x00", ""):
        refused(header=f"t={NOW},v1={signature}", match="no signature matches")


def test_a_signature_covers_any_bytes() -> None:
    """wh-badutf8: the signature covers raw bytes, whatever they are."""
    refused(b"\xff\xfe", f"t={NOW},v1={GOLDEN[BODY]}", match="no signature matches")
    with pytest.raises(WebhookPayloadError, match="not JSON"):
        construct(b"\xff\xfe")


@pytest.mark.parametrize(
    "payload",
    [
        *(b"[1]", b"nope", b"", b"null", b'"x"', b"{}", b"\xef\xbb\xbf{}", b"[" * 200_000),
        *(b'{"id":1,"object":"event"}', b'{"id":"evt_1"}', b'{"id":NaN}'),
        *(b'{"id":"evt_1","object":"event","data":[]}', '{"id":"é"}'.encode("utf-16")),
    ],
    ids=lambda payload: repr(payload[:20]),
)
def test_a_signed_payload_must_be_an_event(payload: bytes) -> None:
    """wh-nonobject: a signed payload that is not an event has an error type of its own."""
    with pytest.raises(WebhookPayloadError, match="webhook is not"):
        construct(payload)


def test_oversized_webhooks_are_refused() -> None:
    """wh-10k: headers and bodies are capped before any signature is computed."""
    wrong = ",".join(["v1=" + "0" * 64] * 15)
    right = f"v1={GOLDEN[BODY]}"
    assert construct(header=f"t={NOW},{wrong},{right}").id == "evt_1"
    refused(header=f"t={NOW},{wrong},v1=0,{right}", match="17 signatures")
    refused(header=f"t={NOW},{wrong},{wrong},{right}", match="31 signatures")
    refused(header=f"t={NOW},{right}" + ",v1=0" * 10_000, match="longer than 4096")
    refused(header="t" * 1_000_000, match="longer than 4096")
    refused(b" " * (1024 * 1024 + 1), match="longer than 1048576 bytes")
    with pytest.raises(WebhookPayloadError):
        construct(b" " * (1024 * 1024))


@pytest.mark.parametrize("empty", ["", " ", "\n", None, 5, b"whsec_x", "whsec_x\n", "whsec_é"])
def test_an_invalid_secret_is_refused(empty: Any) -> None:
    """wh-empty-secret: an invalid secret is refused, alone and among valid ones."""
    for secret in (empty, [empty], [SECRET, empty], (empty, SECRET), []):
        with pytest.raises(InvalidArgumentError, match="secret") as caught:
            construct(secret=secret)
        assert SECRET not in str(caught.value)
    with pytest.raises(InvalidArgumentError, match="secret"):
        sign(BODY, empty, NOW)


def test_a_body_that_was_parsed_is_refused() -> None:
    """wh-reserialised: a parsed body is refused, and one serialised again does not match."""
    with pytest.raises(InvalidArgumentError, match="must be the raw body"):
        construct(json.loads(BODY), f"t={NOW},v1={GOLDEN[BODY]}")
    refused(json.dumps(json.loads(BODY)), f"t={NOW},v1={GOLDEN[BODY]}", match="pass the raw bytes")


async def test_a_repeated_event_is_dropped() -> None:
    """wh-replay: with a store of seen ids, a repeated event reaches no handler again."""
    events, got = EventRouter(seen=SeenEvents()), []

    @events.on("financial_connections.account.created")
    async def created(event: Event[Account]) -> None:
        got.append(event.id)

    body = orjson.dumps(envelope("financial_connections.account.created", account()))
    assert await events.dispatch(construct(body)) is True
    assert await events.dispatch(construct(body)) is False
    assert got == ["evt_1"]


def test_every_bad_webhook_has_its_test() -> None:
    """The docstring of a test begins with the id of the bad input that it covers."""
    rows = [row["id"] for row in json.loads(BAD_INPUTS.read_text())]
    webhooks = {row for row in rows if row.startswith("wh-")}
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    assert webhooks <= {str(test.__doc__).partition(":")[0] for test in tests}


@pytest.mark.parametrize(
    "header",
    [None, "", "t", f"t={NOW}", "v1=00", f"t=-1,v1={'0' * 64}"],
)
def test_an_incomplete_header_is_refused(header: Any) -> None:
    """A request without a complete signature did not come from Stripe."""
    with pytest.raises(SignatureVerificationError):
        construct_event(BODY, header, SECRET, clock=FakeClock(NOW))


@pytest.mark.parametrize("digits", [13, 40, 400])
def test_a_time_of_many_digits_is_none(digits: int) -> None:
    """Even when it is signed: no clock will ever show it, and no float can hold it."""
    timestamp = 10 ** (digits - 1)
    refused(header=sign(BODY, SECRET, timestamp), match="exactly one timestamp")


def test_a_rotated_secret_is_accepted() -> None:
    """While one secret replaces another, a signature by either is enough."""
    assert construct(secret=["whsec_new", SECRET]).id == "evt_1"
    assert construct(secret=(SECRET, "whsec_new")).id == "evt_1"
    refused(secret=["whsec_new", "whsec_other"], match="no signature matches")


@pytest.mark.parametrize("tolerance", [-1, float("nan"), float("inf"), None, "300"])
def test_an_infinite_tolerance_is_refused(tolerance: Any) -> None:
    """The check of the age cannot be turned off."""
    with pytest.raises(InvalidArgumentError, match="tolerance"):
        construct(tolerance=tolerance)


@given(st.binary(max_size=200), st.text(max_size=100))
def test_only_signed_bodies_pass(payload: bytes, header: str) -> None:
    """Any payload is refused with a typed error unless its signature matches."""
    with pytest.raises(FCError):
        construct_event(payload, header, SECRET, clock=FakeClock(NOW))


@given(st.binary(max_size=200), st.integers(0, 10**10), st.text("abcdef_", min_size=1))
def test_sign_is_the_published_scheme(payload: bytes, timestamp: int, secret: str) -> None:
    """The signature is the HMAC that Stripe documents, for any body, time and secret."""
    mac = hmac.new(secret.encode(), f"{timestamp}.".encode() + payload, hashlib.sha256)
    assert sign(payload, secret, timestamp) == f"t={timestamp},v1={mac.hexdigest()}"


@pytest.mark.parametrize("kind", EventType)
def test_known_events_hold_typed_objects(kind: EventType) -> None:
    """Each of the 14 event types carries an account or an authorization."""
    name = "authorization" if ".authorization." in kind else "account"
    inside = {"id": "x_1", "object": f"financial_connections.{name}"}
    event = construct(orjson.dumps(envelope(kind, inside)))
    assert event.type is kind
    assert type(event.data.object) is (Authorization if name == "authorization" else Account)
    assert to_dict(event) == envelope(kind, inside)


def test_a_complete_event_is_parsed() -> None:
    """The envelope has the account, the time and the request; an update has the old values."""
    whole = envelope(
        "financial_connections.account.account_numbers_updated",
        account(),
        account="acct_1",
        api_version="2026-09-30.endive",
        created=NOW,
        livemode=False,
        pending_webhooks=1,
        request={"id": "req_1", "idempotency_key": "key_1"},
    )
    whole["data"]["previous_attributes"] = {"account_numbers": None}
    event = construct(orjson.dumps(whole))
    assert event.request.idempotency_key == "key_1"
    assert event.created.timestamp() == NOW
    assert event.data.previous_attributes == {"account_numbers": None}
    assert to_dict(event) == whole


@pytest.mark.parametrize("kind", ["financial_connections.session.updated", "invoice.paid", None])
def test_unknown_events_hold_a_dict(kind: str | None) -> None:
    """An event type that Stripe adds later arrives as it was sent."""
    event = construct(orjson.dumps(envelope(kind, {"id": "in_1", "new": [1]})))
    assert event.type == kind
    assert event.data.object == {"id": "in_1", "new": [1]}


def test_an_unknown_event_may_have_no_data() -> None:
    """Only id and object are required of an event of an unknown type."""
    assert construct(BODY).data.object == {}


def test_a_known_event_without_its_object_is_refused() -> None:
    """A payload without the object that its type promises is not an event."""
    kind = "financial_connections.account.created"
    with pytest.raises(WebhookPayloadError, match=r"\$\.data: expected an object"):
        construct(orjson.dumps({"id": "evt_1", "object": "event", "type": kind}))
    with pytest.raises(WebhookPayloadError, match=r"\$\.data\.object\.object: expected"):
        construct(orjson.dumps(envelope(kind, {"id": "cus_1", "object": "customer"})))


def event_of(kind: str) -> Any:
    return construct(orjson.dumps(envelope(kind, account())))


async def test_events_reach_the_functions_of_their_type() -> None:
    """Functions run in the order of registration, and only for their types."""
    events, got = EventRouter(), []

    @events.on(EventType.ACCOUNT_CREATED, "financial_connections.account.deactivated")
    async def first(event: Event[Account]) -> None:
        got.append(("first", str(event.type).rpartition(".")[2]))

    @events.on("financial_connections.account.created")
    def second(event: Event[Account]) -> None:
        got.append(("second", "created"))

    assert await events.dispatch(event_of("financial_connections.account.created"))
    assert await events.dispatch(event_of("financial_connections.account.deactivated"))
    assert not await events.dispatch(event_of("financial_connections.account.reactivated"))
    assert got == [("first", "created"), ("second", "created"), ("first", "deactivated")]


@pytest.mark.parametrize("error", [ValueError("boom"), asyncio.CancelledError()])
async def test_an_event_whose_handler_failed_may_come_again(error: BaseException) -> None:
    """The error reaches the caller, and Stripe's next delivery does not count as a repeat."""
    errors = [error]
    events = EventRouter(seen=SeenEvents())

    @events.on("financial_connections.account.created")
    async def fails_once(event: Event[Account]) -> None:
        if errors:
            raise errors.pop()

    event = event_of("financial_connections.account.created")
    with pytest.raises(type(error)):
        await events.dispatch(event)
    assert await events.dispatch(event) is True
    assert await events.dispatch(event) is False


async def test_an_event_without_handlers_is_not_remembered() -> None:
    """A store holds only events that were handled."""
    seen = SeenEvents()
    await EventRouter(seen=seen).dispatch(event_of("financial_connections.account.created"))
    assert repr(seen) == "<SeenEvents 0 of 10000>"


async def test_an_empty_store_is_used() -> None:
    """A store with a length, which is false in the beginning, is used all the same."""

    class Counted(SeenEvents):
        def __len__(self) -> int:
            return len(self._ids)

    events, got = EventRouter(seen=Counted()), list[Any]()
    events.on("financial_connections.account.created")(got.append)
    event = event_of("financial_connections.account.created")
    assert [await events.dispatch(event), await events.dispatch(event)] == [True, False]
    assert got == [event]


async def test_the_oldest_seen_event_is_forgotten_first() -> None:
    """The store in memory does not grow without bound, and forgets none that is in progress."""
    seen = SeenEvents(size=2)
    claims = []
    for event_id in ("a", "b", "b", "c"):
        claims.append(await seen.claim(event_id))
        await seen.confirm(event_id)
    assert claims == [True, True, False, True]
    assert await seen.claim("a") is True
    assert await seen.claim("d") is True
    assert await seen.claim("e") is True
    with pytest.raises(EventInProgress):
        await seen.claim("a")
    assert repr(seen) == "<SeenEvents 3 of 2>"


@pytest.mark.parametrize("types", [(), ("",), (None,), (print,)])
def test_a_handler_names_its_events(types: Any) -> None:
    """`@events.on` without a type or without parentheses is refused immediately."""
    with pytest.raises(InvalidArgumentError, match="event types"):
        EventRouter().on(*types)


def test_a_router_shows_what_it_handles() -> None:
    """The repr names the event types that have functions."""
    events = EventRouter()
    names = [f"financial_connections.account.{verb}" for verb in ("created", "disconnected")]
    events.on(*reversed(names))(print)
    assert repr(events) == f"EventRouter(seen=None, _handlers=[{', '.join(names)}])"


def test_the_tolerance_is_five_minutes_unless_it_is_given() -> None:
    """As in Stripe's own libraries."""
    header = sign(BODY, SECRET, NOW)
    assert construct_event(BODY, header, SECRET, clock=FakeClock(NOW + 300)).id == "evt_1"
    with pytest.raises(SignatureVerificationError):
        construct_event(BODY, header, SECRET, clock=FakeClock(NOW + 301))


async def test_as_many_events_are_kept_as_there_is_room_for() -> None:
    """The oldest is forgotten when there is one more, and not before."""
    seen = SeenEvents(size=2)
    for event_id in ("a", "b"):
        assert await seen.claim(event_id)
        await seen.confirm(event_id)
    assert [await seen.claim(event_id) for event_id in ("a", "b")] == [False, False]
