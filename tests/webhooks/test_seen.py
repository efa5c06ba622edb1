"""Repeats of webhooks: dropped when handled, refused while being handled, in memory and on disk."""

import asyncio
import os
import sqlite3
import stat
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from fcasync.errors import EventInProgress, FCError, InvalidArgumentError
from fcasync.models import Event, EventType
from fcasync.testing import FakeClock, make_event, signed_webhook
from fcasync.webhooks import (
    EventRouter,
    SeenEvents,
    SeenStore,
    SqliteSeenEvents,
    construct_event,
    sign,
)

CREATED = "financial_connections.account.created"
Store = Callable[[], SeenStore]


@pytest.fixture(params=["memory", "file"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Store:
    """Return a function that opens the store, as each worker does."""
    in_memory = SeenEvents()
    if request.param == "memory":
        return lambda: in_memory
    return lambda: SqliteSeenEvents(tmp_path / "seen.sqlite", clock=FakeClock())


def event(**fields: Any) -> Event[Any]:
    return make_event(id="evt_1", type=CREATED, **fields)


class Gate:
    """A handler that waits until it is let through."""

    def __init__(self, router: EventRouter) -> None:
        self.entered, self.open = asyncio.Event(), asyncio.Event()
        self.fails = False
        self.handled = 0
        router.on(CREATED)(self.handle)

    async def handle(self, event: Event[Any]) -> None:
        self.entered.set()
        await self.open.wait()
        if self.fails:
            raise LookupError("the handler is broken")
        self.handled += 1


async def test_a_repeat_during_the_first_delivery_is_not_acknowledged(store: Store) -> None:
    """Claimed is not handled: when the first delivery fails, the next one is handled."""
    router = EventRouter(store())
    gate = Gate(router)
    gate.fails = True
    first = asyncio.ensure_future(router.dispatch(event()))
    await gate.entered.wait()
    with pytest.raises(EventInProgress, match=r"evt_1 is still being handled; .* 409"):
        await router.dispatch(event())
    gate.open.set()
    with pytest.raises(LookupError):
        await first
    gate.fails = False
    assert [await router.dispatch(event()), await router.dispatch(event())] == [True, False]
    assert gate.handled == 1


async def test_a_handled_event_stays_handled(store: Store) -> None:
    """For every worker that shares the store."""
    workers = [EventRouter(store()) for _ in range(3)]
    gates = [Gate(worker) for worker in workers]
    for gate in gates:
        gate.open.set()
    assert [await worker.dispatch(event()) for worker in workers] == [True, False, False]
    assert [gate.handled for gate in gates] == [1, 0, 0]


class Slow:
    """A store whose every step takes a few turns of the loop."""

    def __init__(self, inner: SeenStore) -> None:
        self.inner = inner

    async def claim(self, event_id: str) -> bool:
        await self._turns()
        claimed = await self.inner.claim(event_id)
        await self._turns()
        return claimed

    async def confirm(self, event_id: str) -> None:
        await self._turns()
        await self.inner.confirm(event_id)
        await self._turns()

    async def release(self, event_id: str) -> None:
        await self._turns()
        await self.inner.release(event_id)

    async def _turns(self) -> None:
        for _ in range(3):
            await asyncio.sleep(0)


@pytest.mark.parametrize("turns", range(25))
async def test_a_claim_is_given_back_however_often_it_is_cancelled(turns: int) -> None:
    """Cancelled at any moment, twice and more: afterwards it is handled, or it can be claimed."""
    seen = SeenEvents()
    router = EventRouter(Slow(seen))
    handled = []

    @router.on(CREATED)
    async def handle(event: Event[Any]) -> None:
        await asyncio.sleep(0)
        handled.append(event.id)

    task = asyncio.ensure_future(router.dispatch(event()))
    for _ in range(turns):
        await asyncio.sleep(0)
    while not task.done():
        task.cancel()
        await asyncio.sleep(0)
    assert await EventRouter(seen).dispatch(event()) is False  # it has no functions: no claim
    is_again = await seen.claim("evt_1")
    assert is_again == (handled == [])


def errors_of_a_second_writer(path: Path) -> str:
    """Return what another process prints that writes to the database."""
    code = "import sqlite3, sys; sqlite3.connect(sys.argv[1], 0).execute('BEGIN IMMEDIATE')"
    command = [sys.executable, "-c", code, str(path)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stderr


class Full(SeenEvents):
    """A store whose disk is full when a claim is to be given back."""

    async def release(self, event_id: str) -> None:
        raise FCError("the disk is full")


async def test_a_claim_that_cannot_be_given_back_hides_no_cancellation() -> None:
    """A task that is cancelled ends as cancelled; the note says that the claim is left."""
    router, entered = EventRouter(Full()), asyncio.Event()

    @router.on(CREATED)
    async def forever(event: Event[Any]) -> None:
        entered.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(router.dispatch(event()))
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        await task
    assert "the disk is full" in caught.value.__notes__[0]


async def test_a_claim_that_cannot_be_given_back_hides_no_failure() -> None:
    """What the function raised is what there is to repair."""
    router = EventRouter(Full())

    @router.on(CREATED)
    async def fail(event: Event[Any]) -> None:
        raise LookupError("no such row")

    with pytest.raises(LookupError, match="no such row") as caught:
        await router.dispatch(event())
    assert "the disk is full" in caught.value.__notes__[0]


async def test_the_claim_of_a_process_that_died_runs_out(tmp_path: Path) -> None:
    """Until then a repeat is refused; then it is handled, and the dead cannot take it back."""
    clock, path = FakeClock(), tmp_path / "seen.sqlite"
    dead = SqliteSeenEvents(path, lease=60, clock=clock)
    alive = SqliteSeenEvents(path, lease=60, clock=clock)
    assert await dead.claim("evt_1")
    clock.advance(59)
    with pytest.raises(EventInProgress):
        await alive.claim("evt_1")
    clock.advance(1)
    assert await alive.claim("evt_1")
    await dead.release("evt_1")
    with pytest.raises(EventInProgress):
        await dead.claim("evt_1")
    await alive.confirm("evt_1")
    await alive.release("evt_1")
    assert not await dead.claim("evt_1")


async def test_opening_the_file_ends_no_lock_of_another_thread(tmp_path: Path) -> None:
    """Two workers that write at once would double an event, or break the file."""
    path = tmp_path / "seen.sqlite"
    seen = SqliteSeenEvents(path)
    await seen.claim("evt_1")
    with closing(sqlite3.connect(path, isolation_level=None)) as writer:
        writer.execute("BEGIN IMMEDIATE")
        claim = asyncio.create_task(seen.claim("evt_2"))
        try:
            assert "locked" in await asyncio.to_thread(errors_of_a_second_writer, path)
        finally:
            writer.execute("COMMIT")
            assert await claim


async def test_old_ids_are_forgotten(tmp_path: Path) -> None:
    """The file does not grow without bound."""
    clock, path = FakeClock(), tmp_path / "seen.sqlite"
    seen = SqliteSeenEvents(path, keep=100, clock=clock)
    for event_id in ("a", "b"):
        assert await seen.claim(event_id)
        await seen.confirm(event_id)
    assert not await seen.claim("a")
    clock.advance(101)
    assert await seen.claim("a")
    with sqlite3.connect(path) as database:
        assert database.execute("SELECT id FROM seen").fetchall() == [("a",)]
    database.close()


async def test_one_of_many_workers_handles_an_event(tmp_path: Path) -> None:
    """Claims of one event at the same moment, in threads with loops of their own: one succeeds."""
    path, results = tmp_path / "seen.sqlite", list[Any]()

    async def claim() -> list[Any]:
        stores = [SqliteSeenEvents(path) for _ in range(5)]
        claims = (store.claim("evt_1") for store in stores)
        return await asyncio.gather(*claims, return_exceptions=True)

    threads = [
        threading.Thread(target=lambda: results.extend(asyncio.run(claim()))) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        await asyncio.to_thread(thread.join)
    assert len(results) == 20
    assert [result for result in results if not isinstance(result, EventInProgress)] == [True]


async def test_the_file_is_for_its_owner_and_for_other_processes(tmp_path: Path) -> None:
    """Its mode is 0600 whatever the umask, and what is in it outlives the process."""
    path = tmp_path / "seen.sqlite"
    code = (
        "import asyncio, sys; from fcasync.webhooks import SqliteSeenEvents as S\n"
        "async def main():\n"
        "    s = S(sys.argv[1]); await s.claim('evt_1'); await s.confirm('evt_1')\n"
        "asyncio.run(main())"
    )
    await asyncio.to_thread(subprocess.run, [sys.executable, "-c", code, str(path)], check=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert not await SqliteSeenEvents(path).claim("evt_1")
    assert repr(SqliteSeenEvents(path)) == f"<SqliteSeenEvents {path}>"


async def test_a_file_that_cannot_be_used_is_an_error_that_names_it(tmp_path: Path) -> None:
    """No database, another program's, and a folder that is not there."""
    junk, other = tmp_path / "junk", tmp_path / "other"
    junk.write_bytes(b"no database, but long enough to be looked at" * 50)
    with sqlite3.connect(other) as database:
        database.execute("CREATE TABLE invoices (id)")
    database.close()
    before = other.read_bytes()
    for path in (junk, tmp_path / "none" / "seen", tmp_path):
        with pytest.raises(FCError, match=f"{path.name}.* cannot remember events"):
            await SqliteSeenEvents(path).claim("evt_1")
    with pytest.raises(FCError, match="another program's database"):
        await SqliteSeenEvents(other).claim("evt_1")
    assert other.read_bytes() == before


@pytest.mark.parametrize("size", [0, -1, None, 1.5, True])
def test_a_store_without_room_is_refused(size: Any) -> None:
    """It would forget everything at once."""
    with pytest.raises(InvalidArgumentError, match="size must be a whole number above 0"):
        SeenEvents(size)


@pytest.mark.parametrize("option", ["keep", "lease"])
def test_a_store_that_keeps_nothing_is_refused(option: Any) -> None:
    """Times are seconds above zero."""
    with pytest.raises(InvalidArgumentError, match=f"{option} must be a number of seconds"):
        SqliteSeenEvents(os.devnull, **{option: 0})  # type: ignore[arg-type]


async def test_a_star_takes_every_event() -> None:
    """In the order of registration with the others, and once, also of types unknown today."""
    router, got = EventRouter(), list[str]()
    router.on("*", EventType.ACCOUNT_CREATED)(lambda event: got.append("all"))
    router.on(CREATED)(lambda event: got.append("created"))
    router.on("*")(lambda event: got.append("last"))
    assert await router.dispatch(event())
    assert got == ["all", "created", "last"]
    body, headers = signed_webhook({"id": "evt_2", "object": "event", "type": "new"}, "whsec_1")
    assert await router.dispatch(construct_event(body, headers["Stripe-Signature"], "whsec_1"))
    assert got == ["all", "created", "last", "all", "last"]
    assert repr(router) == f"EventRouter(seen=None, _handlers=[*, {CREATED}])"


@pytest.mark.parametrize(
    ("kind", "sentence"),
    [
        ("financial_connections.account.refreshed_balanc", "did you mean '.*refreshed_balance'"),
        ("invoice.paid", "not an event type that fcasync knows; .*'\\*' takes all"),
    ],
)
def test_an_unknown_event_type_is_refused(kind: Any, sentence: str) -> None:
    """A function with a misspelt type would never run, and nobody would notice."""
    with pytest.raises(InvalidArgumentError, match=sentence):
        EventRouter().on(CREATED, kind)


def test_a_signature_is_dated_now() -> None:
    """Unless another time is given, an endpoint takes what was just signed."""
    body = b'{"id":"evt_1","object":"event"}'
    assert construct_event(body, sign(body, "whsec_1"), "whsec_1").id == "evt_1"
    body, headers = signed_webhook(event(), "whsec_1")
    assert construct_event(body, headers["Stripe-Signature"], "whsec_1").id == "evt_1"
