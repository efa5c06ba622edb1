"""Events that come by a channel which vouches for them."""

import json
from typing import Any

import pytest

from fcasync import Account, Event, InvalidArgumentError, WebhookPayloadError, to_dict
from fcasync.testing import make_event
from fcasync.webhooks import construct_event, parse_event, sign

EVENT: dict[str, Any] = json.loads(
    json.dumps(to_dict(make_event("financial_connections.account.refreshed_balance")))
)
TEXT = json.dumps(EVENT)
BRIDGE = {"version": "0", "detail-type": EVENT["type"], "source": "aws.partner/stripe.com/x"}


@pytest.mark.parametrize(
    "message",
    [
        EVENT,
        TEXT,
        TEXT.encode(),
        {**BRIDGE, "detail": EVENT},
        json.dumps({**BRIDGE, "detail": EVENT}),
        {"MessageId": "1", "Body": TEXT},
        {"messageId": "1", "body": json.dumps({**BRIDGE, "detail": EVENT})},
        {"Body": json.dumps({"Type": "Notification", "Message": TEXT})},
        {"Body": json.dumps({"Message": json.dumps({**BRIDGE, "detail": EVENT})})},
    ],
)
def test_the_event_is_found_in_its_envelope(message: Any) -> None:
    """Of EventBridge, SNS, SQS, and of one in another."""
    event = parse_event(message)
    assert to_dict(event) == EVENT
    assert isinstance(event, Event)
    assert isinstance(event.data.object, Account)


@pytest.mark.parametrize("encode", [str, str.encode], ids=["text", "bytes"])
def test_half_a_surrogate_pair_refuses_no_event(encode: Any) -> None:
    """A bank's text that was cut in the middle of an emoji is still JSON."""
    account = {**EVENT["data"]["object"], "display_name": "Joint \ud83d"}
    message = json.dumps({**EVENT, "data": {"object": account}})
    event = parse_event(encode(message))
    assert isinstance(event, Event)
    assert isinstance(event.data.object, Account)
    assert event.data.object.display_name == "Joint \ud83d"
    header = sign(message, "whsec_test_secret")
    assert construct_event(encode(message), header, "whsec_test_secret") == event


@pytest.mark.parametrize(
    "message",
    [
        "",
        "[]",
        "nonsense",
        {},
        {"detail": None},
        {"Body": "nonsense"},
        {"Body": json.dumps({"Body": json.dumps({"Body": json.dumps({"Body": TEXT})})})},
        "7",
    ],
)
def test_what_holds_no_event_is_refused(message: Any) -> None:
    """Without the message in the error."""
    with pytest.raises(WebhookPayloadError) as caught:
        parse_event(message)
    assert "nonsense" not in str(caught.value)


@pytest.mark.parametrize("message", [None, 7, [EVENT]])
def test_what_is_not_a_message_is_refused(message: Any) -> None:
    """A list of records is not one of them."""
    with pytest.raises(InvalidArgumentError, match="payload"):
        parse_event(message)
