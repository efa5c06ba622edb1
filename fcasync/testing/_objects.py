"""Stripe's objects with every field filled in, for tests that are about a few fields."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, TypeVar

import attrs
import orjson

from fcasync.models import (
    Account,
    AccountOwner,
    AccountOwnership,
    AnyEvent,
    Authorization,
    Event,
    EventType,
    Page,
    RelatedObject,
    Session,
    SnapshotEvent,
    ThinEvent,
    ThinEventName,
    ThinEventType,
    Transaction,
)
from fcasync.models._base import Model
from fcasync.models._convert import decoder, to_dict
from fcasync.models._rfc3339 import written
from fcasync.testing import _samples as samples
from fcasync.webhooks import sign

M = TypeVar("M", bound=Model)


def make_account(**fields: Any) -> Account:
    """Return an active checking account with a fresh balance.

    Args:
        fields: Fields to set to other values, as models and datetimes or in the shape of Stripe's
            JSON. ``extra`` holds fields that fcasync does not know.

    Raises:
        TypeError: The model has no such field.
        ProtocolError: A value does not fit its field.
    """
    made: Account = _make(Account, samples.account(), fields)
    return made


def make_authorization(**fields: Any) -> Authorization:
    """Return an active authorization; for *fields* see :func:`make_account`."""
    made: Authorization = _make(Authorization, samples.authorization(), fields)
    return made


def make_owner(**fields: Any) -> AccountOwner:
    """Return an owner of an account; for *fields* see :func:`make_account`."""
    made: AccountOwner = _make(AccountOwner, samples.owner(), fields)
    return made


def make_ownership(**fields: Any) -> AccountOwnership:
    """Return the ownership of an account; for *fields* see :func:`make_account`."""
    made: AccountOwnership = _make(AccountOwnership, samples.ownership(), fields)
    return made


def make_transaction(**fields: Any) -> Transaction:
    """Return a posted transaction of an account; for *fields* see :func:`make_account`."""
    made: Transaction = _make(Transaction, samples.transaction(), fields)
    return made


def make_session(**fields: Any) -> Session:
    """Return a session without linked accounts; for *fields* see :func:`make_account`."""
    made: Session = _make(Session, samples.session(), fields)
    return made


def make_event(
    type: EventType | str = EventType.ACCOUNT_REFRESHED_BALANCE,
    object: Model | Mapping[str, Any] | None = None,
    **fields: Any,
) -> SnapshotEvent:
    """Return the snapshot event that a webhook would deliver.

    Args:
        type: What happened.
        object: The object that it happened to; None makes one with :func:`make_account` or, for
            types about authorizations, with :func:`make_authorization`.
        fields: See :func:`make_account`.
    """
    usual = samples.authorization() if ".authorization." in type else samples.account()
    about = usual if object is None else _plain(object)
    body = {**samples.event(), "type": str(type), "data": {"object": about}}
    event: SnapshotEvent = _make(Event, body, fields)
    return event


def make_thin_event(
    type: ThinEventType | ThinEventName | str = ThinEventType.ACCOUNT_REFRESHED_BALANCE,
    related_object: RelatedObject | Mapping[str, Any] | None = None,
    **fields: Any,
) -> ThinEvent:
    """Return the thin event that a webhook would deliver.

    Args:
        type: What happened.
        related_object: The object that it happened to; None is the account of :func:`make_account`.
        fields: See :func:`make_account`; ``created`` may be RFC 3339 text.
    """
    about = samples.related_account() if related_object is None else _plain(related_object)
    body = {**samples.thin_event(), "type": str(type), "related_object": about}
    if isinstance(created := fields.get("created"), datetime):
        fields["created"] = written(created)
    event: ThinEvent = _make(ThinEvent, body, fields)
    return event


def make_page(
    items: Sequence[M] = (), *, has_more: bool = False, url: str = samples.ACCOUNTS
) -> Page[M]:
    """Return *items* as a page of a list."""
    return Page(data=list(items), has_more=has_more, url=url)


def signed_webhook(
    event: AnyEvent | Mapping[str, Any], secret: str, timestamp: int | None = None
) -> tuple[bytes, dict[str, str]]:
    """Return the body and the headers with which Stripe would deliver *event*.

    Args:
        event: An event from :func:`make_event` or :func:`make_thin_event`, or one in the shape of
            Stripe's JSON.
        secret: The endpoint's ``whsec_...`` secret.
        timestamp: When it is delivered, as a Unix time; None for now.
    """
    body = orjson.dumps(_plain(event))
    signature = sign(body, secret, timestamp)
    return body, {"Content-Type": "application/json", "Stripe-Signature": signature}


def _make(cls: Any, body: dict[str, Any], fields: Mapping[str, Any]) -> Any:
    changes = dict(fields)
    extra = changes.pop("extra", {})
    for name in changes:
        if name not in attrs.fields_dict(cls):
            raise TypeError(f"{cls.__name__} has no field {name!r}; pass extra={{{name!r}: ...}}")
    return decoder(cls)({**body, **_plain(changes), **extra})


def _plain(value: Any) -> Any:
    """Return *value* in the shape of Stripe's JSON."""
    if isinstance(value, Model):
        return to_dict(value)
    if isinstance(value, datetime):
        return int(value.timestamp())
    if isinstance(value, Mapping):
        return {name: _plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(each) for each in value]
    return value
