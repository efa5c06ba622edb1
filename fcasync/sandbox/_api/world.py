"""One world: everything that one API key sees, as a function from request to reply.

How the sandbox thinks
----------------------

``World.apply(request, now)`` is the whole server without the wire: it reads no clock, opens no
socket and draws no random numbers. The same requests at the same times give the same replies,
byte for byte, so a failing test replays, and a model test can drive millions of requests or fork
a world (``copy``) at any point.

*Time* is an argument. Nothing runs in the background: a refresh that was started at 10:00:00 and
takes 0.7 s simply reads as pending before 10:00:00.7 and as settled after. How it ends follows
from the seed, the account and the attempt, so no timer has to fire, and ``advance`` is an
addition.

*Space* is arithmetic. Ids can be read back to numbers, and account number *i* is a function of the
seed. Only what differs from the seed is held.

*A request* passes these gates in Stripe's order (``gates``); the first that refuses answers:

    API key -> route -> version -> rate limit -> fault -> idempotency key -> parameters -> operation

Whatever the operation answers, errors included, is the result of the key, and repeats get it
until 24 hours have passed. What an earlier gate answers is not kept. A fault stands where a
real one would: ``executed`` says whether the operation runs behind it, and only afterwards does
the wire learn how to mangle the answer. While a fault holds an answer back, the request is in
flight: its key is in use, and it takes up concurrency.

*Effects* are what the world wants others to know: events that become due at a time. They are
entered in its log when somebody looks after that time; whoever owns the wire asks for the ``news``.
"""

import attrs

from fcasync.sandbox._api import gates
from fcasync.sandbox._api.calls import Call, Reply
from fcasync.sandbox._api.error_bodies import ApiError, plain
from fcasync.sandbox._api.faults import Fault, FaultBook
from fcasync.sandbox._api.idempotency import Keys
from fcasync.sandbox._api.ledger import LONGEST, Ledger
from fcasync.sandbox._api.messages import Answer, Request, date
from fcasync.sandbox._api.operations import Emit
from fcasync.sandbox._api.rates import Limiter, RateLimit
from fcasync.sandbox._bank.dice import Salt, mix, number_of
from fcasync.sandbox._bank.event_bodies import API_VERSION
from fcasync.sandbox._bank.events import Happened
from fcasync.sandbox._bank.ids import request_id
from fcasync.sandbox._bank.seed import Seed
from fcasync.sandbox._bank.states import DAY, Timing
from fcasync.sandbox._bank.store import Store

_FARTHEST = 100 * 365 * DAY


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
    delivers: bool = False
    """Whether webhooks are sent, so that events are undelivered until an endpoint takes them."""
    longest_ledger: int = LONGEST


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
        self.store: Store = Store(seed, settings.timing, name, delivers=settings.delivers)
        self.keys: Keys = Keys()
        self.limiter: Limiter = Limiter(settings.rate_limit)
        self.faults: FaultBook = FaultBook(settings.faults)
        self.ledger: Ledger = Ledger(settings.longest_ledger)
        self.latency: float = settings.latency
        self.offset: float = 0.0
        """Seconds by which the world's clock is ahead of the real one."""
        self.over = False
        """Whether a reset has replaced this world: its events are not sent any more."""

    def copy(self) -> "World":
        """Return a world that changes on its own from here on; it costs as much as what changed."""
        twin = World(self.settings, self.name)
        for part in ("store", "keys", "limiter", "faults", "ledger"):
            setattr(twin, part, getattr(self, part).copy())
        twin.offset = self.offset
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
        self.settle(now)
        call = self._open(request, now)
        answer = gates.answer(self, call)
        self.store.log.expect(answer.effects)
        return self._close(call, answer), answer.effects

    def refuse(self, request: Request, error: ApiError, now: float) -> Reply:
        """Answer a request that no gate gets to see, and enter it in the ledger."""
        call = self._open(request, now)
        return self._close(call, call.refuse(error))

    def settle(self, now: float) -> float:
        """Enter the events that were due, and return the world's time when the real one is *now*.

        To be called before anything changes that is not a request.
        """
        at = self.now(now)
        self.store.settle(at)
        return at

    def news(self, now: float) -> list[Happened]:
        """Return the events that have happened since the last time, oldest first."""
        self.settle(now)
        return self.store.log.news()

    def _open(self, request: Request, now: float) -> Call:
        number = self.ledger.requests
        seed = mix(self.store.seed.number, Salt.REQUEST, number)
        key = request.headers.get("idempotency-key")
        return Call(request, self.now(now), request_id(seed, number), seed, key and plain(key))

    def _close(self, call: Call, answer: Answer) -> Reply:
        """Enter *call* in the ledger, and return its answer with the headers of every reply."""
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
                "fault": call.fault.kind or None,
            }
        )
        version = request.headers.get("stripe-version", "")
        headers = {
            "Date": date(int(call.now)),
            "Request-Id": call.id,
            "Stripe-Version": version if gates.is_version(version) else API_VERSION,
            **answer.headers,
        }
        if call.key is not None and request.method == "POST" and gates.is_key(call.key):
            headers["Idempotency-Key"] = call.key
        return Reply(answer.status, answer.body, headers, hold=call.hold, fault=call.fault)
