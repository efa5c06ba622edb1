"""One account, one job, one world: every history of faults, pauses and kills, without sockets.

The plan and the client's own interpretation talk to the sandbox's world directly. A *process* is a
task and its knowledge of the time; killing it leaves only the row in the journal.
"""

from collections.abc import Iterator
from copy import copy
from email.utils import formatdate
from typing import Any

import attrs
from multidict import CIMultiDict

from fcasync._facts.redact import Secret
from fcasync._rules.interpret import interpret, is_replay
from fcasync._rules.request import Answer, Operation, Options, build
from fcasync._rules.retry_policy import RetryPolicy
from fcasync.bulk._journal.rows import row_of
from fcasync.bulk._plan.classify import after_looking, after_sending
from fcasync.bulk._plan.commands import (
    Command,
    EnqueueAfter,
    Finish,
    Forget,
    Look,
    Send,
    Store,
    Wait,
)
from fcasync.bulk._plan.events import Accepted, Admitted, Due, Event, Seen
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._plan.table import date_back, step
from fcasync.bulk._plan.task import Job, Now, Row, Task
from fcasync.bulk._plan.verbs import REFRESH
from fcasync.errors import APIConnectionError, APITimeoutError, FCError
from fcasync.models import Account
from fcasync.resources.accounts import RETRIEVE
from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.messages import Request
from fcasync.sandbox._api.world import Settings, World
from fcasync.sandbox._bank.states import Timing
from fcasync.testing import FakeClock
from tests._virtual import EPOCH

JOB = Job(id="0123456789abcdef", verb=REFRESH, features=("balance",))
OPTIONS = Options(
    api_key=Secret("sk_test_model"),
    base_url="http://127.0.0.1",
    timeout=30.0,
    deadline=90.0,
    retry=RetryPolicy(),
)
NO_ANSWER = {"reset_before", "reset_after", "truncate", "delay"}
ZOMBIE = Fault(kind="reset_before", times=99)
"""The request arrives only after its sender has given up."""
Message = tuple[str, Any, bytes | None]


def new_world(cooldown: float) -> World:
    """Return a world in which refreshes settle at once, and block the next one for *cooldown*."""
    timing = Timing(settle_seconds=0.0, refresh_cooldown=cooldown)
    return World(Settings(accounts=1, varied=False, timing=timing))


def dated(unix: float) -> dict[str, str]:
    """Return the headers of a response of Stripe's at that time."""
    return {
        "Date": formatdate(unix, usegmt=True),
        "Content-Type": "application/json",
        "Request-Id": "req_model",
    }


