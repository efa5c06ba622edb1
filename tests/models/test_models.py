"""The behaviour of models."""

import copy
import pickle
import pickletools
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync import models
from fcasync.models import (
    Account,
    AccountHolder,
    AccountOwnership,
    AccountStatus,
    Balance,
    ExpandedObject,
    Page,
    Permission,
    RefreshFeature,
    RefreshStatus,
    Session,
)
from fcasync.models._convert import decoder, to_dict
from tests.models.samples import account, account_page

CLASSES = [value for name in models.__all__ if attrs.has(value := getattr(models, name))]
ENUMS = [
    value
    for name in models.__all__
    if isinstance(value := getattr(models, name), type) and issubclass(value, StrEnum)
]


def test_a_full_account_matches_stripes_reference() -> None:
    """Fields have Stripe's names; instants, enums and parts are typed."""
    full = decoder(Account)(account())
    assert full.status is AccountStatus.ACTIVE
    assert full.created == datetime(2024, 12, 31, tzinfo=UTC)
    assert full.permissions == ["balances", "ownership", "payment_method", "transactions"]
    assert full.permissions[0] is Permission.BALANCES
    assert full.balance is not None
    assert full.balance.current == {"usd": 1_234_567_890}
    assert full.balance_refresh is not None
    assert full.balance_refresh.status is RefreshStatus.SUCCEEDED
    assert full.account_holder == AccountHolder(customer="cus_Example", type="customer")


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.__name__)
def test_models_cannot_be_changed(cls: Any) -> None:
    """Fields, even unknown ones, cannot be assigned or deleted."""
    model = cls.__new__(cls)
    for name in [*attrs.fields_dict(cls), "extra", "made_up"]:
        with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
            setattr(model, name, None)
        with pytest.raises((attrs.exceptions.FrozenInstanceError, AttributeError)):
            delattr(model, name)


def test_a_decoded_model_is_frozen_like_any_other() -> None:
    """A decoded model cannot be changed."""
    full = decoder(Account)(account())
    assert type(full) is Account
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        full.status = "inactive"  # type: ignore[misc]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        full.created = None  # type: ignore[misc]


def test_decoded_and_built_models_are_equal() -> None:
    """The origin of a model makes no difference."""
    json = {"id": "fca_1", "object": "financial_connections.account", "created": 0, "new": [1]}
    built = Account(id="fca_1", created=datetime(1970, 1, 1, tzinfo=UTC), extra={"new": [1]})
    assert decoder(Account)(json) == built
    assert decoder(Account)({**json, "new": [2]}) != built
    assert decoder(Account)({**json, "created": 1}) != built
    assert built != json


def test_models_with_an_id_can_be_dictionary_keys() -> None:
    """Equal accounts have equal hashes; models without an id cannot be hashed."""
    decode = decoder(Account)
    assert len({decode(account()), decode(account()), decode(account(id="fca_2"))}) == 2
    with pytest.raises(TypeError, match="Balance has no id"):
        hash(Balance())


@pytest.mark.parametrize("read_first", [True, False])
@pytest.mark.parametrize(
    "again",
    [copy.copy, copy.deepcopy, attrs.evolve, lambda page: pickle.loads(pickle.dumps(page))],
)
def test_models_copy_and_pickle(again: Any, read_first: bool) -> None:
    """A copy is equal to its original, whether or not its instants were read before."""
    page = decoder(Page[Account])(account_page({"x_new": {"a": [1]}}))
    if read_first:
        repr(page.data[0])
    assert again(page) == page
    assert to_dict(again(page.data[0])) == account(x_new={"a": [1]})


def test_a_pickle_holds_plain_values_and_public_classes() -> None:
    """A pickle can be read by later versions: it holds the class, names and values."""
    pickled = pickle.dumps(decoder(Account)(account()), protocol=2)
    globals_ = {str(arg) for op, arg, _ in pickletools.genops(pickled) if op.name == "GLOBAL"}
    assert not [name for name in globals_ if "Draft" in name or "_build" in name]


def test_instants_are_aware_and_in_utc() -> None:
    """Stripe's Unix seconds become aware UTC datetimes, which are created once."""
    created = decoder(Account)(account(created=1_700_000_000)).created
    assert created == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)
    assert created is not None
    assert created.utcoffset() == timedelta(0)
    page = decoder(Account)(account())
    assert page.created is page.created


@given(st.integers(-62_135_596_800, 253_402_300_799))
def test_instants_keep_every_second(seconds: int) -> None:
    """Any second from year 1 to 9999 can be converted to a datetime and back."""
    model = decoder(Account)(account(created=seconds))
    assert model.created is not None
    assert to_dict(model)["created"] == seconds


@pytest.mark.parametrize("enum", ENUMS, ids=lambda enum: enum.__name__)
def test_enums_equal_their_strings(enum: type[StrEnum]) -> None:
    """A member can be used as its string."""
    for member in enum:
        assert member == member.value == str(member) == f"{member}"


