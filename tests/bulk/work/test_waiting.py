"""Waiting for the banks: nothing ends a wait but the bank's answer to our own refresh."""

import asyncio
import itertools
from datetime import UTC, datetime
from typing import Any

import pytest

from fcasync.bulk import Outcome, Tenants
from fcasync.bulk._plan.events import Event, TimedOut
from fcasync.bulk._plan.task import Task
from fcasync.bulk._work import reader, waiters
from fcasync.bulk._work.settler import Settler
from fcasync.bulk._work.turns import SLICE
from fcasync.errors import FCError
from fcasync.models import Account, BalanceRefresh, EventData, RelatedObject, ThinEvent
from fcasync.models import Event as Webhook
from tests._virtual import run as virtually
from tests.bulk.work._fake import FakeNetwork, fast, ids, work_off


def webhook(account: Account) -> Webhook[Account]:
    return Webhook(id="evt_1", data=EventData(object=account))


@pytest.mark.parametrize("seed", range(3))
def test_banks_that_answer_as_the_wait_ends_end_nothing_else(seed: int) -> None:
    """600 accounts, banks of 0 to 30 s, a wait of 15 s: a report in which nothing is missing."""
    names = ids(600)
    banks = {name: (number * 7919 + seed * 13) % 3000 / 100 for number, name in enumerate(names)}
    network = FakeNetwork(names, pace=fast(), settle_seconds=banks.__getitem__)
    outcomes, report = work_off(network, wait=True, wait_timeout=15.0)
    assert sorted(outcome.account_id for outcome in outcomes) == names
    pending = {outcome.account_id for outcome in outcomes if outcome.status == "pending"}
    assert {outcome.status for outcome in outcomes} == {"succeeded", "pending"}
    assert all(banks[name] > 15.0 for name in pending)
    assert (report.total, report.unfinished) == (600, 0)


def observe_all(network: FakeNetwork, times: int) -> tuple[list[bool], list[Outcome]]:
    """Wait for *network*'s accounts, observe each of them so many times at once, and finish."""

    async def main() -> tuple[list[bool], list[Outcome]]:
        async with network.run(wait=True) as run:
            await asyncio.sleep(1.0)
            network.settle_seconds = 0.0
            events = [webhook(network.account(name)) for name in network.ids]
            news = [run.observe(event) for event in events for _ in range(times)]
            outcomes = [outcome async for outcome in run]
        assert [run.observe(event) for event in events] == [False] * len(events)
        return news, outcomes

    return virtually(main())


def test_a_repeated_webhook_is_news_once() -> None:
    """Whatever comes twice before the disk has the first one is ignored, and never raises."""
    news, outcomes = observe_all(FakeNetwork(ids(5), pace=fast(), settle_seconds=500.0), 3)
    assert news == [True, False, False] * 5
    assert [outcome.status for outcome in outcomes] == ["succeeded"] * 5


def test_a_webhook_and_a_poll_at_once_are_news_once() -> None:
    """The settler may see what a webhook has just settled."""

    async def main() -> list[Outcome]:
        network = FakeNetwork(ids(30), pace=fast(), settle_seconds=1.5, latency=0.01)
        async with network.run(wait=True) as run:

            async def echo() -> None:
                while True:
                    for name in network.ids:
                        run.observe(webhook(network.account(name)))
                    await asyncio.sleep(0.01)

            echoing = asyncio.create_task(echo())
            try:
                return [outcome async for outcome in run]
            finally:
                echoing.cancel()

    assert [outcome.status for outcome in virtually(main())] == ["succeeded"] * 30


def test_an_event_older_than_our_refresh_ends_no_wait() -> None:
    """A late delivery about an earlier refresh says nothing about ours."""
    before = 1_759_999_990.0  # ten seconds earlier: within any slack for clocks
    network = FakeNetwork(ids(3), pace=fast(), settle_seconds=60.0)

    async def main() -> list[Outcome]:
        async with network.run(wait=True) as run:
            await asyncio.sleep(1.0)
            for name in network.ids:
                refresh = BalanceRefresh(
                    status="succeeded", last_attempted_at=datetime.fromtimestamp(before, UTC)
                )
                run.observe(webhook(Account(id=name, status="active", balance_refresh=refresh)))
            outcomes = [outcome async for outcome in run]
            assert asyncio.get_running_loop().time() >= 60.0
            return outcomes

    assert {outcome.status for outcome in virtually(main())} == {"succeeded"}


