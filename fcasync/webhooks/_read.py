"""From the bytes of a message to the event in it."""

from collections.abc import Mapping
from typing import Any, Final, cast

from fcasync._rules.parse import parse
from fcasync.errors import InvalidArgumentError, ProtocolError, WebhookPayloadError
from fcasync.models._convert import decoder
from fcasync.models.event import Event
from fcasync.models.thin_event import AnyEvent, ThinEvent

_ENVELOPES: Final = ("detail", "Body", "body", "Message")
"""Where EventBridge, SQS (its API and its Lambda records) and SNS put what they carry."""
_EVENTS: Final[Mapping[str, Any]] = {"event": Event, "v2.core.event": ThinEvent}
"""The class of an event by its ``object``."""
_DEEPEST: Final = 3
"""An event by EventBridge, SNS and SQS, the most that is seen."""


def parse_event(payload: bytes | bytearray | memoryview | str | Mapping[str, Any]) -> AnyEvent:
    """Return the event in a message whose channel vouches for it, such as EventBridge or SQS.

    Nothing is verified: never pass it what came from the open internet, for which there is
    :func:`construct_event`.

    Args:
        payload: The event, or the envelope of EventBridge, SNS or SQS around it; as JSON or parsed.

    Raises:
        InvalidArgumentError: It is neither text, bytes nor a mapping.
        WebhookPayloadError: There is no event in it.
    """
    value: object = payload
    for _ in range(_DEEPEST + 1):
        if isinstance(value, bytes | bytearray | memoryview | str):
            value = _loads(value)
        elif not isinstance(value, Mapping):
            break
        if isinstance(value, Mapping) and (name := _envelope(value)) is not None:
            value = value[name]
        else:
            return _decode(value)
    if value is payload:
        raise InvalidArgumentError(
            f"payload must be a message as JSON or parsed, not {type(payload).__name__}"
        )
    raise WebhookPayloadError("webhook is not an event: its envelope does not hold one")


def read(body: bytes) -> AnyEvent:
    """Return the event in *body*.

    Raises:
        WebhookPayloadError: *body* is not an event.
    """
    return _decode(_loads(body))


def _envelope(value: Mapping[str, Any]) -> str | None:
    if _class(value) is not None or {"type", "id", "data"} <= value.keys():
        return None
    return next((name for name in _ENVELOPES if name in value), None)


def _class(value: Mapping[str, Any]) -> Any:
    """Return the class of the event that *value* says it is, or None if it says nothing of it."""
    kind = value.get("object")
    return _EVENTS.get(kind) if isinstance(kind, str) else None


def _loads(body: bytes | bytearray | memoryview | str) -> object:
    try:
        return parse(body.encode() if isinstance(body, str) else bytes(body))
    except ValueError as error:
        sentence = f"webhook is not JSON: {error}"  # the error itself holds the whole body
    raise WebhookPayloadError(sentence)


def _decode(value: object) -> AnyEvent:
    cls = _class(value) if isinstance(value, Mapping) else None
    try:
        return cast(AnyEvent, decoder(cls or Event)(value))
    except ProtocolError as error:
        raise WebhookPayloadError(f"webhook is not an event: {error}") from error
