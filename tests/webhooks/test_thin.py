"""Thin events: verified, typed and routed like all others."""

import json
import time
from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync import EventType, RelatedObject, ThinEvent, ThinEventType, to_dict
from fcasync.errors import (
    InvalidArgumentError,
    SignatureVerificationError,
    WebhookPayloadError,
)
from fcasync.models._convert import decoder
from fcasync.testing import FakeClock, make_event, make_thin_event, signed_webhook
from fcasync.webhooks import EventRouter, SeenEvents, construct_event, parse_event, sign

SECRET = "whsec_test_secret"
NOW = 1_700_000_000
KIND = "v1.financial_connections.account.refreshed_balance"
RELATED = {
    "id": "fca_1",
    "type": "financial_connections.account",
    "url": "/v1/financial_connections/accounts/fca_1",
}


def body(**changes: Any) -> dict[str, Any]:
    """Return a thin event in the shape of Stripe's example."""
    return {
        "id": "evt_test_65QK",
        "object": "v2.core.event",
        "context": "acct_1",
        "created": "2026-11-20T06:20:52.246Z",
        "livemode": False,
        "reason": {
            "type": "request",
            "request": {"id": "req_1", "idempotency_key": "key-1"},
        },
        "related_object": RELATED,
        "snapshot_event": "evt_1",
        "type": KIND,
        **changes,
    }


def construct(payload: Any, header: str | None = None) -> Any:
    data = payload if isinstance(payload, bytes) else orjson.dumps(payload)
    return construct_event(data, header or sign(data, SECRET, NOW), SECRET, clock=FakeClock(NOW))


def test_a_thin_event_is_verified_and_typed() -> None:
    """Every field has its type, instants are aware, and unknown fields are kept."""
    event = construct(body(x_new={"a": 1}))
    assert isinstance(event, ThinEvent)
    assert event.type is ThinEventType.ACCOUNT_REFRESHED_BALANCE
    assert event.created == datetime(2026, 11, 20, 6, 20, 52, 246_000, tzinfo=UTC)
    assert (event.id, event.context, event.livemode) == ("evt_test_65QK", "acct_1", False)
    assert event.snapshot_event == "evt_1"
    assert event.reason is not None
    assert event.reason.request is not None
    assert event.reason.request.idempotency_key == "key-1"
    assert event.related_object == RelatedObject(
        id="fca_1", type=RELATED["type"], url=RELATED["url"]
    )
    assert event.extra == {"x_new": {"a": 1}}
    assert to_dict(event) == body(x_new={"a": 1})


def test_a_thin_event_passes_the_same_checks() -> None:
    """Another secret, an old signature and a changed body are refused as for snapshot events."""
    data = orjson.dumps(body())
    for header in (
        sign(data, "whsec_other", NOW),
        sign(data, SECRET, NOW - 301),
        sign(b"", SECRET),
    ):
        with pytest.raises(SignatureVerificationError):
            construct(data, header)


@pytest.mark.parametrize("size", [1024 * 1024 + 1, 3 * 1024 * 1024])
def test_a_huge_thin_event_is_refused(size: int) -> None:
    """Before anything is computed over it."""
    with pytest.raises(SignatureVerificationError, match="longer than"):
        construct(orjson.dumps(body(x="a" * size)))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"created": 1_700_000_000}, r"\$\.created: expected a date and time"),
        ({"created": "2026-11-20"}, r"\$\.created"),
        ({"created": "2026-11-20T06:20:52"}, r"\$\.created"),
        ({"created": "2026-02-30T06:20:52Z"}, r"\$\.created"),
        ({"created": "0001-01-01T00:00:00+01:00"}, r"\$\.created"),
        ({"id": None}, r"\$\.id"),
        ({"related_object": "fca_1"}, r"\$\.related_object"),
        ({"reason": {"request": []}}, r"\$\.reason\.request"),
        ({"context": {"a": 1}}, r"\$\.context"),
        ({"livemode": "no"}, r"\$\.livemode"),
    ],
)
def test_a_field_of_another_type_is_named(changes: dict[str, Any], words: str) -> None:
    """What does not fit is refused, with its path."""
    with pytest.raises(WebhookPayloadError, match=words):
        construct(body(**changes))


@pytest.mark.parametrize(
    "raw", [b"\xff\xfe", b'{"object": "v2.core.event"}', b"[]", b'{"object": []}']
)
def test_bytes_that_are_not_an_event_are_refused(raw: bytes) -> None:
    """Also when they are signed."""
    with pytest.raises(WebhookPayloadError):
        construct(raw)


@pytest.mark.parametrize("absent", ["context", "reason", "related_object", "snapshot_event"])
def test_what_may_be_absent_is_none(absent: str) -> None:
    """As Stripe documents it, and null means the same."""
    whole = body()
    del whole[absent]
    for payload in (whole, body(**{absent: None})):
        assert getattr(construct(payload), absent) is None


