"""What each failure of network and server does to a call, proven by the sandbox's ledger.

Every cell of {failure} x {GET, POST} is run twice: with a failure that stays, for the error that
comes out; and with one that passes, for the result. Whatever happens, no key is executed twice.
"""

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import attrs
import pytest

import fcasync
from fcasync.sandbox import Sandbox
from fcasync.sandbox._api.faults import KINDS

pytestmark = pytest.mark.usefixtures("path")

FAST = fcasync.RetryPolicy(attempts=2, base=0.001, rate_limit_base=0.001)


@attrs.frozen
class Cell:
    """One failure and what the documentation promises of it."""

    fault: dict[str, Any]
    error: type[fcasync.FCError]
    retried: bool = True
    executes: bool = False
    """Whether a POST takes effect although it fails."""
    may_have_executed: bool | None = None
    """What a POST's error says; None for errors that are an answer."""
    timeout: float = 30.0
    deadline: float = 90.0


CELLS = {
    "reset before": Cell(
        {"kind": "reset_before"}, fcasync.APIConnectionError, may_have_executed=True
    ),
    "reset after": Cell(
        {"kind": "reset_after"}, fcasync.APIConnectionError, executes=True, may_have_executed=True
    ),
    "truncated": Cell(
        {"kind": "truncate"}, fcasync.APIConnectionError, executes=True, may_have_executed=True
    ),
    "stall": Cell(
        {"kind": "delay", "seconds": 0.3},
        fcasync.APITimeoutError,
        executes=True,
        may_have_executed=True,
        timeout=0.1,
    ),
    "drip": Cell(
        {"kind": "drip", "seconds": 0.3},
        fcasync.APITimeoutError,
        executes=True,
        may_have_executed=True,
        timeout=0.1,
    ),
    "409": Cell({"kind": "status", "status": 409}, fcasync.ConflictError),
    # The first retry has most of a second left, and a third attempt none: at no speed of the
    # machine is one cut short by the deadline.
    "429": Cell(
        {"kind": "status", "status": 429, "headers": {"Retry-After": "1"}},
        fcasync.RateLimitError,
        deadline=1.9,
    ),
    "500": Cell({"kind": "status", "status": 500}, fcasync.ServerError),
    "500 executed": Cell(
        {"kind": "status", "status": 500, "executed": True, "stored": False},
        fcasync.ServerError,
        executes=True,
    ),
    "502": Cell({"kind": "status", "status": 502}, fcasync.ServerError),
    "503": Cell({"kind": "status", "status": 503}, fcasync.ServerError),
    "garbage": Cell(
        {"kind": "garbage"},
        fcasync.ProtocolError,
        retried=False,
        executes=True,
        may_have_executed=True,
    ),
    "redirect": Cell(
        {"kind": "redirect"}, fcasync.ProtocolError, retried=False, may_have_executed=True
    ),
    "gzip bomb": Cell(
        {"kind": "gzip_bomb"},
        fcasync.ProtocolError,
        retried=False,
        executes=True,
        may_have_executed=True,
    ),
}
cells = pytest.mark.parametrize("cell", CELLS.values(), ids=CELLS)
methods = pytest.mark.parametrize("method", ["GET", "POST"])


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    async with Sandbox(accounts=5, varied=False, settle_seconds=0.0) as sandbox:
        yield sandbox


@pytest.fixture
async def client(sandbox: Sandbox) -> AsyncIterator[fcasync.Client]:
    async with fcasync.Client(
        sandbox.api_key,
        base_url=sandbox.url,
        retry=FAST,
        max_response_bytes=64 * 1024,
    ) as client:
        yield client


async def call(client: fcasync.Client, account: fcasync.Account, method: str) -> fcasync.Account:
    if method == "GET":
        return await client.accounts.retrieve(account)
    return await client.accounts.refresh(account, features=["balance"])


def executions_per_key(sandbox: Sandbox) -> Counter[str]:
    return Counter(row["idempotency_key"] for row in sandbox.ledger if row["executed"])


def test_every_kind_of_fault_has_a_cell() -> None:
    """A new kind of fault comes with what the client makes of it."""
    assert {cell.fault["kind"] for cell in CELLS.values()} == KINDS.keys()


@cells
@methods
async def test_a_failure_that_stays_ends_in_its_error(
    sandbox: Sandbox, client: fcasync.Client, cell: Cell, method: str
) -> None:
    """The documented type, after the documented number of attempts, with the key to repeat it."""
    account = (await client.accounts.list(limit=1)).data[0]
    sandbox.add_faults(cell.fault)
    client = client.with_options(timeout=cell.timeout, deadline=cell.deadline)
    with pytest.raises(cell.error) as caught:
        await call(client, account, method)
    error = caught.value
    assert type(error) is cell.error
    assert error.attempts == (2 if cell.retried else 1)
    assert (error.idempotency_key is not None) is (method == "POST")
    if cell.may_have_executed is not None:
        assert getattr(error, "may_have_executed", None) is (
            method == "POST" and cell.may_have_executed
        )
    done = 1 if cell.executes and method == "POST" else 0
    assert sum(executions_per_key(sandbox).values()) == done


