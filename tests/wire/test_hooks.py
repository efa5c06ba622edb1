"""Hooks that act: what they may add to a request, and what nobody gets them to do."""

import asyncio
import logging
from typing import Any

import pytest

import fcasync
import tests._server as wire
from fcasync._rules.acting import AddedHeaders
from fcasync.errors import APIConnectionError, InvalidArgumentError
from fcasync.hooks import AttemptFinished, CallFinished, HookEvent, OutgoingRequest
from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock, InstantTransport, ScriptedTransport, answer, make_account
from tests import _calls as calls
from tests._leaks import rendered

FINE = answer(make_account(id="fca_1"), headers={"Request-Id": "req_fine"})
DOWN = answer(status=503)
TOKEN = "tokenThatNobodyMaySee"


class Acting:
    """A hook that adds headers and records what it hears."""

    def __init__(self, **headers: str) -> None:
        self.headers = {name.replace("_", "-"): value for name, value in headers.items()}
        self.events: list[HookEvent] = []
        self.requests: list[OutgoingRequest] = []

    def __call__(self, event: HookEvent, /) -> None:
        self.events.append(event)

    def before_attempt(self, request: OutgoingRequest, /) -> None:
        self.requests.append(request)
        request.headers.update(self.headers)


def rendered_below(error: BaseException) -> str:
    """Return what tracebacks show but for the test's own frame, whose arguments are the values."""
    assert error.__traceback__ is not None
    return rendered(error.with_traceback(error.__traceback__.tb_next))


def stale() -> APIConnectionError:
    error = APIConnectionError("closed", may_have_executed=True)
    error.is_stale = True
    return error


def client(*script: Any, hooks: Any, **options: Any) -> tuple[fcasync.Client, ScriptedTransport]:
    transport = ScriptedTransport(script)
    options = {"transport": transport, "clock": FakeClock(), **options}
    return fcasync.Client(calls.KEY, hooks=hooks, **options), transport


async def test_a_hook_adds_a_header_to_each_attempt() -> None:
    """It is called once per request sent, with the number of the attempt."""

    class Numbering(Acting):
        def before_attempt(self, request: OutgoingRequest, /) -> None:
            super().before_attempt(request)
            request.headers["x-attempt"] = str(request.attempt)

    hook = Numbering()
    stripe, transport = client(DOWN, DOWN, FINE, hooks=[hook])
    await stripe.accounts.refresh("fca_1", features=["balance"])
    assert [request.headers["X-Attempt"] for request in transport.requests] == ["1", "2", "3"]
    assert {request.call for request in hook.requests} == {hook.events[0].call}
    assert {request.call for request in transport.requests} == {hook.events[0].call}
    assert len({request.headers["Idempotency-Key"] for request in transport.requests}) == 1


async def test_a_request_over_a_new_connection_is_an_attempt_of_its_own() -> None:
    """After a stale connection hooks act again, and each of both ends with an event."""
    hook = Acting(X_Trace="1")
    stripe, transport = client(stale(), FINE, hooks=[hook])
    await stripe.accounts.refresh("fca_1", features=["balance"])
    ends = [event for event in hook.events if isinstance(event, AttemptFinished)]
    assert [(end.attempt, end.status) for end in ends] == [(1, None), (2, 200)]
    assert [request.attempt for request in hook.requests] == [1, 2]
    assert [request.headers["X-Trace"] for request in transport.requests] == ["1", "1"]


@pytest.mark.parametrize("has_proxy", [False, True])
async def test_an_added_header_is_on_the_wire_once(has_proxy: bool) -> None:
    """By the lean and by the documented way, for a GET and for a POST, over ``extra_headers``."""
    body = b'{"id": "fca_1", "object": "financial_connections.account"}'
    async with (
        wire.serving(wire.http(body)) as server,
        fcasync.Client(
            calls.KEY,
            base_url=server.url,
            hooks=[Acting(x_trace="new", Traceparent="00-1-2-01")],
            extra_headers={"X-Trace": "old", "X-Team": "ledger"},
            proxy=server.url if has_proxy else None,
        ) as stripe,
    ):
        await stripe.accounts.retrieve("fca_1")
        await stripe.accounts.refresh("fca_1", features=["balance"], idempotency_key="key_1")
    for raw in server.requests:
        head = raw.decode().partition("\r\n\r\n")[0].split("\r\n")
        ours = [line for line in head if line.startswith(("X-", "Traceparent"))]
        assert sorted(ours) == ["Traceparent: 00-1-2-01", "X-Team: ledger", "X-Trace: new"]
        assert f"Authorization: Bearer {calls.KEY}" in head
    assert "Idempotency-Key: key_1" in server.requests[-1].decode()