@given(st.text())
def test_enums_are_open(value: str) -> None:
    """A value that fcasync does not know stays readable and equals its string."""
    model = decoder(Account)(account(status=value, permissions=[value]))
    assert model.status == value
    assert model.permissions == [value]
    assert to_dict(model)["status"] == value


def test_an_account_may_be_pending() -> None:
    """Stripe's example of a refresh response has an account status that is not in the enum."""
    model = decoder(Account)(account(status="pending"))
    assert model.status == "pending"
    assert type(model.status) is str


@pytest.mark.parametrize(
    ("feature", "field"),
    [
        (RefreshFeature.BALANCE, "balance_refresh"),
        ("ownership", "ownership_refresh"),
        ("transactions", "transaction_refresh"),
    ],
)
def test_a_refresh_is_found_by_its_feature(feature: str, field: str) -> None:
    """`refresh_of` returns the latest refresh of a feature, or None if there was none."""
    full = decoder(Account)(account())
    assert full.refresh_of(feature) is getattr(full, field)
    assert full.refresh_of(feature) is not None
    assert Account(id="fca_1").refresh_of(feature) is None


def test_an_unknown_feature_has_no_refresh() -> None:
    """A feature that this version does not know is not an error."""
    assert decoder(Account)(account()).refresh_of("inferred_balances") is None


@pytest.mark.parametrize("missing", ["account_numbers", "balance", "status_details"])
def test_absent_and_null_are_both_none(missing: str) -> None:
    """An absent field reads like a null field."""
    json = account()
    json.pop(missing, None)
    absent, null = decoder(Account)(json), decoder(Account)(account(**{missing: None}))
    assert getattr(absent, missing) is None
    assert absent == null
    assert absent.extra == null.extra == {}


def test_unknown_fields_are_kept_and_cannot_be_changed() -> None:
    """`.extra` has the fields that this version does not know, unchanged, or is empty."""
    model = decoder(Account)(account(x_new={"a": None}))
    assert model.extra == {"x_new": {"a": None}}
    assert to_dict(model)["x_new"] == {"a": None}
    with pytest.raises(TypeError):
        model.extra["y"] = 1  # type: ignore[index]
    assert decoder(Account)(account()).extra == {}


def test_the_filters_of_the_previous_version_are_kept() -> None:
    """`filters.countries`, which became `country`, is not lost."""
    filters = {"countries": ["US"], "account_subcategories": None}
    json = {"id": "fcsess_1", "object": "financial_connections.session", "filters": filters}
    session = decoder(Session)(json)
    assert session.filters is not None
    assert session.filters.country is None
    assert session.filters.extra == {"countries": ["US"]}


def test_expandable_fields_hold_an_id_or_the_object() -> None:
    """`expand` replaces an id by the object."""
    owners = {"object": "list", "data": [], "has_more": False, "url": "/v1/owners"}
    ownership = {
        "id": "fcaowns_1",
        "object": "financial_connections.account_ownership",
        "owners": owners,
    }
    customer = {"id": "cus_1", "object": "customer", "email": "a@example.com"}
    json = account(ownership=ownership, account_holder={"customer": customer})
    model = decoder(Account)(json)
    assert isinstance(model.ownership, AccountOwnership)
    assert isinstance(model.ownership.owners, Page)
    assert model.account_holder is not None
    expanded = model.account_holder.customer
    assert isinstance(expanded, ExpandedObject)
    assert (expanded.id, expanded.object) == ("cus_1", "customer")
    assert expanded.extra == {"email": "a@example.com"}
    assert to_dict(model) == json
    assert decoder(Account)(account()).ownership == "fcaowns_Example"


@pytest.mark.parametrize(
    ("changes", "has_more", "cursor"),
    [([{}, {"id": "fca_2"}], True, "fca_2"), ([{}], False, None), ([], True, None)],
)
def test_a_page_knows_where_the_next_one_starts(
    changes: list[dict[str, Any]], has_more: bool, cursor: str | None
) -> None:
    """The cursor is the last item's id, or None if nothing follows."""
    page = decoder(Page[Account])(account_page(*changes, has_more=has_more))
    assert page.next_cursor == cursor


def test_a_page_without_has_more_is_the_last_one() -> None:
    """If `has_more` is absent or null, it is False."""
    for has_more in ({}, {"has_more": None}):
        page = decoder(Page[Account])({"object": "list", "data": [], **has_more})
        assert page.has_more is False
        assert page.url is None
        assert page.extra == {}


def test_an_unknown_field_does_not_hide_behind_an_absent_one() -> None:
    """Unknown fields are recognised by their names, not by their number."""
    page = decoder(Page[Account])({"object": "list", "data": [], "url": "/", "x_new": 1})
    assert page.extra == {"x_new": 1}


def test_a_page_is_its_items() -> None:
    """It can be counted, iterated and indexed, and an empty one is false."""
    page = decoder(Page[Account])(account_page({}))
    assert list(page) == page.data
    assert (len(page), page[0]) == (len(page.data), page.data[0])
    assert list(page[:1]) == page.data[:1]
    assert not decoder(Page[Account])({"object": "list", "data": []})