def test_a_page_computed_before_the_refresh_ends_no_wait() -> None:
    """A list that takes long shows accounts as they were when it was computed."""
    network = FakeNetwork(
        ids(300), pace=fast(), settle_seconds=40.0, refreshed_before=1_759_999_900.0
    )
    list_page = network.list_page

    async def slow(starting_after: str | None, limit: int) -> Any:
        response = await list_page(starting_after, limit)
        if limit > 1:
            await asyncio.sleep(5.0)
        return response

    network.list_page = slow  # type: ignore[method-assign]
    # Backwards, so that the first page shows accounts whose turn comes while it is on its way.
    outcomes, _ = work_off(network, network.ids[::-1], wait=True, max_rate=30.0)
    for outcome in outcomes:
        assert outcome.account is not None
        assert outcome.account.balance_refresh is not None
        attempted = outcome.account.balance_refresh.last_attempted_at
        assert attempted is not None
        assert attempted.timestamp() >= int(network.refreshed_at[outcome.account_id])


class Counting:
    """A settler with many waiting accounts, and how many steps it takes between two turns."""

    def __init__(self, count: int) -> None:
        self.network = FakeNetwork(ids(count), latency=0.0, settle_seconds=1e9)
        self.steps = 0
        self.worst = 0
        self.settler = Settler(self.network, 900.0, self.step, self.denied)
        for name in self.network.ids:
            self.settler.add(Task(name, 0))

    def denied(self, error: FCError) -> None:
        raise error

    def step(self, task: Task, event: Event) -> None:
        self.steps += 1
        if isinstance(event, TimedOut):
            self.settler.remove(task)

    async def watch(self, what: Any) -> None:
        """Run *what*, counting its steps between any two turns of the loop."""
        running = asyncio.create_task(what)
        before = self.steps
        while not running.done():
            await asyncio.sleep(0)
            self.worst = max(self.worst, self.steps - before)
            before = self.steps
        running.result()


def test_many_that_time_out_together_do_not_block_the_loop() -> None:
    """A hundred thousand accounts are given up in slices."""

    async def main() -> None:
        counting = Counting(100_000)
        await counting.watch(counting.settler._give_up(1000.0))
        assert (counting.steps, len(counting.settler)) == (100_000, 0)
        assert counting.worst <= SLICE

    virtually(main())


def test_waiting_accounts_cost_nothing_until_they_are_due(monkeypatch: pytest.MonkeyPatch) -> None:
    """A tick in which nobody is due touches nobody, however many wait."""
    touched = 0

    async def main() -> None:
        nonlocal touched
        counting = Counting(100_000)

        def count(self: Any, name: str) -> Any:
            nonlocal touched
            touched += 1
            return object.__getattribute__(self, name)

        monkeypatch.setattr(waiters.Waiter, "__getattribute__", count)
        assert await counting.settler._waiters.due(0.5) == []
        await counting.settler._give_up(0.5)
        assert touched == 0

    virtually(main())


def test_whoever_is_due_is_taken_in_slices() -> None:
    """Even if all polls fall due at once, others get their turns in between."""

    async def main() -> None:
        counting = Counting(100_000)
        turns = 0
        taking = asyncio.create_task(counting.settler._waiters.due(10.0))
        while not taking.done():
            await asyncio.sleep(0)
            turns += 1
        assert len(taking.result()) == 100_000
        assert turns >= 100_000 // SLICE

    virtually(main())


def test_no_more_accounts_wait_than_there_is_room_for(monkeypatch: pytest.MonkeyPatch) -> None:
    """The source is read on when one of them has settled; all have their outcome in the end."""
    monkeypatch.setattr(reader, "CAPACITY", 50)
    most = 0
    add = Settler.add

    def count(self: Settler, task: Task) -> None:
        nonlocal most
        add(self, task)
        most = max(most, len(self))

    monkeypatch.setattr(Settler, "add", count)
    network = FakeNetwork(ids(2000), pace=fast(), settle_seconds=5.0)
    outcomes, _ = work_off(network, wait=True)
    assert [outcome.status for outcome in outcomes] == ["succeeded"] * 2000
    # What had been read when the last place was taken is still sent.
    assert most < 1000


THIN = "v1.financial_connections.account."
SOON = 2.5
"""Seconds of virtual time: no poll of an account that has waited for minutes comes by chance."""


def thin(account_id: str, kind: str = "refreshed_balance", **changes: Any) -> ThinEvent:
    url = f"/v1/financial_connections/accounts/{account_id}"
    related = RelatedObject(id=account_id, type="financial_connections.account", url=url)
    return ThinEvent(**{"id": "evt_1", "type": THIN + kind, "related_object": related, **changes})


def wake(network: FakeNetwork, *events: ThinEvent) -> tuple[list[bool], float, int, list[Outcome]]:
    """Let banks answer at 300 s, observe *events* then; return news, seconds, GETs and outcomes."""

    async def main() -> tuple[list[bool], float, int, list[Outcome]]:
        loop = asyncio.get_running_loop()
        async with network.run(wait=True) as run:
            await asyncio.sleep(300.0)
            network.settle_seconds = 0.0
            gets, began = network.gets + network.lists, loop.time()
            news = [run.observe(event) for event in events]
            outcomes = [await anext(run) for _ in network.ids]
            return news, loop.time() - began, network.gets + network.lists - gets, outcomes

    return virtually(main())