OWN = (
    "Authorization",
    "aUTHORIZATION",
    "Stripe-Version",
    "stripe-account",
    "STRIPE-CONTEXT",
    "Idempotency-Key",
    "Content-Type",
    "Content-Length",
    "Transfer-Encoding",
    "Host",
    "User-Agent",
    "Accept",
    "Accept-Encoding",
    "Connection",
    "Cookie",
    "Proxy-Authorization",
)


class Sly(str):
    """A string that lies about its spelling."""

    __slots__ = ()

    def lower(self) -> str:
        return "x-harmless"

    def title(self) -> str:
        return "Authorization"


@pytest.mark.parametrize("name", [*OWN, Sly("authorization")])
async def test_a_header_of_fcasync_is_refused(name: str) -> None:
    """In any spelling: the call ends before anything is sent, and says why."""
    hook = Acting()
    hook.headers = {name: TOKEN}
    stripe, transport = client(FINE, hooks=[hook])
    with pytest.raises(InvalidArgumentError, match="fcasync writes") as caught:
        await stripe.accounts.refresh("fca_1", features=["balance"])
    assert (caught.value.attempts, transport.requests) == (0, [])
    assert caught.value.idempotency_key
    assert TOKEN not in rendered(caught.value)


def test_a_name_that_lies_is_sent_as_what_it_is() -> None:
    """What counts is the text, whatever a subclass says of itself."""
    headers = AddedHeaders()
    headers[Sly("x-mine")] = "1"
    assert list(headers) == ["X-Mine"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Token", f"{TOKEN}\r\nAuthorization: Bearer x"),
        ("X-Token", f"{TOKEN}\n"),
        ("X-Token", f"{TOKEN}\0"),
        ("X-Token", f"{TOKEN}é"),
        ("X-Token", ""),
        ("X-Token", TOKEN.encode()),
        ("X-Token: a\r\nX", TOKEN),
        ("X Token", TOKEN),
        ("\u017ftripe-account", TOKEN),
        ("", TOKEN),
        (None, TOKEN),
    ],
)
async def test_what_is_illegal_in_a_header_is_refused(name: Any, value: Any) -> None:
    """As in ``extra_headers``: before anything is sent, and without an echo of the value."""
    hook = Acting()
    hook.headers = {name: value}
    stripe, transport = client(FINE, hooks=[hook])
    with pytest.raises(InvalidArgumentError) as caught:
        await stripe.accounts.retrieve("fca_1")
    assert (caught.value.attempts, transport.requests) == (0, [])
    assert TOKEN not in rendered_below(caught.value)


async def test_a_refusal_after_an_attempt_says_that_one_was_sent() -> None:
    """It ends the call, and does not deny what went before."""

    class Turning(Acting):
        def before_attempt(self, request: OutgoingRequest, /) -> None:
            super().before_attempt(request)
            if request.attempt == 2:
                request.headers["Host"] = "example.com"

    hook = Turning()
    stripe, transport = client(DOWN, FINE, hooks=[hook])
    with pytest.raises(InvalidArgumentError, match=r"1 request\(s\) were sent before") as caught:
        await stripe.accounts.refresh("fca_1", features=["balance"])
    assert (caught.value.attempts, len(transport.requests)) == (1, 1)
    assert caught.value.idempotency_key == transport.requests[0].idempotency_key
    ends = [event for event in hook.events if isinstance(event, AttemptFinished)]
    assert [end.attempt for end in ends] == [1, 2]
    assert isinstance(hook.events[-1], CallFinished)
    assert hook.events[-1].attempts == 1


