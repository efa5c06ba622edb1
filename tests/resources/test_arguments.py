"""The arguments that many methods share."""

import inspect
from collections.abc import Callable
from typing import Any

import pytest

import fcasync
from fcasync.resources._arguments import ListOptions, PostOptions
from fcasync.resources._paginator import Paginator
from fcasync.testing import ScriptedTransport
from tests import _calls as calls

LISTS = {
    "accounts": lambda client, **options: client.accounts.list(**options),
    "owners": lambda client, **options: client.accounts.list_owners(
        "fca_1", ownership="fcaowns_1", **options
    ),
    "transactions": lambda client, **options: client.transactions.list("fca_1", **options),
}
POSTS = {
    "refresh": lambda accounts, **options: accounts.refresh(
        "fca_1", features=["balance"], **options
    ),
    "refresh_and_wait": lambda accounts, **options: accounts.refresh_and_wait(
        "fca_1", features=["balance"], **options
    ),
    "disconnect": lambda accounts, **options: accounts.disconnect("fca_1", **options),
}
Call = Callable[..., Any]


@pytest.fixture
def transport() -> ScriptedTransport:
    return ScriptedTransport([])


@pytest.fixture
def client(transport: ScriptedTransport) -> fcasync.Client:
    return fcasync.Client(calls.KEY, transport=transport)


@pytest.mark.parametrize("method", LISTS.values(), ids=LISTS)
def test_a_list_refuses_a_misspelt_argument(client: fcasync.Client, method: Call) -> None:
    """It is a TypeError, at once, as for any other method."""
    with pytest.raises(TypeError, match=r"list\w*\(\) got an unexpected keyword argument 'limti'"):
        method(client, limti=3)


@pytest.mark.parametrize("method", POSTS.values(), ids=POSTS)
async def test_a_change_refuses_a_misspelt_argument(
    client: fcasync.Client, transport: ScriptedTransport, method: Call
) -> None:
    """Nothing is sent without the idempotency key that the caller meant to pass."""
    with pytest.raises(TypeError, match="unexpected keyword argument 'idempotencykey'"):
        await method(client.accounts, idempotencykey="k")
    assert transport.requests == []


@pytest.mark.parametrize(
    ("method", "options"),
    [
        (fcasync.Client("sk_test_1").accounts.list, ListOptions),
        (fcasync.Client("sk_test_1").transactions.list, ListOptions),
        (fcasync.Client("sk_test_1").accounts.with_raw_response.list_owners, ListOptions),
        (fcasync.Client("sk_test_1").accounts.refresh, PostOptions),
        (fcasync.Client("sk_test_1").sessions.create, PostOptions),
    ],
    ids=lambda each: each.__name__,
)
def test_help_shows_each_shared_argument(method: Any, options: type) -> None:
    """Signature and documentation name every argument, as if it stood in the method itself."""
    parameters = inspect.signature(method).parameters
    assert all(each.kind is not each.VAR_KEYWORD for each in parameters.values())
    for name in options.__annotations__:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert f"\n    {name}: " in method.__doc__


def test_the_shown_defaults_are_those_of_the_paginator() -> None:
    """What a signature shows is what happens without the argument."""
    shown = inspect.signature(fcasync.Client("sk_test_1").accounts.list).parameters
    for name, parameter in inspect.signature(Paginator.__init__).parameters.items():
        if name in ListOptions.__annotations__:
            assert shown[name].default == parameter.default


@pytest.mark.parametrize(
    "filters",
    [
        {"session": ""},
        {"session": "fcsess_1/../x"},
        {"account_holder": {"customer": ""}},
        {"account_holder": {"account": "acct_1?x"}},
        {"account_holder": {"customer": None}},
    ],
)
def test_a_filter_that_is_an_id_is_checked_as_one(filters: dict[str, Any]) -> None:
    """An empty one would be sent as no filter at all, and list everybody's accounts."""
    with pytest.raises(fcasync.InvalidArgumentError):
        fcasync.Client("sk_test_1").accounts.list(**filters)
