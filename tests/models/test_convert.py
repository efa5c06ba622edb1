"""Parsed JSON to models and back."""

import copy
import gc
import re
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, get_args, get_origin

import orjson
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from fcasync import models
from fcasync.bulk import Outcome, OutcomeStatus
from fcasync.errors import InvalidArgumentError, ProtocolError
from fcasync.models import (
    Account,
    AccountOwner,
    AccountOwnership,
    Authorization,
    Event,
    Page,
    Session,
    Transaction,
)
from fcasync.models._convert import decoder, to_dict
from tests.models.samples import account, account_page
from tests.models.strategies import anything, json_in, json_of, schemas

WHOLE = [
    Account,
    AccountOwner,
    AccountOwnership,
    Session,
    Transaction,
    Authorization,
    Page[Transaction],
    Event[Authorization],
]
BY_SCHEMA = {
    "financial_connections.account": Account,
    "financial_connections.account_owner": AccountOwner,
    "financial_connections.account_ownership": AccountOwnership,
    "financial_connections.session": Session,
    "financial_connections.transaction": Transaction,
    "token": models.BankAccountToken,
}
few = settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)


def same(left: Any, right: Any) -> bool:
    """Return whether JSON values are equal if null and a false `has_more` count as absent."""
    return bool(settled(left) == settled(right))


def settled(value: Any) -> Any:
    if isinstance(value, list):
        return [settled(inside) for inside in value]
    if not isinstance(value, dict):
        return value
    absent = {name for name in value if value[name] is None}
    absent |= {"has_more"} if value.get("has_more") is False else set()
    return {name: settled(value[name]) for name in value if name not in absent}


def name_of(cls: Any) -> str:
    return str(cls).rpartition(".")[2]


@pytest.mark.parametrize("cls", WHOLE, ids=name_of)
def test_decoding_can_be_reversed(cls: Any) -> None:
    """Decoding and `to_dict` return the original JSON, unknown fields included."""

    @few
    @given(json_of(cls))
    def check(value: dict[str, Any]) -> None:
        before = copy.deepcopy(value)
        model = decoder(cls)(value)
        assert same(to_dict(model), before)
        assert same(value, before)
        assert decoder(cls)(to_dict(model)) == model

    check()


@pytest.mark.parametrize(
    "wrong", [Outcome(account_id="fca_1", status=OutcomeStatus.FAILED), {"id": "fca_1"}]
)
def test_what_is_no_model_is_refused_with_what_has_columns(wrong: Any) -> None:
    """Outcomes and lists have methods of their own."""
    with pytest.raises(InvalidArgumentError, match="takes one model"):
        to_dict(wrong)


@pytest.mark.parametrize("name", BY_SCHEMA)
def test_decoding_any_valid_json_can_be_reversed(name: str) -> None:
    """For any JSON that fits Stripe's schemas, `to_dict` reverses decoding."""
    defs = schemas()

    @few
    @given(json_in(defs[name], defs))
    def check(value: dict[str, Any]) -> None:
        assert same(to_dict(decoder(BY_SCHEMA[name])(value)), value)

    check()


def places(value: Any) -> Iterator[Callable[[Any], None]]:
    """Yield, for each value inside *value*, a function that replaces it."""
    items = value.items() if isinstance(value, dict) else enumerate(value)
    for key, inside in list(items):
        yield partial(value.__setitem__, key)
        if isinstance(inside, dict | list):
            yield from places(inside)


@pytest.mark.parametrize("cls", [Account, Session, Page[Account]], ids=name_of)
def test_junk_is_kept_or_refused_with_its_path(cls: Any) -> None:
    """A model keeps any value that it accepts; a ProtocolError says where one is invalid."""

    @few
    @given(json_of(cls), anything | st.floats(), st.data())
    def check(value: dict[str, Any], junk: Any, data: st.DataObject) -> None:
        data.draw(st.sampled_from(list(places(value))))(junk)
        fault = None
        try:
            back = to_dict(decoder(cls)(value))
        except ProtocolError as error:
            fault = str(error)
        if fault is None:
            assume(junk == junk)  # a NaN in an unknown field equals nothing
            assert same(back, value)
        else:
            assert re.match(r"\$[.\[].*: expected ", fault)

    check()


