"""The models against the official SDK, which is newer than the published specification here."""

import importlib
import pkgutil
from typing import Any, get_args

import pytest

import fcasync
from fcasync import models, testing
from fcasync.models import EventName, EventType, ThinEventName, ThinEventType
from fcasync.models._kinds import hints

stripe = pytest.importorskip("stripe", reason="the official SDK is a development dependency")

from stripe._api_version import _ApiVersion  # noqa: E402
from stripe.v2.core import _event  # noqa: E402

of_the_pinned_version = pytest.mark.skipif(
    fcasync.API_VERSION != _ApiVersion.CURRENT,
    reason=f"the installed SDK speaks {_ApiVersion.CURRENT}, not {fcasync.API_VERSION}",
)
CLASSES = {
    stripe.financial_connections.Account: models.Account,
    stripe.financial_connections.Account.AccountHolder: models.AccountHolder,
    stripe.financial_connections.Account.AccountNumber: models.AccountNumberDetails,
    stripe.financial_connections.Account.Balance: models.Balance,
    stripe.financial_connections.Account.BalanceRefresh: models.BalanceRefresh,
    stripe.financial_connections.Account.OwnershipRefresh: models.OwnershipRefresh,
    stripe.financial_connections.Account.StatusDetails: models.StatusDetails,
    stripe.financial_connections.Account.StatusDetails.Active: models.ActiveStatusDetails,
    stripe.financial_connections.Account.TransactionRefresh: models.TransactionRefresh,
    stripe.financial_connections.AccountOwner: models.AccountOwner,
    stripe.financial_connections.AccountOwnership: models.AccountOwnership,
    stripe.financial_connections.Authorization: models.Authorization,
    stripe.financial_connections.Session: models.Session,
    stripe.financial_connections.Transaction: models.Transaction,
    stripe.Event: models.Event[Any],
    _event.Event: models.ThinEvent,
}


def fields(cls: Any) -> set[str]:
    return {
        name for name in cls.__annotations__ if not name.startswith("_") and name != "OBJECT_NAME"
    }


@of_the_pinned_version
@pytest.mark.parametrize("theirs", CLASSES, ids=lambda cls: cls.__qualname__)
def test_a_model_has_the_fields_of_the_official_class(theirs: Any) -> None:
    """Version 2026-10-28.endive changed no field of Financial Connections."""
    # The SDK declares only in its subclasses for each type what a thin event is about.
    theirs_alone = {"related_object"} if theirs is _event.Event else set()
    assert set(hints(CLASSES[theirs])) == fields(theirs) | theirs_alone


@of_the_pinned_version
def test_the_thin_types_are_those_of_the_official_sdk() -> None:
    """All 22, ten of which have no snapshot event."""
    names = [
        each.name
        for each in pkgutil.iter_modules(importlib.import_module("stripe.events").__path__)
    ]
    types = set()
    for name in names:
        if name.startswith("_v1_financial_connections_"):
            for value in vars(importlib.import_module(f"stripe.events.{name}")).values():
                kind = getattr(value, "LOOKUP_TYPE", "")
                types |= {kind} if kind.startswith("v1.financial_connections.") else set()

    assert {str(kind) for kind in ThinEventType} == types
    assert len(types) == 22
    snapshots = {f"v1.{kind}" for kind in EventType}
    assert len(types - snapshots) == 10
    assert all("_refresh_" in kind for kind in types - snapshots)


@pytest.mark.parametrize(
    ("enum", "literal"), [(EventType, EventName), (ThinEventType, ThinEventName)]
)
def test_editors_complete_every_type(enum: Any, literal: Any) -> None:
    """The literals are the values of the enums."""
    assert list(get_args(literal)) == [str(kind) for kind in enum]


@pytest.mark.parametrize("version", ["2026-10-28.endive", "2026-09-30.endive", "2026-07-29.dahlia"])
def test_events_of_earlier_versions_are_decoded(version: str) -> None:
    """An endpoint keeps the version with which it was made; its events mean the same."""
    event = testing.make_event(api_version=version)
    assert event.api_version == version
    assert isinstance(event.data.object, models.Account)
