"""What only shows on a real socket."""

import asyncio
import base64
import socket

import pytest

from fcasync.sandbox import Sandbox
from tests.sandbox.conftest import Http, port_of, raw
from tests.sandbox.worlds import ACCOUNTS

FORM = {"features[]": "balance"}


def basic(user: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:".encode()).decode()


@pytest.mark.parametrize(
    ("header", "message"),
    [
        ("", "No API key"),
        ("Bearer", "No API key"),
        ("Basic ???", "No API key"),
        (basic(""), "No API key"),
        ("Digest x", "No API key"),
        ("Bearer hello", "Invalid API Key"),
        ("Bearer pk_test_123456789", "publishable"),
        ("Bearer sk_live_123456789", "Live key refused"),
        (basic("rk_live_123456789"), "Live key refused"),
    ],
)
async def test_a_bad_credential_is_401(http: Http, header: str, message: str) -> None:
    """sandbox-exposed: anything but a test key is refused, and the key is not repeated."""
    status, body, _ = await http.send("GET", ACCOUNTS, headers={"Authorization": header})

    assert status == 401
    assert message in body["error"]["message"]
    assert "123456789" not in body["error"]["message"]
    assert http.sandbox.ledger[-1]["status"] == 401


async def test_basic_and_bearer_lead_to_the_same_world(http: Http) -> None:
    """Curl's ``-u sk_test_...:`` is as good as a Bearer token."""
    key = http.sandbox.api_key
    _, bearer, _ = await http.send("GET", ACCOUNTS)
    _, other, _ = await http.send("GET", ACCOUNTS, headers={"Authorization": basic(key)})

    assert other == bearer


async def test_each_key_and_account_is_a_world_of_its_own(http: Http) -> None:
    """Tests with keys of their own share nothing: effects, faults, clock, keys."""
    account = await http.account()
    await http.send("POST", f"{account}/disconnect")
    http.sandbox.advance(1000)
    other = {"Authorization": "Bearer sk_test_other"}
    connected = {"Stripe-Account": "acct_1"}

    assert (await http.send("GET", account))[1]["status"] == "disconnected"
    assert (await http.send("GET", account, headers=other))[1]["status"] == "active"
    assert (await http.send("GET", account, headers=connected))[0] == 404
    assert (await http.send("GET", ACCOUNTS, headers={"Stripe-Account": "x"}))[0] == 403


async def test_both_list_forms_and_both_spellings_of_brackets_arrive(http: Http) -> None:
    """Every official client's way of writing a list is understood."""
    bodies = ("features[]=balance", "features[0]=balance", "features%5B%5D=balance",
              "features%5B0%5D=balance")  # fmt: skip
    headers = {"Content-Type": "application/x-www-form-urlencoded"}
    for index, body in enumerate(bodies):
        account = await http.account(index)
        status, answer, _ = await http.send(
            "POST", f"{account}/refresh", data=body.encode(), headers=headers
        )
        assert (status, answer["balance_refresh"]["status"]) == (200, "pending")


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nX: " + b"x" * 70_000 + b"\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: localhost\r\nA\x00: b\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: no\r\n\r\n",
        b"BREW /v1/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2000000\r\n\r\n"
        + b"x" * 2_000_000,
        b"GET /v1/x\xff HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        b"GET /v1/x HTTP/1.1\r\nHost: 127.0.0.1.evil.example:80\r\n\r\n",
    ],
    ids=["url", "header", "headers", "line", "name", "length", "method", "body", "bytes", "host",
         "rebound"],
)  # fmt: skip
async def test_even_a_broken_request_gets_json(sandbox: Sandbox, request_bytes: bytes) -> None:
    """Past the limits of HTTP itself, the answer is still Stripe's error body."""
    line, body = await raw(sandbox, request_bytes)

    assert line.split()[1].startswith(b"4")
    assert body["error"]["type"] == "invalid_request_error"


@pytest.mark.parametrize(
    "header", ["Authorization", "Idempotency-Key", "Stripe-Account", "Stripe-Version"]
)
async def test_raw_bytes_in_a_header_do_no_harm(http: Http, header: str) -> None:
    """What is not text is refused, and neither the answer nor the ledger chokes on it."""
    authorization = {"Authorization": f"Bearer {http.sandbox.api_key}"}
    lines = {"Host": "localhost", "Content-Length": "0", "Connection": "close", **authorization}
    head = "".join(f"{name}: {value}\r\n" for name, value in (lines | {header: "é\xff"}).items())
    path = (await http.account()) + "/disconnect"
    status, _ = await raw(http.sandbox, f"POST {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1"))

    assert status.split()[1].startswith(b"4")
    assert (await http.control("ledger"))["data"][-1]["executed"] is False


async def test_an_unknown_method_is_a_404(http: Http) -> None:
    """Stripe does not say 405."""
    for method in ("PUT", "PATCH", "DELETE", "OPTIONS"):
        status, body, _ = await http.send(method, ACCOUNTS)
        assert (status, method in body["error"]["message"]) == (404, True)


async def test_it_listens_on_this_machine_only(sandbox: Sandbox) -> None:
    """No other interface answers."""
    port = port_of(sandbox)
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.settimeout(1)
        assert probe.connect_ex(("127.0.0.2", port)) != 0


async def test_a_second_request_with_a_key_in_use_is_409(http: Http) -> None:
    """Two requests at the same time with one key: the second is refused, the first goes on."""
    account = await http.account()
    http.sandbox.add_faults({"operation": "refresh", "kind": "delay", "seconds": 0.3, "times": 1})
    options = {"data": FORM, "headers": {"Idempotency-Key": "k"}}
    async with asyncio.TaskGroup() as group:
        first = group.create_task(http.send("POST", f"{account}/refresh", **options))
        while not http.sandbox.executions("refresh"):
            await asyncio.sleep(0.005)
        second = group.create_task(http.send("POST", f"{account}/refresh", **options))

    assert first.result()[0] == 200
    assert second.result()[0] == 409
    assert second.result()[1]["error"]["code"] == "idempotency_key_in_use"
