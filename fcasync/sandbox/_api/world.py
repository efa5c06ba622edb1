"""One world: everything that one API key sees, as a function from request to reply.

How the sandbox thinks
----------------------

``World.apply(request, now)`` is the whole server without the wire: it reads no clock, opens no
socket and draws no dice of its own. The same requests at the same times give the same replies,
byte for byte, so a failing test replays, and a model test can drive millions of requests or fork
a world (``copy``) at any point.

*Time* is an argument. Nothing runs in the background: a refresh that was started at 10:00:00 and
takes 0.7 s simply reads as pending before 10:00:00.7 and as settled after. How it ends follows
from the seed, the account and the attempt, so no timer has to fire, and ``advance`` is an
addition.

*Space* is arithmetic. Ids can be read back to numbers, and account number *i* is a function of the
seed. Only what differs from the seed is held.

*A request* passes these gates in Stripe's order; the first that refuses answers:

    headers -> route -> rate limit -> fault -> idempotency key -> parameters -> operation

Whatever the operation answers, errors included, is the result of the key, and repeats get it
until 24 hours have passed. What an earlier gate answers is kept nowhere. A fault stands where a
real one would: ``executed`` says whether the operation runs behind it, and the wire only learns
afterwards how to mangle the answer. While a fault holds an answer back, the request counts
as under way: its key is in use, and it takes up concurrency.

*Effects* are what the world wants told to others: events that become due at a time. Whoever owns
the wire keeps them, and asks ``due`` for the event when they are.
"""

import re
from collections.abc import Mapping
from typing import Any

import attrs
import orjson

from fcasync.sandbox._api import error_bodies, expand
from fcasync.sandbox._api.faults import Fault, FaultBook
from fcasync.sandbox._api.idempotency import LONGEST_KEY, Keys, Result, fingerprint
from fcasync.sandbox._api.ledger import LONGEST, Ledger
from fcasync.sandbox._api.messages import Reply, Request, date, read_params
from fcasync.sandbox._api.operations import RUN, Done, Emit, Input, bank_event
from fcasync.sandbox._api.rates import Limiter, RateLimit
from fcasync.sandbox._api.routes import Operation, route
from fcasync.sandbox._bank.dice import mix, number_of
from fcasync.sandbox._bank.ids import request_id, token
from fcasync.sandbox._bank.seed import Seed
from fcasync.sandbox._bank.states import DAY, Timing
from fcasync.sandbox._bank.store import Store

API_VERSION = "2026-09-30.endive"
_VERSION = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(\.[a-z]+)?(; ?[a-z_=.v0-9]+)*")
_FARTHEST = 100 * 365 * DAY
_KEY = re.compile(rf"[\x20-\x7e]{{1,{LONGEST_KEY}}}")


@attrs.frozen(kw_only=True)
class Settings:
    """How a world is made."""

    seed: int = 0
    accounts: int = 25
    varied: bool = True
    timing: Timing = attrs.field(factory=Timing)
    rate_limit: RateLimit = attrs.field(factory=RateLimit)
    faults: tuple[Fault, ...] = ()
    latency: float = 0.0
    """Seconds for which every answer is held."""
    longest_ledger: int = LONGEST


@attrs.define
class _Call:
    """A request that has been given a number and a time, and then its operation."""

    request: Request
    now: float
    id: str
    dice: int
    operation: Operation | None = None
    target: str = ""

    @property
    def key(self) -> str | None:
        key = self.request.headers.get("idempotency-key")
        return key and error_bodies.plain(key)

    @property
    def account(self) -> str | None:
        if self.operation is None or not self.operation.path.startswith("accounts/"):
            return None
        return self.target


@attrs.frozen
class _Answer:
    status: int
    body: bytes
    headers: Mapping[str, str] = attrs.field(factory=dict)
    executed: bool = False
    replayed: bool = False
    hold: float = 0.0
    fault: Fault | None = None
    effects: tuple[Emit, ...] = ()


