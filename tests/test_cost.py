"""The cost of a call, counted instead of timed, as a guard against regressions."""

import asyncio
import gc
import subprocess
import sys
import tracemalloc
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import Any
from unittest.mock import Mock, call

import orjson
import pytest

import fcasync
from benchmarks import data
from fcasync._rules.request import Answer, Request
from fcasync.models import Account, Page
from fcasync.models._convert import decoder
from fcasync.testing import FakeClock, InstantTransport, ScriptedTransport, answer
from tests import _calls as calls
from tests._server import http, serving

CALLS = 50


class Accounts(InstantTransport):
    """Responds at once, so that only fcasync is counted."""

    def __init__(self, accounts: int = 100) -> None:
        account = answer(data.account(1))

        def respond(request: Request[Any]) -> Answer:
            if request.operation.method == "POST":
                return account
            last = self.sent * data.PAGE
            return answer(data.page(last - data.PAGE, has_more=last < accounts))

        super().__init__(respond)


def counting_clock() -> Any:
    """Return a clock whose `method_calls` are recorded."""
    return Mock(wraps=FakeClock())


def client_over(transport: Any, **settings: Any) -> fcasync.Client:
    return fcasync.Client(calls.KEY, transport=transport, **settings)


@asynccontextmanager
async def connected() -> AsyncIterator[fcasync.Client]:
    """Yield a client of a server on a real socket."""
    async with (
        serving(http(orjson.dumps(data.account(1)))) as server,
        fcasync.Client(calls.KEY, base_url=server.url) as client,
    ):
        yield client


async def refresh(client: fcasync.Client, times: int = CALLS) -> None:
    for _ in range(times):
        await client.accounts.refresh(data.account_id(1), features=["balance"])


@pytest.fixture
async def _no_collections() -> AsyncIterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("_no_collections")
async def test_a_call_that_succeeds_leaves_no_garbage() -> None:
    """No reference cycle is left for the garbage collector."""
    client = client_over(Accounts())
    await refresh(client, 1)
    gc.collect()
    await refresh(client)
    assert gc.collect() == 0


@pytest.mark.usefixtures("_no_collections")
async def test_no_garbage_is_left_over_real_sockets() -> None:
    """With aiohttp, too, objects are freed as soon as a call is over."""
    async with connected() as client:
        await refresh(client, 2)
        gc.collect()
        await refresh(client)
        assert gc.collect() < CALLS


async def test_a_call_reads_the_clock_twice() -> None:
    """It does so at the start and after the response; it never sleeps and draws no jitter."""
    clock = counting_clock()
    await refresh(client_over(Accounts(), clock=clock))
    assert clock.method_calls == [call.monotonic()] * 2 * CALLS


async def test_a_call_makes_few_function_calls() -> None:
    """One refresh runs few Python and C functions."""
    client, counts = client_over(Accounts()), {"call": 0, "c_call": 0}
    await refresh(client, 1)

    def count(frame: object, event: str, argument: object) -> None:
        if event in counts:
            counts[event] += 1

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        await refresh(client)
    finally:
        sys.setprofile(before)
    # Measured: 49 and 90, of which 10 and 68 decode the account.
    assert counts["call"] / CALLS < 60
    assert counts["c_call"] / CALLS < 110


async def test_a_hundred_calls_set_one_timer(monkeypatch: pytest.MonkeyPatch) -> None:
    """The timeouts of successive calls share a timer of the loop."""
    timers: list[float] = []
    loop = asyncio.get_running_loop()
    call_at = loop.call_at

    def note(when: float, callback: Any, *rest: Any, **settings: Any) -> Any:
        timers.append(when)
        return call_at(when, callback, *rest, **settings)

    async with connected() as client:
        await refresh(client, 1)
        monkeypatch.setattr(loop, "call_at", note)
        await refresh(client, 100)
    # aiohttp sets another one for idle connections.
    assert len(timers) <= 2


@pytest.mark.parametrize(("accounts", "requests"), [(100, 1), (1000, 10)])
async def test_a_walk_sends_one_request_per_hundred_accounts(accounts: int, requests: int) -> None:
    """Pages are as large as Stripe allows, and none is fetched twice or needlessly."""
    transport, clock = Accounts(accounts), counting_clock()
    client = client_over(transport, clock=clock)
    assert len([each async for each in client.accounts.list()]) == accounts
    assert transport.sent == requests
    assert clock.method_calls == [call.monotonic()] * 2 * requests


async def test_a_walk_holds_two_pages_at_most() -> None:
    """Memory does not grow with the number of accounts."""

    def alive() -> int:
        gc.collect()
        return sum(type(each) is Account for each in gc.get_objects())

    client = client_over(Accounts(3000))
    before, most, seen = alive(), 0, 0  # other tests may have left some
    async for _ in client.accounts.list():
        seen += 1
        if seen % 500 == 1:
            most = max(most, alive() - before)
    assert seen == 3000
    assert most <= 2 * data.PAGE


def test_an_account_takes_little_memory() -> None:
    """A full account takes about half of the memory of its parsed JSON."""
    decode = decoder(Page[Account])
    parsed, typed = [], []
    decode(orjson.loads(data.page()))
    tracemalloc.start()
    parsed.append(orjson.loads(data.page(100)))
    as_json = tracemalloc.get_traced_memory()[0]
    typed.append(decode(orjson.loads(data.page(200))))
    as_models = tracemalloc.get_traced_memory()[0] - as_json
    tracemalloc.stop()
    assert as_models < 0.6 * as_json


async def test_without_a_hook_there_is_no_event() -> None:
    """Without a hook neither events nor the call that they belong to are created."""
    transport = ScriptedTransport([answer(data.account(1))])
    await refresh(client_over(transport), 1)
    assert transport.requests[0]._call is None


HEAVY = ("cattrs", "tenacity", "fcasync.bulk", "sqlite3", "click", "rich", "uvloop", "fcasync.cli")


def run(program: str) -> Mapping[str, Any]:
    """Run *program* in a new interpreter and return the dict that it prints."""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, check=True)
    printed: Mapping[str, Any] = orjson.loads(done.stdout)
    return printed


def test_importing_the_client_imports_only_what_it_needs() -> None:
    """Modules for retries, responses, bulk jobs and extras are imported on first use."""
    program = (
        "import sys, aiohttp, attrs, json; before = set(sys.modules); from fcasync import Client; "
        "print(json.dumps({'more': sorted(set(sys.modules) - before)}))"
    )
    more = run(program)["more"]
    assert [name for name in more if name in HEAVY] == []
    # Files of fcasync itself are cheap, and as many as it has concepts.
    assert len([name for name in more if not name.startswith("fcasync")]) < 15


def test_importing_the_package_imports_next_to_nothing() -> None:
    """For its plugin, pytest imports the package and must not wait for aiohttp."""
    program = "import sys, json, fcasync; print(json.dumps({'aiohttp': 'aiohttp' in sys.modules}))"
    assert run(program) == {"aiohttp": False}