@pytest.mark.parametrize(
    "kind", ["refreshed_balance", "balance_refresh_succeeded", "balance_refresh_failed"]
)
def test_a_thin_event_about_a_refresh_makes_its_account_be_read_at_once(kind: str) -> None:
    """It does not hold the account: one GET instead of the next poll, half a minute later."""
    network = FakeNetwork(ids(1), pace=fast(), settle_seconds=500.0)
    news, seconds, reads, outcomes = wake(network, thin(network.ids[0], kind))
    assert (news, reads) == ([True], 1)
    assert seconds < SOON
    assert outcomes[0].status == "succeeded"


def test_two_thin_events_about_one_refresh_cost_one_read() -> None:
    """Stripe sends `refreshed_balance` and `balance_refresh_succeeded` of each."""
    network = FakeNetwork(ids(5), pace=fast(), settle_seconds=500.0)
    kinds = ("refreshed_balance", "balance_refresh_succeeded")
    events = [thin(name, kind) for name in network.ids for kind in kinds]
    news, seconds, reads, outcomes = wake(network, *events)
    assert (news, reads) == ([True] * 10, 5)
    assert seconds < SOON
    assert [outcome.status for outcome in outcomes] == ["succeeded"] * 5


def test_many_thin_events_at_once_are_answered_by_pages() -> None:
    """As for polls: a page shows a hundred accounts."""
    network = FakeNetwork(ids(1000), pace=fast(), settle_seconds=500.0)
    _, seconds, reads, _ = wake(network, *map(thin, network.ids))
    assert reads <= 20
    assert seconds < SOON


@pytest.mark.parametrize(
    "event",
    [
        thin("fca_000000", "created"),
        thin("fca_000000", "refreshed_ownership"),
        thin("fca_000000", type=None),
        thin("fca_000000", related_object=None),
        thin("fca_000000", related_object=RelatedObject(id="fca_000000", type="customer")),
        thin("fca_other"),
    ],
    ids=lambda event: str(event.type),
)
def test_other_thin_events_cost_nothing(event: ThinEvent) -> None:
    """What does not end a refresh of the job's features, at an account it waits for."""
    network = FakeNetwork(ids(1), pace=fast(), settle_seconds=500.0)

    async def main() -> None:
        async with network.run(wait=True) as run:
            await asyncio.sleep(300.0)
            gets = network.gets
            assert not run.observe(event)
            await asyncio.sleep(1.0)
            assert network.gets == gets

    virtually(main())


def test_a_thin_event_that_comes_before_its_account_shows_it_leaves_the_polls_as_they_are() -> None:
    """One read more; the account settles by a later poll, and once."""
    network = FakeNetwork(ids(3), pace=fast(), settle_seconds=400.0)

    async def main() -> list[Outcome]:
        async with network.run(wait=True) as run:
            for _ in range(20):
                await asyncio.sleep(15.0)
                for name in network.ids:
                    assert run.observe(thin(name))
            outcomes = [outcome async for outcome in run]
            assert asyncio.get_running_loop().time() < 400.0 + 60.0
            assert not run.observe(thin(network.ids[0]))
            return outcomes

    assert [outcome.status for outcome in virtually(main())] == ["succeeded"] * 3


def test_thin_events_while_accounts_are_polled_lose_nobody() -> None:
    """Whatever the order of polls, events and answers, each account has one outcome."""

    async def main() -> list[Outcome]:
        network = FakeNetwork(ids(60), pace=fast(), settle_seconds=8.0, latency=0.3)
        async with network.run(wait=True) as run:

            async def echo() -> None:
                for number in itertools.count():
                    run.observe(thin(network.ids[number * 7 % 60]))
                    await asyncio.sleep(0.03)

            echoing = asyncio.create_task(echo())
            try:
                return [outcome async for outcome in run]
            finally:
                echoing.cancel()

    outcomes = virtually(main())
    assert sorted(outcome.account_id for outcome in outcomes) == ids(60)
    assert {outcome.status for outcome in outcomes} == {"succeeded"}


def test_a_thin_event_of_a_tenant_wakes_the_account_of_that_tenant() -> None:
    """`event.context` says whose it is."""
    tenants = {
        name: FakeNetwork(ids(1), pace=fast(), settle_seconds=500.0)
        for name in ("acct_1", "acct_2")
    }
    network = FakeNetwork([], pace=fast(), tenants=tenants)

    async def main() -> None:
        source = Tenants({name: each.ids for name, each in tenants.items()})
        async with network.run(source, wait=True) as run:
            await asyncio.sleep(300.0)
            before = [each.gets for each in tenants.values()]
            assert run.observe(thin("fca_000000", context="acct_2"))
            assert not run.observe(thin("fca_000000", context="acct_3"))
            await asyncio.sleep(0.5)
            assert [
                each.gets - gets for each, gets in zip(tenants.values(), before, strict=True)
            ] == [0, 1]

    virtually(main())