class World:
    """Everything that one API key sees."""

    def __init__(self, settings: Settings, name: str = "") -> None:
        """Make a world.

        Args:
            settings: How it starts.
            name: Worlds of the same seed with other names hold other accounts; a connected
                account's world is named after it.
        """
        self.settings = settings
        self.name = name
        number = mix(settings.seed, number_of(name))
        seed = Seed(number, settings.accounts, varied=settings.varied)
        self.store = Store(seed, settings.timing)
        self.keys = Keys()
        self.limiter = Limiter(settings.rate_limit)
        self.faults = FaultBook(settings.faults)
        self.ledger = Ledger(settings.longest_ledger)
        self.offset = 0.0
        self.events = 0
        self.over = False
        """Whether a reset has put another world in its place: its events are not sent any more."""

    def copy(self) -> "World":
        """Return a world that goes its own way from here on; its cost is that of what changed."""
        twin = World(self.settings, self.name)
        for part in ("store", "keys", "limiter", "faults", "ledger"):
            setattr(twin, part, getattr(self, part).copy())
        twin.offset = self.offset
        twin.events = self.events
        return twin

    def __deepcopy__(self, memo: object) -> "World":
        return self.copy()

    def advance(self, seconds: float) -> None:
        """Move the world's clock forward.

        Raises:
            ValueError: *seconds* is negative, or the world would be 100 years ahead.
        """
        if not 0.0 <= seconds <= _FARTHEST - self.offset:
            raise ValueError(f"cannot advance by {seconds!r} seconds; at most 100 years in all")
        self.offset += seconds

    def now(self, now: float) -> float:
        """Return the world's time when the real one is *now*."""
        return now + self.offset

    def apply(self, request: Request, now: float) -> tuple[Reply, tuple[Emit, ...]]:
        """Answer one request.

        Args:
            request: What was sent.
            now: The real Unix time; the world adds what it was advanced by.

        Returns:
            The reply, and the events that it will cause.
        """
        call = self._open(request, now)
        try:
            operation, call.target = self._routed(request)
            call.operation = operation
            answer = self._admitted(call, operation)
        except error_bodies.ApiError as error:
            answer = self._refused(call, error)
        return self._close(call, answer), answer.effects

    def refuse(self, request: Request, error: error_bodies.ApiError, now: float) -> Reply:
        """Answer a request that never gets as far as a world, and write it down."""
        call = self._open(request, now)
        return self._close(call, self._refused(call, error))

    def due(self, effect: Emit, now: float) -> tuple[dict[str, Any] | None, tuple[Emit, ...]]:
        """Return the event that *effect* has become, if any, and the effects that follow it.

        Args:
            effect: One that :meth:`apply` returned, and that is due.
            now: The real Unix time.
        """
        now = self.now(now)
        if effect.daily is None:
            return self._event(effect, now), ()
        state = self.store.state(effect.account, now)
        if state.daily != effect.daily or state.status != "active":
            return None, ()
        # A refresh asked for meanwhile puts the daily one off.
        happened = state.transactions.started > effect.at - self.store.timing.settle_seconds - 1
        event = self._event(effect, now) if happened else None
        return event, (attrs.evolve(effect, at=state.tomorrow(self.store.timing)),)

    def happen(
        self, account_id: str, event: str, now: float
    ) -> tuple[dict[str, Any], tuple[Emit, ...]]:
        """Let a bank deactivate or reactivate an account.

        Args:
            account_id: The account.
            event: ``deactivate`` or ``reactivate``.
            now: The world's time.

        Returns:
            The account afterwards, and the events to come.

        Raises:
            ApiError: There is no such account, or nothing brings it back.
            ValueError: The event is unknown.
        """
        if event not in {"deactivate", "reactivate"}:
            raise ValueError(f"event {event[:50]!r} is neither deactivate nor reactivate")
        done = bank_event(self.store, account_id, event, now)
        return done.body, done.effects

    def _event(self, effect: Emit, now: float) -> dict[str, Any]:
        self.events += 1
        # Stripe tells whose event it is where it happened on a connected account.
        connected = {"account": self.name.rpartition("/")[2]} if self.name else {}
        return {
            "id": f"evt_{token(24, self.store.seed.number, 0xE4E7, self.events)}",
            "object": "event",
            **connected,
            "api_version": API_VERSION,
            "created": int(effect.at),
            "data": {"object": self.store.account(effect.account, now)},
            "livemode": False,
            "pending_webhooks": 1,
            "request": {"id": None, "idempotency_key": None},
            "type": f"financial_connections.account.{effect.type}",
        }

    def _open(self, request: Request, now: float) -> _Call:
        number = self.ledger.requests
        dice = mix(self.store.seed.number, 0x4E9, number)
        return _Call(request, self.now(now), request_id(dice, number), dice)

    def _routed(self, request: Request) -> tuple[Operation, str]:
        found = route(request.method, request.path)
        if found is None:
            raise error_bodies.unrecognized(request.method, request.path)
        version = request.headers.get("stripe-version")
        if version is not None and not _VERSION.fullmatch(version):
            raise error_bodies.ApiError(400, f"Invalid Stripe API version: {version[:50]}")
        return found

    def _admitted(self, call: _Call, operation: Operation) -> _Answer:
        self.limiter.admit(operation.name, call.now)
        fault = self.faults.strike(operation.name, call.dice)
        hold = self.settings.latency
        if fault is not None and fault.kind in {"delay", "drip"}:
            hold += fault.seconds
        if hold:
            self.limiter.occupy(call.now + hold)
        try:
            answer = self._perform(call, operation, hold, fault)
        except error_bodies.ApiError as error:
            answer = self._refused(call, error)
        if hold:
            answer = attrs.evolve(answer, hold=hold)
        return answer if fault is None else self._struck(call, answer, fault)

    def _perform(
        self, call: _Call, operation: Operation, hold: float, fault: Fault | None
    ) -> _Answer:
        told = read_params(call.request)
        if not operation.writes or call.key is None:
            return self._run(call, operation, told, fault)
        if not _KEY.fullmatch(call.key):
            message = f"An idempotency key has 1 to {LONGEST_KEY} printable ASCII characters."
            raise error_bodies.ApiError(400, message, type="idempotency_error")
        mark = fingerprint(operation.method, call.request.path, told)
        kept = self.keys.find(call.key, mark, call.now)
        if kept is not None:
            return self._replayed(kept)
        answer = self._run(call, operation, told, fault)
        result = self._result(call, answer, fault)
        if result is not None or hold:
            self.keys.keep(call.key, mark, call.now, call.now + hold, result)
        return answer

    def _run(
        self, call: _Call, operation: Operation, told: dict[str, Any], fault: Fault | None
    ) -> _Answer:
        params = operation.params.read(told, "")
        expand.check(params.get("expand", ()), operation.returns)
        if fault is not None and not fault.executes:
            return self._refused(call, error_bodies.failure(500))
        try:
            done = RUN[operation.name](self.store, Input(call.target, params, call.now))
        except error_bodies.ApiError as error:
            return self._refused(call, error)
        return self._answered(call, done, params.get("expand", ()))

    def _answered(self, call: _Call, done: Done, paths: tuple[str, ...]) -> _Answer:
        body = done.body
        if paths:
            body = expand.expand(body, paths, lambda found: self.store.ownership(found, call.now))
        return _Answer(200, orjson.dumps(body), executed=done.executed, effects=done.effects)

    def _result(self, call: _Call, answer: _Answer, fault: Fault | None) -> Result | None:
        if fault is not None and fault.stores:
            answer = self._refused(call, error_bodies.failure(fault.answer_status))
        elif fault is not None and not fault.executes:
            return None
        # A copy, for orjson's bytes keep the room that they were written into: 8 kB for 1 kB.
        return Result(answer.status, bytes(memoryview(answer.body)), call.id)

    def _replayed(self, kept: Result) -> _Answer:
        headers = {"Idempotent-Replayed": "true", "Original-Request": kept.request_id}
        return _Answer(kept.status, kept.body, headers, replayed=True)

    def _struck(self, call: _Call, answer: _Answer, fault: Fault) -> _Answer:
        heard = fault.executes and fault.kind != "status"
        answer = attrs.evolve(answer, fault=fault, replayed=answer.replayed and heard)
        if fault.kind != "status":
            return answer
        error = self._refused(call, error_bodies.failure(fault.answer_status))
        headers = {**error.headers, **fault.headers}
        return attrs.evolve(answer, status=error.status, body=error.body, headers=headers)

    def _refused(self, call: _Call, error: error_bodies.ApiError) -> _Answer:
        body = orjson.dumps(error.body(call.id, call.now))
        return _Answer(error.status, body, error.headers)

    def _close(self, call: _Call, answer: _Answer) -> Reply:
        request = call.request
        self.ledger.add(
            {
                "time": call.now,
                "method": request.method,
                "path": request.path,
                "operation": call.operation and call.operation.name,
                "account": call.account,
                "idempotency_key": call.key,
                "executed": answer.executed,
                "replayed": answer.replayed,
                "status": answer.status,
                "request_id": call.id,
                "fault": answer.fault and answer.fault.kind,
            }
        )
        version = request.headers.get("stripe-version", "")
        headers = {
            "Date": date(int(call.now)),
            "Request-Id": call.id,
            "Stripe-Version": version if _VERSION.fullmatch(version) else API_VERSION,
            **answer.headers,
        }
        if call.key is not None and request.method == "POST" and _KEY.fullmatch(call.key):
            headers["Idempotency-Key"] = call.key
        return Reply(answer.status, headers, answer.body, answer.hold, answer.fault)
