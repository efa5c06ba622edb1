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
from fcasync.errors import ProtocolError
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
    """Tell whether two pieces of JSON say the same: null is absent, and so is no more to come."""
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
def test_what_is_decoded_comes_back(cls: Any) -> None:
    """Decoding and `to_dict` give back the JSON that came in, unknown fields included."""

    @few
    @given(json_of(cls))
    def check(value: dict[str, Any]) -> None:
        before = copy.deepcopy(value)
        model = decoder(cls)(value)
        assert same(to_dict(model), before)
        assert same(value, before)
        assert decoder(cls)(to_dict(model)) == model

    check()


@pytest.mark.parametrize("name", BY_SCHEMA)
def test_what_stripe_may_send_comes_back(name: str) -> None:
    """On any JSON that fits Stripe's schemas, decoding and `to_dict` are the identity."""
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
def test_junk_is_decoded_truthfully_or_refused_with_its_path(cls: Any) -> None:
    """Whatever stands where, a model says what came in, or a ProtocolError says where it is."""

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
    """A value that is not what the API promises is refused with its place and what was meant."""
    with pytest.raises(ProtocolError) as caught:
        decoder(Page[Account])(FAULTS[message])
    assert str(caught.value) == message
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None


def test_a_fault_never_shows_a_secret() -> None:
    """Keys are cut out of the value that a message quotes."""
    with pytest.raises(ProtocolError) as caught:
        decoder(Account)(account(created="sk_live_0123456789abcdef"))
    assert "0123456789abcdef" not in str(caught.value)


def test_deep_json_is_no_recursion_error() -> None:
    """However deep unknown JSON is nested, decoding, showing and `to_dict` do not descend."""
    deep = orjson.loads(b"[" * 1000 + b"]" * 1000)
    model = decoder(Account)(account(x_new=deep))
    assert to_dict(model)["x_new"] is deep
    assert "x_new" in repr(model)
    assert "x_new" in model._repr_html_()


@pytest.mark.parametrize("depth", [2, 1000])
def test_deep_junk_is_a_protocol_error(depth: int) -> None:
    """Deep JSON in the place of a string is refused like any other junk."""
    deep = orjson.loads(b"[" * depth + b"]" * depth)
    with pytest.raises(ProtocolError, match=r"\$\.last4: expected a string, not a list"):
        decoder(Account)(account(last4=deep))


def test_the_last_of_two_equal_keys_wins() -> None:
    """Duplicate keys are settled as every JSON parser settles them."""
    raw = b'{"object":"financial_connections.account","id":"fca_1","id":"fca_2"}'
    assert decoder(Account)(orjson.loads(raw)).id == "fca_2"


def test_only_id_and_object_are_demanded() -> None:
    """An account of two fields is an account; everything else is None."""
    bare = decoder(Account)({"id": "fca_1", "object": "financial_connections.account"})
    assert bare == Account(id="fca_1")
    assert to_dict(bare) == {"id": "fca_1", "object": "financial_connections.account"}


def test_decoders_are_made_once() -> None:
    """Asking for the same decoder again costs a lookup."""
    assert decoder(Page[Account]) is decoder(Page[Account])


def test_the_type_of_an_event_decides_what_it_holds() -> None:
    """`decoder(Event)` puts the typed object inside."""
    envelope = {"id": "evt_1", "object": "event", "data": {"object": account()}}
    created = decoder(Event)({**envelope, "type": "financial_connections.account.created"})
    unknown = decoder(Event)({**envelope, "type": "invoice.paid"})
    untyped = decoder(Event)({**envelope, "type": ["?"]} | {"type": None})
    assert type(created.data.object) is Account
    assert unknown.data.object == untyped.data.object == account()


def test_enum_lists_do_not_share_and_do_not_pile_up() -> None:
    """Each account owns its lists, and hostile values do not fill the memory of known ones."""
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
    """A page of models keeps at most two thirds of what the parsed JSON keeps."""
    raw = orjson.dumps(account_page(*[{}] * 100))
    decode = decoder(Page[Account])
    typed, parsed = kept(lambda: decode(orjson.loads(raw))), kept(lambda: orjson.loads(raw))
    assert typed < parsed * 2 / 3


def test_accounts_take_a_fifth_of_the_official_client_s_memory() -> None:
    """Bytes kept per account stay at or under 0.20 of the official SDK's."""
    stripe = pytest.importorskip("stripe")
    raw = orjson.dumps(account_page(*[{}] * 100))
    decode = decoder(Page[Account])
    ours = kept(lambda: decode(orjson.loads(raw)))
    theirs = kept(lambda: stripe.ListObject.construct_from(orjson.loads(raw), "sk_test_x"))
    assert ours <= 0.20 * theirs


def test_decoding_leaves_no_garbage() -> None:
    """A dropped page is freed at once: models hold no cycles for the collector to find."""
    decode = decoder(Page[Account])
    decode(account_page({}))
    gc.collect()
    decode(account_page(*[{}] * 10))
    assert gc.collect() == 0


def test_every_model_has_a_decoder() -> None:
    """No exported model is left out of the converter."""
    classes = [value for name in models.__all__ if hasattr(value := getattr(models, name), "extra")]
    plain = [cls for cls in classes if not getattr(cls, "__parameters__", ())]
    assert len(plain) > 20
    assert all(callable(decoder(cls)) for cls in plain)
    assert get_origin(Page[Account]) is Page
    assert get_args(Page[Account]) == (Account,)