@cells
@methods
async def test_a_failure_that_passes_ends_in_the_result(
    sandbox: Sandbox, client: fcasync.Client, cell: Cell, method: str
) -> None:
    """What is retried succeeds under its key, whatever became of the first attempt."""
    account = (await client.accounts.list(limit=1)).data[0]
    # A stored 500 is Stripe's word on the key; the passing one here comes from in front of the API.
    stored = {"stored": False} if cell.fault["kind"] == "status" else {}
    sandbox.add_faults({**cell.fault, **stored, "times": 1})
    # A key whose first request is still under way is answered with 409 until that is over.
    patient = fcasync.RetryPolicy(attempts=12, base=0.05, cap=0.1)
    client = client.with_options(retry=patient, timeout=cell.timeout)
    if cell.retried:
        assert (await call(client, account, method)).id == account.id
    else:
        with pytest.raises(cell.error) as caught:
            await call(client, account, method)
        if method == "POST":
            again = await client.accounts.refresh(
                account, features=["balance"], idempotency_key=caught.value.idempotency_key
            )
            assert again.id == account.id
    assert set(executions_per_key(sandbox).values()) == ({1} if method == "POST" else set())


@methods
async def test_a_refused_connection_ends_in_its_error(method: str) -> None:
    """Nobody listens: nothing was executed, and it was tried again."""
    async with fcasync.Client("sk_test_x1", base_url="http://127.0.0.1:1", retry=FAST) as client:
        with pytest.raises(fcasync.APIConnectionError) as caught:
            await call(client, fcasync.Account(id="fca_1"), method)
    assert type(caught.value) is fcasync.APIConnectionError
    assert (caught.value.attempts, caught.value.may_have_executed) == (2, False)


# Random 429s say nothing about a rate, so the limiter must not slow down for them.
ONE_OBJECT = {"Stripe-Rate-Limited-Reason": "resource-specific"}
MIXED = [
    {"kind": "reset_before", "probability": 0.04},
    {"kind": "reset_after", "probability": 0.04},
    {"kind": "truncate", "probability": 0.03},
    {"kind": "status", "status": 503, "probability": 0.03},
    {"kind": "status", "status": 429, "probability": 0.02, "headers": ONE_OBJECT},
    {"kind": "status", "status": 500, "executed": True, "stored": False, "probability": 0.02},
    {"kind": "delay", "seconds": 0.02, "probability": 0.02},
]


async def mixed_calls(calls: int, seed: int = 1) -> tuple[Counter[str], Counter[str]]:
    """Make *calls* calls under 20 % faults and cancel a tenth of them.

    Returns:
        How often each key was acknowledged, and how often each key was executed.
    """
    rng = random.Random(seed)
    acknowledged: Counter[str] = Counter()
    async with mixed_sandbox(calls) as sandbox, patient_client(sandbox) as client:
        accounts = await client.accounts.list().collect()
        tasks = [
            asyncio.create_task(_one_call(client, account, number, acknowledged))
            for number, account in enumerate(accounts)
        ]
        loop = asyncio.get_running_loop()
        for task in tasks:
            if rng.random() < 0.1:
                loop.call_later(rng.uniform(0, calls / 1000), task.cancel)
        for result in await asyncio.gather(*tasks, return_exceptions=True):
            assert result is None or isinstance(result, asyncio.CancelledError | fcasync.FCError)
        return acknowledged, executions_per_key(sandbox)


@asynccontextmanager
async def mixed_sandbox(accounts: int) -> AsyncIterator[Sandbox]:
    async with Sandbox(
        accounts=accounts, varied=False, refresh_cooldown=0.0, settle_seconds=0.0
    ) as sandbox:
        sandbox.add_faults(*MIXED)
        yield sandbox


def patient_client(sandbox: Sandbox) -> fcasync.Client:
    retry = fcasync.RetryPolicy(attempts=6, base=0.001, rate_limit_base=0.001)
    return fcasync.Client(sandbox.api_key, base_url=sandbox.url, retry=retry, max_connections=50)


async def _one_call(
    client: fcasync.Client, account: fcasync.Account, number: int, done: Counter[str]
) -> None:
    key = f"key_{number}"
    if number % 4 == 0:
        await client.accounts.retrieve(account)
    elif number % 4 == 1:
        await client.accounts.disconnect(account, idempotency_key=key)
        done[key] += 1
    else:
        await client.accounts.refresh(account, features=["balance"], idempotency_key=key)
        done[key] += 1


async def test_an_acknowledged_call_was_executed_exactly_once() -> None:
    """Under faults and cancellations: acknowledged means once, and nothing ever runs twice."""
    before = asyncio.all_tasks()
    acknowledged, executed = await mixed_calls(1500)
    assert len(acknowledged) > 700
    assert {executed[key] for key in acknowledged} == {1}
    assert set(executed.values()) == {1}
    assert asyncio.all_tasks() == before
