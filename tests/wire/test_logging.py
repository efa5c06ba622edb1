"""What logs report, and what neither logs nor errors ever show."""

import asyncio
import logging
import traceback
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import fcasync
import tests._server as wire
from fcasync import webhooks
from fcasync._facts.redact import Hidden, redact
from fcasync.sandbox import Sandbox
from fcasync.testing import (
    FakeClock,
    RecordingHook,
    ScriptedTransport,
    answer,
    make_account,
    make_event,
    make_session,
    signed_webhook,
)
from tests._leaks import rendered

# Module constants, because tracebacks are searched for them, local variables included.
KEY = "sk_test_keyThatNobodyMaySee0000"
OWN_HEADER = "headerThatNobodyMaySee"
CLIENT_SECRET = "fcsess_1_secret_thatNobodyMaySee"
WEBHOOK_SECRET = "whsec_thatNobodyMaySee"
ACCOUNT_NUMBER = "000123456789"
SECRETS = ("hatNobodyMaySee", ACCOUNT_NUMBER)

ONCE = fcasync.RetryPolicy(attempts=1)
TWICE = fcasync.RetryPolicy(attempts=2, base=0.001)
DOWN = answer(status=503, headers={"Request-Id": "req_down"})
FINE = answer(make_account(id="fca_1"), headers={"Request-Id": "req_fine"})


def scripted(*script: Any, **options: Any) -> fcasync.Client:
    return fcasync.Client(KEY, transport=ScriptedTransport(script), clock=FakeClock(), **options)


def lines(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str]]:
    return [(r.levelname, r.getMessage()) for r in caplog.records if r.name == "fcasync"]


async def test_a_good_call_is_a_debug_line(caplog: pytest.LogCaptureFixture) -> None:
    """Operation, status, attempts, time and request id, and nothing at INFO."""
    caplog.set_level(logging.DEBUG)
    await scripted(FINE).accounts.retrieve("fca_1")
    assert lines(caplog) == [("DEBUG", "retrieve: 200 after 1 attempt(s) in 0.000 s (req_fine)")]


async def test_a_retry_is_an_info_line(caplog: pytest.LogCaptureFixture) -> None:
    """INFO reports what took more than one attempt; DEBUG says why, and how long it waited."""
    caplog.set_level(logging.DEBUG)
    await scripted(DOWN, FINE).accounts.retrieve("fca_1")
    assert lines(caplog) == [
        ("DEBUG", "retrieve: attempt 1 failed with ServerError; next in 0.250 s"),
        ("INFO", "retrieve: 200 after 2 attempt(s) in 0.250 s (req_fine)"),
    ]


async def test_a_failure_is_an_info_line(caplog: pytest.LogCaptureFixture) -> None:
    """The error that the caller gets is named, with the id that Stripe's support asks for."""
    caplog.set_level(logging.INFO)
    with pytest.raises(fcasync.ServerError):
        await scripted(DOWN, retry=ONCE).accounts.retrieve("fca_1")
    assert lines(caplog) == [
        ("INFO", "retrieve: ServerError after 1 attempt(s) in 0.000 s (req_down)")
    ]


