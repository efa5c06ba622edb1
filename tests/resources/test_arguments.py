"""The arguments that many methods share."""

import inspect
from collections.abc import Callable
from typing import Any

import attrs
import pytest

import fcasync
from fcasync.bulk._bulk import JobOptions, RefreshOptions
from fcasync.bulk._work.settings import Settings
from fcasync.resources._arguments import ListOptions, PageOptions, PostOptions, spelled_out
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
        (fcasync.Client("sk_test_1").events.list_thin, PageOptions),
        (fcasync.Client("sk_test_1").bulk.refresh, RefreshOptions),
        (fcasync.Client("sk_test_1").bulk.disconnect, JobOptions),
        (fcasync.blocking.Client("sk_test_1").bulk.refresh, RefreshOptions),
    ],
    ids=lambda each: each.__name__,
)
def test_help_shows_each_shared_argument(method: Any, options: type) -> None:
    """Signature and documentation name every argument, as if it stood in the method itself."""
    parameters = inspect.signature(method).parameters
    assert all(each.kind is not each.VAR_KEYWORD for each in parameters.values())
    for name in options.__annotations__:
        assert parameters[name].kind is inspect.Parameter.KEYWORD_ONLY
        assert method.__doc__.count(f"\n    {name}: ") == 1
    assert "options: See" not in method.__doc__


@pytest.mark.parametrize("text", [None, "", "One line."])
def test_a_method_without_a_section_of_arguments_is_described_too(text: str | None) -> None:
    """It gets a section of its own; one without documentation gets none."""

    def method(*, own: int = 1, **options: Any) -> None: ...

    method.__doc__ = text
    spelled_out(PostOptions)(method)
    assert [*inspect.signature(method).parameters] == ["own", *PostOptions.__annotations__]
    assert ("Options:\n    expand: " in (method.__doc__ or "")) == bool(text)


def test_the_shown_defaults_of_a_job_are_those_of_its_settings() -> None:
    """The settings are what happens without the argument."""
    shown = inspect.signature(fcasync.Client("sk_test_1").bulk.refresh).parameters
    fields = {field.name: field.default for field in attrs.fields(Settings)}
    compared = RefreshOptions.__annotations__.keys() & fields.keys() - {"shard"}
    assert len(compared) == 12
    assert {name: shown[name].default for name in compared} == {
        name: fields[name] for name in compared
    }


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
