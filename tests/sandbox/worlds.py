"""A world without a wire, for tests: requests go in, status and JSON come out."""

from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

import attrs
import orjson

from fcasync.sandbox._api.calls import Reply
from fcasync.sandbox._api.faults import Fault
from fcasync.sandbox._api.messages import Request
from fcasync.sandbox._api.operations import Emit
from fcasync.sandbox._api.rates import RateLimit
from fcasync.sandbox._api.world import Settings, World
from fcasync.sandbox._bank.states import Timing

ACCOUNTS = "/v1/financial_connections/accounts"
EVENTS = "/v1/events"
THIN_EVENTS = "/v2/core/events"
SESSIONS = "/v1/financial_connections/sessions"
TRANSACTIONS = "/v1/financial_connections/transactions"
START = 1_800_000_000.0


@attrs.define
class Driver:
    """Drives one world through time.

    Attributes:
        now: The real time that the next request happens at.
        effects: The effects of all requests so far.
        reply: The reply to the latest request.
    """

    world: World
    now: float = START
    effects: list[Emit] = attrs.Factory(list)
    _reply: Reply | None = None

    def send(
        self,
        method: str,
        path: str,
        params: Any = (),
        *,
        key: str | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, Any]]:
        """Return status and body; parameters are (name, value) pairs or encoded text."""
        text = params if isinstance(params, str) else urlencode(list(params))
        named = dict(headers or {}) | ({} if key is None else {"idempotency-key": key})
        where = ("", text.encode()) if method == "POST" else (text, b"")
        self._reply, effects = self.world.apply(Request(method, path, *where, named), self.now)
        self.effects += effects
        return self.reply.status, orjson.loads(self.reply.body)

    @property
    def reply(self) -> Reply:
        """The reply to the latest request."""
        assert self._reply is not None, "nothing was sent yet"
        return self._reply

    def events(self) -> list[dict[str, Any]]:
        """Return the events of the last 30 days, newest first."""
        return [event for page in self.pages(EVENTS) for event in page]

    def pages(self, path: str, *params: tuple[str, Any]) -> Iterator[list[dict[str, Any]]]:
        """Walk through a list, newest first."""
        after: list[tuple[str, Any]] = []
        while True:
            page = self.get(path, *params, ("limit", 100), *after)
            yield page["data"]
            if not page["has_more"]:
                return
            after = [("starting_after", page["data"][-1]["id"])]

    def get(self, path: str, *params: tuple[str, Any]) -> dict[str, Any]:
        """Return the body of a GET that must succeed."""
        status, body = self.send("GET", path, params)
        assert status == 200, body
        return body

    def post(self, path: str, *params: tuple[str, Any], key: str | None = None) -> dict[str, Any]:
        """Return the body of a POST that must succeed."""
        status, body = self.send("POST", path, params, key=key)
        assert status == 200, body
        return body

    def statuses(self, count: int, path: str = ACCOUNTS) -> list[int]:
        """Return the statuses of *count* GETs."""
        return [self.send("GET", path)[0] for _ in range(count)]

    def account_id(self, index: int) -> str:
        """Return the id of account number *index*."""
        return self.world.store.seed.account_ids.encode(index)

    def url(self, index: int, verb: str = "") -> str:
        """Return the path of an account or of one of its operations."""
        return f"{ACCOUNTS}/{self.account_id(index)}{verb and '/' + verb}"


def driver(
    *faults: Fault, timing: Timing | None = None, rate_limit: RateLimit | None = None, **kwargs: Any
) -> Driver:
    """Return a fresh world with a driver."""
    settings = Settings(
        faults=faults,
        timing=timing or Timing(),
        rate_limit=rate_limit or RateLimit(),
        **kwargs,
    )
    return Driver(World(settings))