FAULTS: dict[str, Any] = {
    "$: expected an object, not []": [],
    "$: expected an object, not null or absent": None,
    "$: expected an object, not 'x'": "x",
    "$.object: expected 'list', not null or absent": {"data": []},
    "$.data: expected a list, not null or absent": {"object": "list"},
    "$.data: expected a list, not an object": {"object": "list", "data": {"0": {}}},
    "$.has_more: expected true or false, not 'no'": account_page(has_more="no"),
    "$.data[0]: expected an object, not 7": {"object": "list", "data": [7]},
    "$.data[1].id: expected a string, not null or absent": account_page({}, {"id": None}),
    "$.data[0].object: expected 'financial_connections.account', not 'account'": account_page(
        {"object": "account"}
    ),
    "$.data[0].created: expected a Unix time, not 'abc'": account_page({"created": "abc"}),
    "$.data[0].created: expected a Unix time, not True": account_page({"created": True}),
    "$.data[0].created: expected a Unix time, not 1.5": account_page({"created": 1.5}),
    "$.data[0].created: expected a Unix time, not 253402300800": account_page(
        {"created": 253_402_300_800}
    ),
    "$.data[0].livemode: expected true or false, not 1": account_page({"livemode": 1}),
    "$.data[0].last4: expected a string, not 6789": account_page({"last4": 6789}),
    "$.data[0].status: expected a string, not an object": account_page({"status": {"a": 1}}),
    "$.data[0].permissions: expected a list, not 'balances'": account_page(
        {"permissions": "balances"}
    ),
    "$.data[0].permissions[1]: expected a string, not 3": account_page(
        {"permissions": ["balances", 3]}
    ),
    "$.data[0].ownership: expected an id or an object, not 5": account_page({"ownership": 5}),
    "$.data[0].ownership.id: expected a string, not null or absent": account_page(
        {"ownership": {"object": "financial_connections.account_ownership"}}
    ),
    "$.data[0].balance.current.usd: expected a whole number, not 1.5": account_page(
        {"balance": {"current": {"usd": 1.5}}}
    ),
    "$.data[0].account_numbers[0].expected_expiry_date: expected a Unix time, not ''": (
        account_page({"account_numbers": [{"expected_expiry_date": ""}]})
    ),
}


@pytest.mark.parametrize("message", FAULTS)
def test_a_fault_is_named_with_its_path(message: str) -> None:
    """An invalid value is refused with its path and the expected type."""
    with pytest.raises(ProtocolError) as caught:
        decoder(Page[Account])(FAULTS[message])
    assert str(caught.value) == message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_fault_never_shows_a_secret() -> None:
    """Keys are redacted in values that a message quotes."""
    with pytest.raises(ProtocolError) as caught:
        decoder(Account)(account(created="sk_live_0123456789abcdef"))
    assert "0123456789abcdef" not in str(caught.value)


def test_deep_json_is_not_a_recursion_error() -> None:
    """Decoding, repr and `to_dict` do not descend into unknown JSON."""
    deep = orjson.loads(b"[" * 1000 + b"]" * 1000)
    model = decoder(Account)(account(x_new=deep))
    assert to_dict(model)["x_new"] is deep
    assert "x_new" in repr(model)
    assert "x_new" in model._repr_html_()


@pytest.mark.parametrize("depth", [2, 1000])
def test_deep_junk_is_a_protocol_error(depth: int) -> None:
    """Deeply nested JSON instead of a string is refused like any other junk."""
    deep = orjson.loads(b"[" * depth + b"]" * depth)
    with pytest.raises(ProtocolError, match=r"\$\.last4: expected a string, not a list"):
        decoder(Account)(account(last4=deep))


def test_the_last_of_two_equal_keys_wins() -> None:
    """Duplicate keys are resolved as in every JSON parser."""
    raw = b'{"object":"financial_connections.account","id":"fca_1","id":"fca_2"}'
    assert decoder(Account)(orjson.loads(raw)).id == "fca_2"