def test_an_unknown_type_stays_readable() -> None:
    """The words of a later version are kept as text, and what is about no id is decoded."""
    event = construct(
        body(
            type="v2.core.account.closed", related_object={"type": "balance", "url": "/v1/balance"}
        )
    )
    assert event.type == "v2.core.account.closed"
    assert event.related_object.id is None


@given(st.datetimes(timezones=st.just(UTC)))
def test_instants_keep_every_microsecond(instant: datetime) -> None:
    """RFC 3339 text comes back, with milliseconds where that is all there is."""
    text = instant.isoformat().replace("+00:00", "Z")
    event = decoder(ThinEvent)(body(created=text))
    assert event.created == instant
    assert decoder(ThinEvent)(to_dict(event)).created == instant


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("2026-11-20T07:20:52+01:00", 0.0),
        ("2026-11-20t06:20:52z", 0.0),
        ("2026-11-20T06:20:52.123456789Z", 0.123456),
        ("2026-11-19T22:20:52.5-08:00", 0.5),
    ],
)
def test_an_instant_may_have_any_offset_and_precision(text: str, seconds: float) -> None:
    """RFC 3339 has more forms than the one that Stripe uses."""
    base = datetime(2026, 11, 20, 6, 20, 52, tzinfo=UTC)
    event = decoder(ThinEvent)(body(created=text))
    assert event.created == base + timedelta(seconds=seconds)
    assert event.created.tzinfo is UTC


@pytest.mark.parametrize(
    "wrap",
    [
        lambda event: event,
        json.dumps,
        lambda event: {"version": "0", "id": "x", "detail-type": KIND, "detail": event},
        lambda event: {"Body": json.dumps({"Message": json.dumps(event)})},
    ],
)
def test_a_thin_event_is_found_in_its_envelope(wrap: Any) -> None:
    """EventBridge and SQS carry them too."""
    assert to_dict(parse_event(wrap(body()))) == body()


async def test_thin_events_are_routed_by_their_own_names() -> None:
    """A thin event and its snapshot event are two events; `*` takes both."""
    got: list[tuple[str, str]] = []
    router = EventRouter(SeenEvents())

    @router.on(ThinEventType.ACCOUNT_REFRESHED_BALANCE, "v1.financial_connections.account.created")
    async def thin(event: ThinEvent) -> None:
        got.append(("thin", event.id))

    @router.on(EventType.ACCOUNT_REFRESHED_BALANCE)
    async def snapshot(event: Any) -> None:
        got.append(("snapshot", event.id))

    @router.on("*")
    async def every(event: Any) -> None:
        got.append(("every", event.id))

    events = [
        make_thin_event(id="evt_t"),
        make_event(id="evt_s"),
        make_thin_event("v9.x", id="evt_x"),
    ]
    for event in [*events, events[0]]:
        await router.dispatch(event)
    assert got == [
        ("thin", "evt_t"),
        ("every", "evt_t"),
        ("snapshot", "evt_s"),
        ("every", "evt_s"),
        ("every", "evt_x"),
    ]


@pytest.mark.parametrize(
    "kind", ["v1.financial_connections.account.balance_refreshed", "v2.x", KIND + " "]
)
def test_an_unknown_thin_name_is_refused(kind: str) -> None:
    """A misspelt name would wait for ever."""
    with pytest.raises(InvalidArgumentError, match="not an event type"):
        EventRouter().on(kind)


@pytest.mark.parametrize("kind", [str(kind) for kind in ThinEventType])
def test_the_official_sdk_reads_the_same_bytes(kind: str) -> None:
    """Its own parser agrees about the signature and every field, for each type."""
    stripe = pytest.importorskip("stripe", reason="the official SDK is a development dependency")
    event = make_thin_event(
        kind,
        context="acct_1",
        reason={"type": "request", "request": {"id": "req_1", "idempotency_key": "k"}},
    )
    data, headers = signed_webhook(event, SECRET, int(time.time()))
    client = stripe.StripeClient("sk_test_1")
    theirs = client.parse_event_notification(data, headers["Stripe-Signature"], SECRET)
    ours = construct_event(data, headers["Stripe-Signature"], SECRET)

    assert isinstance(ours, ThinEvent)
    assert ours.related_object is not None
    assert ours == event
    assert type(theirs).__name__ != "UnknownEventNotification"
    assert (theirs.id, theirs.type, str(theirs.context)) == (ours.id, ours.type, ours.context)
    assert datetime.fromisoformat(theirs.created) == ours.created
    assert (theirs.related_object.id, theirs.related_object.url) == (
        ours.related_object.id,
        ours.related_object.url,
    )
    assert theirs.reason.request.idempotency_key == "k"