async def test_a_wait_under_the_rate_limit_is_a_debug_line(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Slowness that is our own can be distinguished from Stripe's."""
    caplog.set_level(logging.DEBUG)
    client = scripted(FINE, FINE, limits=fcasync.Limits(max_rate=2.0, burst=1))
    await client.accounts.retrieve("fca_1")
    await client.accounts.retrieve("fca_1")
    assert ("DEBUG", "retrieve: waits 0.500 s under the rate limit") in lines(caplog)


async def test_a_failing_hook_is_an_error_line(caplog: pytest.LogCaptureFixture) -> None:
    """The call goes on; the log has the traceback."""

    def hook(event: object) -> None:
        raise RuntimeError("the hook is broken")

    await scripted(FINE, hooks=[hook]).accounts.retrieve("fca_1")
    failed = [record for record in caplog.records if record.levelname == "ERROR"]
    assert [record.getMessage().split(" failed on ")[1] for record in failed] == [
        "CallStarted",
        "AttemptFinished",
        "CallFinished",
    ]
    assert all(record.exc_info for record in failed)


def assert_nothing_shows(error: BaseException, caplog: pytest.LogCaptureFixture) -> None:
    text = rendered(error) + caplog.text
    for secret in SECRETS:
        where = text.find(secret)
        assert where < 0, text[max(0, where - 200) : where + 100]


async def failing(call: Callable[[], Awaitable[object]]) -> BaseException:
    with pytest.raises(BaseException) as caught:  # noqa: PT011 - any that is raised is read
        await call()
    return caught.value


def refreshing(client: fcasync.Client) -> Callable[[], Awaitable[object]]:
    return lambda: client.accounts.refresh("fca_1", features=["balance"])


def retrieving(client: fcasync.Client) -> Callable[[], Awaitable[object]]:
    return lambda: client.accounts.retrieve("fca_1")


TROUBLE: dict[str, Any] = {
    "reset": wire.reset,
    "stall": wire.stall,
    "no HTTP": b"garbage\r\n\r\n",
    "no JSON": wire.http(b"<html>"),
    "error": wire.http(b"{}", status="500 Internal Server Error"),
    "truncated": b"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 50\r\n\r\nhello",
    "redirect": wire.http(b"", status="302 Found", Location="https://example.com/"),
    "too large": wire.http(b" " * 2000),
}


@pytest.mark.parametrize("call", [refreshing, retrieving])
@pytest.mark.parametrize("trouble", TROUBLE)
async def test_trouble_on_the_wire_shows_no_key(
    call: Callable[[fcasync.Client], Callable[[], Awaitable[object]]],
    trouble: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """Neither the log nor the error holds the key, not even in a frame's local variables."""
    caplog.set_level(logging.DEBUG)
    async with (
        wire.serving(TROUBLE[trouble]) as server,
        fcasync.Client(
            KEY,
            base_url=server.url,
            retry=TWICE,
            timeout=0.1,
            max_response_bytes=1000,
            extra_headers={"X-Own": OWN_HEADER},
        ) as client,
    ):
        error = await failing(call(client))
    assert isinstance(error, fcasync.FCError)
    assert_nothing_shows(error, caplog)


async def test_a_refused_connection_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """The cause is kept, without the frames of aiohttp that hold the headers."""
    caplog.set_level(logging.DEBUG)
    async with fcasync.Client(KEY, base_url="http://127.0.0.1:1", retry=ONCE) as client:
        error = await failing(refreshing(client))
    assert isinstance(error.__cause__, OSError)
    assert_nothing_shows(error, caplog)


async def test_a_cancelled_call_shows_no_key(caplog: pytest.LogCaptureFixture) -> None:
    """Its traceback goes through aiohttp, whose copy of the headers hides the key as well."""
    caplog.set_level(logging.DEBUG)
    async with (
        wire.serving(wire.stall) as server,
        fcasync.Client(KEY, base_url=server.url, extra_headers={"X-Own": OWN_HEADER}) as client,
    ):
        task = asyncio.ensure_future(retrieving(client)())
        while not server.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        error = await failing(lambda: task)
    assert isinstance(error, asyncio.CancelledError)
    assert "aiohttp" in rendered(error)
    assert_nothing_shows(error, caplog)
    assert ("INFO", "retrieve: CancelledError after 1 attempt(s)") in [
        (level, line.partition(" in ")[0]) for level, line in lines(caplog)
    ]


SECRETIVE: dict[str, Any] = {
    "misfit": make_session(client_secret=CLIENT_SECRET, extra={"n": ACCOUNT_NUMBER}),
    "message": answer(
        {"error": {"message": f"{CLIENT_SECRET} {KEY} {WEBHOOK_SECRET} {ACCOUNT_NUMBER}"}},
        status=400,
    ),
    "no JSON": answer(f'{{"client_secret":"{CLIENT_SECRET}",{ACCOUNT_NUMBER}'.encode()),
    "bad gateway": answer(f"Authorization: Bearer {KEY} {ACCOUNT_NUMBER}".encode(), status=502),
    "param": answer({"error": {"param": CLIENT_SECRET, "code": ACCOUNT_NUMBER}}, status=404),
}


@pytest.mark.parametrize("case", SECRETIVE)
async def test_secrets_in_an_answer_are_not_shown(
    case: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Whatever Stripe, or something in front of it, sends back: nothing of it leaks."""
    caplog.set_level(logging.DEBUG)
    # A session is not an account, so that even a whole one is an error.
    client = scripted(*[SECRETIVE[case]] * 2, retry=TWICE)
    error = await failing(lambda: client.accounts.retrieve("fca_1"))
    assert isinstance(error, fcasync.FCError)
    assert_nothing_shows(error, caplog)


async def test_a_number_passed_as_an_id_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """Stripe repeats an unknown id in its message, and somebody will pass an account number."""
    async with (
        Sandbox(1) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url) as client,
    ):
        error = await failing(lambda: client.accounts.retrieve(ACCOUNT_NUMBER))
    assert str(error).startswith("No such account: '••••6789'")
    assert ACCOUNT_NUMBER not in "".join(traceback.format_exception(error)) + caplog.text


async def test_a_refused_key_is_not_shown(caplog: pytest.LogCaptureFixture) -> None:
    """A 401 names no key, though Stripe's message speaks of it."""
    caplog.set_level(logging.DEBUG)
    async with (
        Sandbox(1, faults=[{"kind": "status", "status": 401}]) as sandbox,
        fcasync.Client(KEY, base_url=sandbox.url) as client,
    ):
        error = await failing(retrieving(client))
    assert isinstance(error, fcasync.AuthenticationError)
    assert_nothing_shows(error, caplog)


def test_a_bad_key_is_not_shown() -> None:
    """A key with a stray newline, as copied from somewhere, is refused without being repeated."""
    with pytest.raises(fcasync.InvalidArgumentError) as caught:
        fcasync.Client(f"{KEY}\n")
    assert "hatNobodyMaySee" not in "".join(traceback.format_exception(caught.value))


def test_a_bad_webhook_does_not_show_the_secret() -> None:
    """Neither the secret nor the signature that would have been right is in the error."""
    body, headers = signed_webhook(make_event(), WEBHOOK_SECRET, 1)
    with pytest.raises(fcasync.SignatureVerificationError) as caught:
        webhooks.construct_event(body + b" ", headers["Stripe-Signature"], WEBHOOK_SECRET)
    assert "hatNobodyMaySee" not in "".join(traceback.format_exception(caught.value))


async def test_reprs_show_no_secret() -> None:
    """Clients, requests, events of hooks, responses and models can be printed by anybody."""
    hook = RecordingHook()
    client = scripted(
        make_session(id="fcsess_1", client_secret=CLIENT_SECRET),
        make_session(id="fcsess_1", client_secret=CLIENT_SECRET),
        hooks=[hook],
        extra_headers={"X-Own": OWN_HEADER},
    )
    response = await client.sessions.with_raw_response.retrieve("fcsess_1")
    session = await client.sessions.retrieve("fcsess_1")
    request = client._engine.transport.requests[0]  # type: ignore[attr-defined]
    shown = [client, client._options, request, request.headers, response, session, hook.events]
    text = "\n".join(map(repr, shown)) + session._repr_html_()
    assert [secret for secret in SECRETS if secret in text] == []
    assert session.client_secret == CLIENT_SECRET


async def test_the_callers_own_traceback_is_left_alone() -> None:
    """A call inside an except block drops its own inner frames, never those of the caller's."""
    client = scripted(DOWN, DOWN, retry=TWICE)

    async def recover() -> None:
        try:
            raise LookupError("the caller's own")
        except LookupError:
            await client.accounts.retrieve("fca_1")

    error = await failing(recover)
    while not isinstance(error, LookupError):
        assert error.__context__ is not None
        error = error.__context__
    assert error.__traceback__ is not None


def test_a_hidden_value_is_still_a_string() -> None:
    """Headers are sent and compared as they are; only their look and their parts are hidden."""
    value = Hidden("Bearer abc")
    assert value == "Bearer abc"
    assert value.encode() == b"Bearer abc"
    assert (repr(value), repr([value]), value[:5]) == ("'…'", "['…']", "…")


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("account 000123456789 is closed", "account ••••6789 is closed"),
        ("0001 2345-6789", "••••-6789"),
        ("from 1234567 on", "from 1234567 on"),
        ("fca_123456789012", "fca_123456789012"),
        ("550e8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"),
        ("key sk_live_abc, whsec_abc", "key sk_live_…, whsec_…"),
    ],
)
def test_what_is_redacted(text: str, shown: str) -> None:
    """Keys keep their kind, long numbers their last four digits; ids and UUIDs stay readable."""
    assert redact(text) == shown