async def test_a_failing_hook_is_logged_and_adds_nothing(caplog: pytest.LogCaptureFixture) -> None:
    """What it had added may be half of what the receiver needs; what others added is sent."""

    class Failing(Acting):
        def before_attempt(self, request: OutgoingRequest, /) -> None:
            super().before_attempt(request)
            raise RuntimeError("the hook is broken")

    hooks = [Acting(X_First="1"), Failing(X_Token=TOKEN, X_First="2"), Acting(X_Last="3")]
    stripe, transport = client(FINE, hooks=hooks)
    caplog.set_level(logging.DEBUG)
    await stripe.accounts.retrieve("fca_1")
    (request,) = transport.requests
    assert (request.headers["X-First"], request.headers["X-Last"]) == ("1", "3")
    assert "X-Token" not in request.headers
    assert "failed on before_attempt" in caplog.text
    assert TOKEN not in caplog.text


async def test_a_hook_that_catches_its_refusal_lets_the_request_go() -> None:
    """Only what leaves the hook ends the call."""

    class Careful(Acting):
        def before_attempt(self, request: OutgoingRequest, /) -> None:
            with pytest.raises(InvalidArgumentError):
                request.headers["Authorization"] = "x"
            request.headers["X-Fine"] = "1"

    stripe, transport = client(FINE, hooks=[Careful()])
    await stripe.accounts.retrieve("fca_1")
    assert transport.requests[0].headers["X-Fine"] == "1"


async def test_a_hook_that_interrupts_before_an_attempt_ends_the_call() -> None:
    """KeyboardInterrupt passes, nothing is sent, and the others hear the end."""

    class Interrupting(Acting):
        def before_attempt(self, request: OutgoingRequest, /) -> None:
            raise KeyboardInterrupt

    hook = Acting()
    stripe, transport = client(FINE, hooks=[hook, Interrupting()])
    with pytest.raises(KeyboardInterrupt):
        await stripe.accounts.retrieve("fca_1")
    assert transport.requests == []
    assert [type(event).__name__ for event in hook.events] == [
        "CallStarted",
        "AttemptFinished",
        "CallFinished",
    ]


async def test_a_refused_header_costs_no_tokens_and_no_room() -> None:
    """The next call is neither delayed nor denied."""
    hook = Acting(Host="example.com")
    clock = FakeClock()
    stripe, transport = client(FINE, hooks=[hook], clock=clock)
    quota = stripe._engine.quota
    with pytest.raises(InvalidArgumentError):
        await stripe.accounts.retrieve("fca_1")
    assert quota.available == quota.capacity
    assert not stripe._engine.limiter.pace(None, "retrieve").operation.in_flight.present
    hook.headers = {}
    await stripe.accounts.retrieve("fca_1")
    assert (len(transport.requests), clock.sleeps) == (1, [])


async def test_added_values_are_shown_nowhere(caplog: pytest.LogCaptureFixture) -> None:
    """Neither the log nor a repr, an error or its frames hold what a hook has added."""
    caplog.set_level(logging.DEBUG)
    hook = Acting(X_Token=TOKEN)
    async with (
        wire.serving(wire.reset) as server,
        fcasync.Client(
            calls.KEY,
            base_url=server.url,
            hooks=[hook],
            retry=fcasync.RetryPolicy(attempts=2, base=0.001),
        ) as stripe,
    ):
        with pytest.raises(APIConnectionError) as caught:
            await stripe.accounts.refresh("fca_1", features=["balance"])
    shown = [*hook.requests, *(request.headers for request in hook.requests), *hook.events]
    text = "\n".join([*map(repr, shown), rendered(caught.value), caplog.text])
    assert len(hook.requests) == 2
    assert TOKEN not in text
    assert "X-Token" in repr(hook.requests[0])


async def test_a_cancelled_attempt_shows_no_added_value(caplog: pytest.LogCaptureFixture) -> None:
    """Its traceback goes through frames that hold the request."""
    hook = Acting(X_Token=TOKEN)
    async with (
        wire.serving(wire.stall) as server,
        fcasync.Client(calls.KEY, base_url=server.url, hooks=[hook]) as stripe,
    ):
        task = asyncio.ensure_future(stripe.accounts.retrieve("fca_1"))
        while not server.requests:
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError) as caught:
            await task
    assert TOKEN not in rendered(caught.value) + caplog.text


