"""What fcasync has no method or no argument for: ``client.request`` and ``extra_params``."""

from typing import Any

import orjson
import pytest

import fcasync
from fcasync import Account, Client, InvalidArgumentError
from fcasync.testing import FakeClock, ScriptedTransport, answer

KEY = "sk_test_" + "a" * 24
INSTITUTIONS = "/v1/financial_connections/institutions"


def client_of(*script: Any) -> tuple[Client, ScriptedTransport]:
    transport = ScriptedTransport(script)
    return Client(KEY, transport=transport, clock=FakeClock()), transport


async def test_any_path_goes_through_the_same_engine() -> None:
    """It is retried, with the same key, and its answer is the parsed JSON."""
    client, transport = client_of(answer({"error": {}}, status=503), answer({"score": 97}))
    found = await client.request(
        "POST", "/v1/financial_connections/ownership_match", params={"names": ["A", "B"]}
    )
    assert found == {"score": 97}
    first, second = transport.requests
    assert first.idempotency_key == second.idempotency_key is not None
    assert first.body == b"names[0]=A&names[1]=B"
    assert first.path == "/v1/financial_connections/ownership_match"
    assert first.headers["Content-Type"] == "application/x-www-form-urlencoded"


async def test_a_get_has_a_query_and_no_key() -> None:
    """As every other GET."""
    client, transport = client_of(answer({"data": []}))
    await client.request("GET", INSTITUTIONS, params={"limit": 3})
    (request,) = transport.requests
    assert request.target == f"{INSTITUTIONS}?limit=3"
    assert request.idempotency_key is None


async def test_bodies_below_v2_are_json() -> None:
    """As Stripe's second API wants them."""
    client, transport = client_of(answer({}))
    await client.request("POST", "/v2/core/event_destinations", params={"name": "x", "on": True})
    (request,) = transport.requests
    assert orjson.loads(request.body or b"") == {"name": "x", "on": True}
    assert request.headers["Content-Type"] == "application/json"


async def test_an_answer_can_be_decoded() -> None:
    """As a model, or a page of it."""
    listed = {"object": "list", "data": [fcasync.to_dict(_account())], "has_more": False}
    client, _ = client_of(answer(fcasync.to_dict(_account())), answer(listed))
    path = "/v1/financial_connections/accounts"
    assert await client.request("GET", f"{path}/fca_1", decode=Account) == _account()
    page = await client.request("GET", path, decode=fcasync.Page[Account])
    assert page[0] == _account()


def _account() -> Account:
    return fcasync.testing.make_account(id="fca_1")


async def test_ids_are_not_operations_of_their_own() -> None:
    """Hooks and rate limits know a path by its form."""
    client, transport = client_of(answer({}), answer({}))
    for name in ("fca_1Abc", "fca_2Abc"):
        await client.request("POST", f"/v1/financial_connections/accounts/{name}/refresh")
    names = {request.operation.name for request in transport.requests}
    assert names == {"POST /v1/financial_connections/accounts/:id/refresh"}
    assert transport.requests[1].path == "/v1/financial_connections/accounts/fca_2Abc/refresh"


@pytest.mark.parametrize(
    "path",
    [
        "",
        "v1/accounts",
        "/v1",
        "/v1/",
        "/v3/accounts",
        "/v1/../accounts",
        "/v1/a.b",
        "/v1/accounts?limit=3",
        "/v1/accounts#x",
        "//evil.example/v1/accounts",
        "https://evil.example/v1/accounts",
        "/v1//accounts",
        "/v1/accounts\r\nHost: evil",
        "/v1/accounts/%2e%2e",
        "/v1/accounts\n",
        "/v1/ä",
        7,
        None,
    ],
)
async def test_a_path_that_could_lead_elsewhere_is_refused(path: Any) -> None:
    """Before anything is sent."""
    client, transport = client_of()
    with pytest.raises(InvalidArgumentError, match="path"):
        await client.request("GET", path)
    assert not transport.requests


@pytest.mark.parametrize(
    "wrong",
    [
        {"method": "PATCH"},
        {"method": "get"},
        {"params": [1]},
        {"params": {1: 2}},
        {"params": {"x": object()}},
        {"idempotency_key": "a b"},
        {"path": "/v2/core/x", "params": {"x": object()}},
    ],
)
async def test_what_cannot_be_sent_is_refused(wrong: dict[str, Any]) -> None:
    """Before anything is sent."""
    client, transport = client_of()
    arguments: dict[str, Any] = {"method": "POST", "path": INSTITUTIONS, **wrong}
    with pytest.raises(InvalidArgumentError):
        await client.request(**arguments)
    assert not transport.requests


async def test_methods_take_parameters_that_they_do_not_know() -> None:
    """A preview version's, beside their own."""
    body = fcasync.to_dict(_account())
    page = {"object": "list", "data": [], "has_more": False}
    client, transport = client_of(answer(body), answer(body), answer(page))
    await client.accounts.refresh("fca_1", features=["balance"], extra_params={"mode": "fast"})
    await client.accounts.retrieve("fca_1", extra_params={"mode": "fast"})
    await client.accounts.list(extra_params={"mode": "fast"})
    post, get, listed = transport.requests
    assert post.body == b"features[0]=balance&mode=fast"
    assert (get.query, "mode=fast" in listed.query) == ("mode=fast", True)


@pytest.mark.parametrize("extra", [{"features": ["x"]}, {"expand": ["x"]}, [1], {1: 2}, "mode"])
async def test_extra_parameters_are_none_of_the_methods_own(extra: Any) -> None:
    """Which of the two would be meant?"""
    client, transport = client_of()
    with pytest.raises(InvalidArgumentError, match="extra_params"):
        await client.accounts.refresh("fca_1", features=["balance"], extra_params=extra)
    with pytest.raises(InvalidArgumentError, match="extra_params"):
        client.accounts.list(extra_params={"limit": 3})
    assert not transport.requests
