"""Stripe as a run sees it, in virtual time and without a byte on the wire."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterable, AsyncIterator, Callable
from datetime import UTC, datetime
from email.utils import formatdate
from types import MappingProxyType
from typing import Any

import attrs

from fcasync._rules.pace import Pace
from fcasync._rules.request import Response
from fcasync._wire.reads import Reads
from fcasync._wire.reporting import Reporter
from fcasync.bulk._outcome import Outcome
from fcasync.bulk._plan.verbs import REFRESH
from fcasync.bulk._run import BulkRun
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tenants import Tenants
from fcasync.errors import (
    APIStatusError,
    FCError,
    InvalidRequestError,
    NotFoundError,
    RateLimitError,
)
from fcasync.models import Account, BalanceRefresh, Page
from fcasync.testing import FakeClock
from tests._virtual import run as virtually
from tests._virtual import virtual_clock

Fault = Callable[[str, int], FCError | None]


def no_fault(account_id: str, attempt: int) -> FCError | None:
    return None


@attrs.define(slots=False)
class FakeNetwork:
    """Accounts whose balances can be refreshed, behind a token bucket."""

    ids: list[str]
    latency: float = 0.1
    rate: Callable[[float], float] = lambda now: 1e9
    burst: float = 1e9
    settle_seconds: float | Callable[[str], float] = 0.0
    refreshed_before: float | None = None
    """Unix time of a refresh of every account that succeeded before anything else."""
    status: dict[str, str] = attrs.field(factory=dict)
    """Accounts that are not active."""
    cooldown: float = 0.0
    """Seconds after a refresh in which the next one is refused."""
    fails_at_bank: frozenset[str] = frozenset()
    fault: Fault = no_fault
    clock: FakeClock = attrs.field(factory=virtual_clock)
    pace: Pace = attrs.field(factory=Pace)
    api_key: str = "test 0123"
    stripe_account: str | None = None
    stripe_version: str = "2026-09-30.endive"
    reads: Reads = attrs.field(factory=Reads)
    reporter: Reporter = attrs.field(factory=lambda: Reporter(()))
    refreshed_at: dict[str, float] = attrs.field(factory=dict)
    executions: dict[str, int] = attrs.field(factory=dict)
    asked: Counter[str] = attrs.field(factory=Counter)
    """Requests for each account that the rate limit let through."""
    keys: set[str] = attrs.field(factory=set)
    sends: list[tuple[float, str]] = attrs.field(factory=list)
    lists: int = 0
    gets: int = 0
    limited: int = 0
    tenants: dict[str, "FakeNetwork"] = attrs.field(factory=dict)
    in_flight: int = 0
    most_in_flight: int = 0
    tokens: float = attrs.field(init=False)
    filled_at: float = 0.0

    def __attrs_post_init__(self) -> None:
        self.tokens = self.burst

    def of_tenant(self, stripe_account: str) -> "FakeNetwork":
        return self.tenants[stripe_account]

    def accounts(self) -> AsyncIterable[Account]:
        return self._accounts()

    async def _accounts(self) -> AsyncIterator[Account]:
        for account_id in self.ids:
            yield self.account(account_id)

    async def send(self, account_id: str, idempotency_key: str) -> Response[Account]:
        self.sends.append((self.clock.monotonic(), account_id))
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await self.clock.sleep(self.latency / 2)
            if not self.take():
                self.limited += 1
                raise RateLimitError("slow down", status=429)
            self.asked[account_id] += 1
            if error := self.fault(account_id, self.asked[account_id]):
                raise error
            if idempotency_key not in self.keys:
                self.refuse(account_id)
            return self.execute(account_id, idempotency_key)
        except APIStatusError as error:
            error.headers = self.headers
            raise
        finally:
            await self.clock.sleep(self.latency / 2)
            self.in_flight -= 1

    def refuse(self, account_id: str) -> None:
        """Refuse, as Stripe does, what cannot be refreshed now."""
        if account_id in self.status:
            raise InvalidRequestError("inactive", status=400, code="account_inactive")
        started = self.refreshed_at.get(account_id, self.refreshed_before)
        if started is not None and self.clock.time() < started + self.cooldown:
            raise InvalidRequestError("too early", status=400, type="invalid_request_error")

    def execute(self, account_id: str, key: str) -> Response[Account]:
        is_replay = key in self.keys
        self.keys.add(key)
        if not is_replay:
            self.executions[account_id] = self.executions.get(account_id, 0) + 1
            self.refreshed_at[account_id] = self.clock.time()
        return self.response(self.account(account_id), is_replay)

    def take(self) -> bool:
        now = self.clock.monotonic()
        gained = (now - self.filled_at) * self.rate(now)
        self.tokens, self.filled_at = min(self.burst, self.tokens + gained), now
        if self.tokens < 1:
            return False
        self.tokens -= 1
        return True

    async def retrieve(self, account_id: str) -> Response[Account]:
        self.gets += 1
        self.reads.count += 1
        await self.clock.sleep(self.latency)
        if account_id not in self.ids:
            raise NotFoundError("no such account", status=404)
        return self.response(self.account(account_id))

    async def list_page(self, starting_after: str | None, limit: int) -> Response[Page[Account]]:
        self.lists += 1
        self.reads.count += 1
        await self.clock.sleep(self.latency)
        start = 0 if starting_after is None else self.ids.index(starting_after) + 1
        data = [self.account(account_id) for account_id in self.ids[start : start + limit]]
        has_more = start + limit < len(self.ids)
        return self.response(Page(data=data, has_more=has_more, url="/v1/x"))

    def account(self, account_id: str) -> Account:
        started = self.refreshed_at.get(account_id, self.refreshed_before)
        refresh = None if started is None else self.refresh(account_id, started)
        status = self.status.get(account_id, "active")
        return Account(id=account_id, status=status, balance_refresh=refresh)

    def refresh(self, account_id: str, started: float) -> BalanceRefresh:
        status = "failed" if account_id in self.fails_at_bank else "succeeded"
        settle = self.settle_seconds
        if self.clock.time() < started + (settle(account_id) if callable(settle) else settle):
            status = "pending"
        opens = datetime.fromtimestamp(started + self.cooldown, UTC) if self.cooldown else None
        return BalanceRefresh(
            status=status,
            last_attempted_at=datetime.fromtimestamp(int(started), UTC),
            next_refresh_available_at=None if status == "pending" else opens,
        )

    @property
    def headers(self) -> Any:
        return MappingProxyType(
            {
                "Date": formatdate(self.clock.time(), usegmt=True),
                "Content-Type": "application/json",
                "Request-Id": "req_1",
            }
        )

    def response(self, value: Any, is_replay: bool = False) -> Response[Any]:
        return Response(
            value=value,
            status=200,
            headers=self.headers,
            request_id="req_1",
            idempotency_key=None,
            idempotent_replayed=is_replay,
            attempts=1,
            elapsed=self.latency,
        )

    def run(self, source: Any = None, **settings: Any) -> BulkRun:
        """Return a refresh of the balances of *source*; by default, of all accounts."""
        facts = {"verb": REFRESH, "features": ("balance",), **settings}
        facts["is_for_many"] = isinstance(source, Tenants)
        return BulkRun(self, self.ids if source is None else source, Settings(**facts))


def ids(count: int) -> list[str]:
    return [f"fca_{number:06}" for number in range(count)]


def fast() -> Pace:
    """Return a pace that is not in the way of what a test is about."""
    pace = Pace()
    pace.learn(1000.0)
    return pace


def work_off(
    network: FakeNetwork, source: Any = None, **settings: Any
) -> tuple[list[Outcome], Any]:
    """Run to the end; return the outcomes and the report."""

    async def main() -> tuple[list[Outcome], Any]:
        async with network.run(source, **settings) as run:
            outcomes = [outcome async for outcome in run]
        assert len(asyncio.all_tasks()) == 1
        return outcomes, run.report

    return virtually(main())