def test_only_id_and_object_are_required() -> None:
    """An account may have just these two fields; the others are None."""
    bare = decoder(Account)({"id": "fca_1", "object": "financial_connections.account"})
    assert bare == Account(id="fca_1")
    assert to_dict(bare) == {"id": "fca_1", "object": "financial_connections.account"}


def test_decoders_are_made_once() -> None:
    """A second call for the same decoder is only a lookup."""
    assert decoder(Page[Account]) is decoder(Page[Account])


def test_the_type_of_an_event_decides_what_it_holds() -> None:
    """`decoder(Event)` puts the typed object inside."""
    envelope = {"id": "evt_1", "object": "event", "data": {"object": account()}}
    created = decoder(Event)({**envelope, "type": "financial_connections.account.created"})
    unknown = decoder(Event)({**envelope, "type": "invoice.paid"})
    untyped = decoder(Event)({**envelope, "type": ["?"]} | {"type": None})
    assert type(created.data.object) is Account
    assert unknown.data.object == untyped.data.object == account()


def test_enum_lists_are_not_shared_and_their_cache_is_bounded() -> None:
    """Each account has its own lists, and hostile values do not fill the cache."""
    decode = decoder(Account)
    first, second = (decode(account(permissions=["balances"])) for _ in range(2))
    assert first.permissions == second.permissions
    assert first.permissions is not second.permissions
    gc.collect()
    before = sys.getallocatedblocks()
    for number in range(2000):
        decode(account(permissions=[f"new_{number}"]))
    assert sys.getallocatedblocks() - before < 1500


def kept(make: Callable[[], Any]) -> int:
    """Return the bytes that stay allocated as long as the result of *make* lives."""
    make()
    gc.collect()
    tracemalloc.start()
    try:
        result = make()
        gc.collect()
        return tracemalloc.get_traced_memory()[0]
    finally:
        tracemalloc.stop()
        del result


def test_typed_accounts_take_less_memory_than_their_json() -> None:
    """A page of models takes at most two thirds of the memory of its parsed JSON."""
    raw = orjson.dumps(account_page(*[{}] * 100))
    decode = decoder(Page[Account])
    typed, parsed = kept(lambda: decode(orjson.loads(raw))), kept(lambda: orjson.loads(raw))
    assert typed < parsed * 2 / 3


def test_accounts_take_a_fifth_of_the_official_sdks_memory() -> None:
    """An account takes at most 0.20 of the memory that it takes in the official SDK."""
    stripe = pytest.importorskip("stripe")
    raw = orjson.dumps(account_page(*[{}] * 100))
    decode = decoder(Page[Account])
    ours = kept(lambda: decode(orjson.loads(raw)))
    theirs = kept(lambda: stripe.ListObject.construct_from(orjson.loads(raw), "sk_test_x"))
    assert ours <= 0.20 * theirs


def test_decoding_leaves_no_garbage() -> None:
    """A page is freed immediately: models have no reference cycles."""
    decode = decoder(Page[Account])
    decode(account_page({}))
    gc.collect()
    decode(account_page(*[{}] * 10))
    assert gc.collect() == 0


def test_every_model_has_a_decoder() -> None:
    """The converter supports every exported model."""
    classes = [value for name in models.__all__ if hasattr(value := getattr(models, name), "extra")]
    plain = [cls for cls in classes if not getattr(cls, "__parameters__", ())]
    assert len(plain) > 20
    assert all(callable(decoder(cls)) for cls in plain)
    assert get_origin(Page[Account]) is Page
    assert get_args(Page[Account]) == (Account,)


@pytest.mark.parametrize("has_more", [{}, {"has_more": None}, {"has_more": False}])
def test_a_page_says_no_more_unless_it_says_more(has_more: dict[str, Any]) -> None:
    """A flag that is absent or null is false, with all other fields there or not."""
    whole = {"object": "list", "data": [], "url": "/v1/accounts", **has_more}
    for raw in (whole, whole | {"unknown": 1}):
        assert decoder(Page[Account])(raw).has_more is False