@attrs.define
class History:
    """A world, a journal with one row, and the process that is at work, if it is alive."""

    world: World
    clock: FakeClock
    account_id: str
    row: Row | None = None
    task: Task | None = None
    time: ServerTime | None = None
    command: Command = attrs.field(factory=Wait)
    server_ahead: float = 0.0
    """How far the server's clock is ahead of the true time."""
    job: Job = JOB
    zombies: tuple[Message, ...] = ()
    """Requests that are still under way, though their sender has given up."""

    @classmethod
    def begin(cls, cooldown: float = 0.0) -> "History":
        world = new_world(cooldown)
        history = cls(world, FakeClock(EPOCH), world.store.account(0, EPOCH)["id"])
        history.start()
        return history

    def fork(self) -> "History":
        """Return a history that goes on by itself from here."""
        clock = copy(self.clock)
        twin = attrs.evolve(self, world=self.world.copy(), clock=clock)
        if self.task is not None and self.time is not None:
            twin.task = attrs.evolve(self.task)
            twin.time = ServerTime(clock)
            for name in ("_server", "_monotonic", "_wall", "_text", "_ahead"):
                setattr(twin.time, name, getattr(self.time, name))
        return twin

    def start(self) -> None:
        """Start a process: it asks for the time, then reads its account from the source."""
        self.time = ServerTime(self.clock)
        self.time.observe(dated(self.clock.time() + self.server_ahead))
        self.task = Task(self.account_id, self.time.earliest())
        known = self.row
        if known is None:
            self.row = row_of(self.task)
        self.command = self.step(Admitted(known))

    def kill(self, seconds: float) -> None:
        """Kill the process; *seconds* later another one is started."""
        self.clock.advance(seconds)
        self.start()

    def sleep(self, seconds: float) -> None:
        """Close the lid of the machine for *seconds*."""
        self.clock.shift(seconds)

    def step(self, event: Event) -> Command:
        assert self.task is not None
        assert self.time is not None
        now = Now(self.time.earliest(), self.time.latest(), self.clock.draw())
        return step(self.job, self.task, event, now)

    def wait_for_turn(self) -> None:
        """Carry out commands until it is the task's turn, or everything is done."""
        assert self.task is not None
        if isinstance(self.command, EnqueueAfter):
            self.clock.advance(self.command.seconds)
        if isinstance(self.command, Store | Finish):
            self.row = row_of(self.task)

    def exchange(self, fault: Fault | None) -> None:
        """Take the turn, with *fault* happening to the request."""
        match self.step(Due()):
            case Send(key):
                self.command = self.step(self.send(key, fault))
            case Look():
                self.command = self.step(self.look(fault))
            case later:
                self.command = later

    def send(self, key: str, fault: Fault | None) -> Event:
        try:
            account, headers = self.over_the_network(REFRESH.operation, key, fault)
        except FCError as error:
            return after_sending(error)
        return Accepted(account, is_replay(headers))

    def look(self, fault: Fault | None) -> Event:
        try:
            return Seen(self.over_the_network(RETRIEVE, None, fault)[0])
        except FCError as error:
            return after_looking(error)

    def over_the_network(
        self, operation: Operation[Account], key: str | None, fault: Fault | None
    ) -> tuple[Account, Any]:
        params = {"features": ["balance"]} if key else None
        request = build(
            operation, OPTIONS, object_id=self.account_id, params=params, idempotency_key=key
        )
        answer = self.answer(request.url, request.headers, request.body, fault)
        self.observe()
        return interpret(request, answer), answer.headers

    def observe(self) -> None:
        """Read the server's clock, as every response lets the process do."""
        assert self.time is not None
        assert self.task is not None
        back = self.time.observe(dated(self.clock.time() + self.server_ahead))
        if back:
            date_back(self.task, back)
            self.row = row_of(self.task)

    def answer(self, url: str, headers: Any, body: bytes | None, fault: Fault | None) -> Answer:
        self.clock.advance(0.1)
        if fault is ZOMBIE:
            self.zombies = (*self.zombies, (url, headers, body))
            raise APITimeoutError("no answer", may_have_executed=True)
        path = url.removeprefix(OPTIONS.base_url)
        low = {name.lower(): value for name, value in headers.items()}
        self.world.faults.clear()
        if fault is not None:
            self.world.faults.add([fault])
        method = "POST" if body is not None else "GET"
        asked = Request(method, path, body=body or b"", headers=low)
        reply, _ = self.world.apply(asked, self.clock.time() + self.server_ahead)
        if fault is not None and fault.kind in NO_ANSWER:
            error = APITimeoutError if fault.kind == "delay" else APIConnectionError
            raise error("no answer", may_have_executed=True)
        text = b"<html>" if fault is not None and fault.kind == "garbage" else reply.body
        return Answer(reply.status, CIMultiDict(reply.headers), text)

    def deliver(self) -> None:
        """Let the requests arrive that are still under way."""
        late, self.zombies = self.zombies, ()
        for message in late:
            self.answer(*message, None)

    def set_clock(self, seconds: float) -> None:
        """Move the server's clock by *seconds*."""
        self.server_ahead += seconds

    def retry(self, seconds: float) -> None:
        """Run the job once more, *seconds* later, with ``retry_failed=True`` and no faults."""
        self.job = attrs.evolve(self.job, retry_failed=True)
        self.kill(seconds)
        for _ in range(30):
            self.wait_for_turn()
            if isinstance(self.command, Finish | Forget):
                return
            self.exchange(None)
        raise AssertionError("stuck")

    @property
    def executions(self) -> int:
        """How often the refresh was carried out."""
        return self.world.ledger.executions("refresh").get(self.account_id, 0)


def histories(
    history: History, faults: tuple[Fault, ...], strikes: int, gaps: tuple[Any, ...], pauses: int
) -> Iterator[tuple[History, tuple[str, ...]]]:
    """Yield every end that *history* can come to, with what happened on the way.

    Args:
        history: Where to begin; it is used up.
        faults: What may happen to a request.
        strikes: How many faults may still happen.
        gaps: ``(how, seconds)`` that may come between a command and its request.
        pauses: How many gaps may still happen.
    """
    yield from _histories(history, faults, strikes, gaps, pauses, ())


def _histories(
    history: History,
    faults: tuple[Fault, ...],
    strikes: int,
    gaps: tuple[Any, ...],
    pauses: int,
    past: tuple[str, ...],
) -> Iterator[tuple[History, tuple[str, ...]]]:
    assert len(past) < 60, f"stuck: {past}"
    if pauses and isinstance(history.command, Store):
        for how, seconds in gaps:
            if how == "killed":  # with the new generation not yet on disk
                twin = history.fork()
                twin.kill(seconds)
                words = (*past, f"killed before storing {seconds}")
                yield from _histories(twin, faults, strikes, gaps, pauses - 1, words)
    history.wait_for_turn()
    if isinstance(history.command, Finish):
        yield history, past
        return
    for how, seconds in gaps if pauses else ():
        twin = history.fork()
        match how:
            case "killed":
                twin.kill(seconds)
            case "asleep":
                twin.sleep(seconds)
            case _:
                twin.set_clock(seconds)
        words = (*past, f"{how} {seconds}")
        yield from _histories(twin, faults, strikes, gaps, pauses - 1, words)
    if history.zombies:
        twin = history.fork()
        twin.deliver()
        yield from _histories(twin, faults, strikes, gaps, pauses, (*past, "zombies arrive"))
    for fault in faults if strikes else ():
        twin = history.fork()
        twin.exchange(fault)
        words = (*past, f"{fault.kind} {fault.answer_status} {fault.executes} {fault.stores}")
        yield from _histories(twin, faults, strikes - 1, gaps, pauses, words)
    history.exchange(None)
    yield from _histories(history, faults, strikes, gaps, pauses, (*past, "ok"))