async def test_calls_at_a_time_get_the_headers_of_their_own() -> None:
    """No request shares headers with another, nor changes the client's."""

    class Naming(Acting):
        def before_attempt(self, request: OutgoingRequest, /) -> None:
            if request.attempt % 2:
                request.headers["X-Key"] = request.call.idempotency_key or ""

    sent = []

    def respond(request: Any) -> Any:
        sent.append((request.idempotency_key, request.headers.get("X-Key")))
        return FINE

    stripe, _ = client(hooks=[Naming()], transport=InstantTransport(respond))
    await asyncio.gather(
        *(stripe.accounts.refresh("fca_1", features=["balance"]) for _ in range(50))
    )
    assert [key for key, _ in sent] == [named for _, named in sent]
    assert "X-Key" not in stripe._options.get_headers


async def test_hooks_see_what_the_hooks_before_them_added() -> None:
    """The last one wins, in any spelling."""
    seen = []

    class Looking(Acting):
        def before_attempt(self, request: OutgoingRequest, /) -> None:
            seen.append(request.headers["x-a"])
            super().before_attempt(request)

    stripe, transport = client(FINE, hooks=[Acting(X_A="1"), Looking(x_a="2")])
    await stripe.accounts.retrieve("fca_1")
    assert (seen, transport.requests[0].headers["X-A"]) == (["1"], "2")


async def test_what_opens_first_closes_last() -> None:
    """At the end of a request and of a call, hooks are called in the opposite order."""
    heard = []

    class Noting(Acting):
        def __init__(self, name: str) -> None:
            super().__init__()
            self.name = name

        def __call__(self, event: HookEvent, /) -> None:
            heard.append((self.name, type(event).__name__))

    stripe, _ = client(FINE, hooks=[Noting("a"), Noting("b")])
    await stripe.accounts.retrieve("fca_1")
    assert [name for name, _ in heard] == ["a", "b", "b", "a", "b", "a"]


async def test_without_an_acting_hook_the_request_is_the_calls_own() -> None:
    """Nothing is copied, and no hook is looked at."""
    stripe, transport = client(FINE, hooks=[lambda event: None])
    await stripe.accounts.retrieve("fca_1")
    assert stripe._engine.reporter.acting is None
    assert transport.requests[0].options is stripe._options


async def noop(event: object) -> None:
    """Never awaited."""


class AsyncBefore(Acting):
    async def before_attempt(self, request: OutgoingRequest, /) -> None:  # type: ignore[override]
        """Never awaited."""


class AsyncCall(Acting):
    async def __call__(self, event: object, /) -> None:  # type: ignore[override]
        """Never awaited."""


@pytest.mark.parametrize("hook", [noop, AsyncBefore(), AsyncCall()])
def test_an_asynchronous_hook_is_refused(hook: Any) -> None:
    """Nobody would await it."""
    with pytest.raises(InvalidArgumentError, match="hooks must be synchronous"):
        fcasync.Client(calls.KEY, hooks=[hook])


def test_added_headers_are_a_mapping() -> None:
    """Names have one spelling; values are strings that no repr shows."""
    headers = AddedHeaders()
    assert repr(headers) == "<AddedHeaders none>"
    headers["x-one"] = TOKEN
    headers["X-ONE"] = "2"
    headers["x-two"] = TOKEN
    assert dict(headers) == {"X-One": "2", "X-Two": TOKEN}
    del headers["X-TWO"]
    assert (len(headers), "x-one" in headers, headers.get("x-two")) == (1, True, None)
    assert repr(headers) == "<AddedHeaders X-One>"
    assert TOKEN not in repr({**headers})


async def test_a_refused_header_ends_a_bulk_job_at_once() -> None:
    """It concerns all accounts: none of them fails for it, and the same call goes on later."""
    hook = Acting()
    async with (
        Sandbox(5) as sandbox,
        fcasync.Client(
            sandbox.api_key, base_url=sandbox.url, clock=FakeClock(), hooks=[hook]
        ) as stripe,
    ):
        accounts = await stripe.accounts.list().collect()

        class Refusing(Acting):
            def before_attempt(self, request: OutgoingRequest, /) -> None:
                if request.call.operation == "refresh":
                    request.headers["Authorization"] = TOKEN

        broken = fcasync.Client(
            sandbox.api_key, base_url=sandbox.url, clock=FakeClock(), hooks=[Refusing()]
        )
        async with broken:
            run = broken.bulk.refresh([a.id for a in accounts], features=["balance"])
            with pytest.raises(InvalidArgumentError, match="fcasync writes Authorization"):
                async with run:
                    await run.finish()
        assert run.report.counts == {}
        assert sandbox.executions("refresh") == {}
