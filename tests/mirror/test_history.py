"""Whatever happens meanwhile: after the last sync the tables equal the list, row by row."""

import asyncio
import random
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

import fcasync
from fcasync._rules.request import Request
from fcasync.mirror import Mirror
from fcasync.mirror import _reading as reading
from fcasync.testing import answer
from tests._bank import Bank, BankAccount, Json
from tests.mirror._look import listed, transactions

ACCOUNTS, REFRESHES = 20, 4
PHASES = [Phase.explicit, Phase.reuse, Phase.generate]
"""Not shrunk: each example takes half a second, and its seed says all."""
Table = dict[str, Json]
Cursors = dict[str, str | None]


class History:
    """The same 20 accounts for everybody: refreshes before, between and during the syncs."""

    def __init__(self) -> None:
        self.bank = Bank(ACCOUNTS)
        self._draw = random.Random(15)
        self._during: set[str] = set()
        """The accounts that still have a refresh to come while they are synced."""
        self._listed: set[str] = set()
        self.bank.meanwhile = self._meanwhile

    async def play(self, sync: Callable[[], Coroutine[Any, Any, None]]) -> None:
        """Call *sync* after each refresh, and once more at the end, when nothing moves."""
        for _ in range(REFRESHES):
            for account in self.bank.accounts.values():
                count = len(account.transactions)
                new = [f"fctxn_{account.id[4:]}_{count + n}" for n in range(12)]
                status = self._draw.choice
                created = [{"id": name, "status": status(["pending", "posted"])} for name in new]
                account.refresh(created + account.changes(self._draw))
            self._during, self._listed = set(self.bank.accounts), set()
            await sync()
        await sync()

    def _meanwhile(self, request: Request[Any]) -> None:
        """Refresh each account once between its list and the next time that it is read."""
        if request.operation.name == "list_transactions":
            (name,) = [name for name in self.bank.accounts if name in request.query]
            self._listed.add(name)
        elif request.object_id in self._during & self._listed:
            self._refresh(self.bank.accounts[str(request.object_id)])

    def _refresh(self, account: BankAccount) -> None:
        self._during.discard(account.id)
        account.refresh([*account.changes(self._draw), {"id": f"fctxn_{account.id[4:]}_late"}])

    def between(self) -> None:
        """Refresh the accounts that were listed, and were not refreshed since."""
        for name in self._during & self._listed:
            self._refresh(self.bank.accounts[name])


async def sample(history: History, client: fcasync.Client, table: Table, cursors: Cursors) -> None:
    """Do what Stripe's sample does: one page, and the id of the latest refresh."""
    for name in history.bank.accounts:
        account = await client.accounts.retrieve(name)
        page = await client.transactions.list(name, **after(cursors.get(name)))
        table.update((each.id, fcasync.to_dict(each)) for each in page.data)
        assert account.transaction_refresh is not None
        cursors[name] = account.transaction_refresh.id


async def id_after_the_list(
    history: History, client: fcasync.Client, table: Table, cursors: Cursors
) -> None:
    """Walk all pages, then read which refresh is the latest."""
    for name in history.bank.accounts:
        async for each in client.transactions.list(name, **after(cursors.get(name))):
            table[each.id] = fcasync.to_dict(each)
        account = await client.accounts.retrieve(name)
        assert account.transaction_refresh is not None
        cursors[name] = account.transaction_refresh.id


async def last_seen_id(
    history: History, client: fcasync.Client, table: Table, cursors: Cursors
) -> None:
    """Ask for what is newer than the last transaction seen."""
    for name in history.bank.accounts:
        if cursors.get(name) is None:
            found = await client.transactions.list(name).collect()
        else:
            walk = client.transactions.list(name, ending_before=cursors[name])
            found = (await walk.collect())[::-1]
        table.update((each.id, fcasync.to_dict(each)) for each in found)
        cursors[name] = found[0].id if found else cursors.get(name)
        await client.accounts.retrieve(name)


async def ours(history: History, client: fcasync.Client, table: Table, cursors: Cursors) -> None:
    """Use client.transactions.sync."""
    for name in history.bank.accounts:
        sync = client.transactions.sync(name, after=cursors.get(name))
        async for each in sync:
            table[each.id] = fcasync.to_dict(each)
        cursors[name] = sync.cursor
        await client.accounts.retrieve(name)


def after(cursor: str | None) -> Any:
    return {} if cursor is None else {"transaction_refresh": {"after": cursor}}


WAYS = [
    # how the cursor is kept, whether rows are missing, whether rows are stale
    (sample, True, None),
    (id_after_the_list, True, True),
    (last_seen_id, None, True),
    (ours, False, False),
]


@pytest.mark.parametrize(
    ("way", "misses", "is_stale"), WAYS, ids=lambda value: getattr(value, "__name__", str(value))
)
async def test_only_the_refresh_read_before_the_list_is_a_cursor(
    way: Any, misses: bool | None, is_stale: bool | None
) -> None:
    """The ways of Stripe's sample and of public code lose rows or keep stale ones; ours does not.

    All play the same history; what is right is what Stripe lists at its end. None: not asserted.
    """
    history = History()
    client = history.bank.client()
    table: Table = {}
    cursors: Cursors = {}
    await history.play(lambda: way(history, client, table, cursors))
    truth = {
        name: row for a in history.bank.accounts.values() for name, row in a.transactions.items()
    }
    missing = truth.keys() - table.keys()
    stale = {name for name in table if table[name]["status"] != truth[name]["status"]}
    assert misses is None or bool(missing) == misses, len(missing)
    assert is_stale is None or bool(stale) == is_stale, len(stale)
    if way is not ours:
        hurt = {truth[name]["account"] for name in missing | stale}
        assert len(hurt) == ACCOUNTS


async def test_the_mirror_loses_nothing_in_the_same_history(url: str) -> None:
    """Nor does it keep a stale row, with refreshes before, between and during its syncs."""
    history = History()
    client = history.bank.client()
    async with Mirror(url) as mirror:

        async def sync() -> None:
            report = await mirror.sync(client, list(history.bank.accounts))
            assert report.failed == 0
            history.between()

        await history.play(sync)
    assert await transactions(url) == listed(history.bank)


class Story:
    """A random history: refreshes that succeed, fail or stay pending, errors, cancellations."""

    def __init__(self, seed: int, url: str) -> None:
        self._draw = random.Random(seed)
        self._url = url
        self.bank = Bank(4)

    def _meanwhile(self, request: Request[Any]) -> Any:
        draw = self._draw
        account = draw.choice(list(self.bank.accounts.values()))
        if draw.random() < 0.4:
            if account.refreshes and account.refreshes[-1]["status"] == "pending":
                account.settle(draw.choice(["succeeded", "succeeded", "failed"]))
            else:
                account.begin(account.changes(draw))
        chance = draw.random()
        if chance < 0.05:
            return fcasync.APIConnectionError("reset", retryable=False)
        return answer(status=400) if chance < 0.15 else None

    async def _sync(self) -> None:
        """Sync until it ends or is cancelled; now and then two mirrors at once."""
        client = self.bank.client()
        async with Mirror(self._url) as one, Mirror(self._url) as other:
            runs = [one, other] if self._draw.random() < 0.5 else [one]
            source = list(self.bank.accounts)
            tasks = [
                asyncio.ensure_future(_report(mirror.sync(client, source, concurrency=2)))
                for mirror in runs
            ]
            if self._draw.random() < 0.5:
                for _ in range(self._draw.randrange(60)):
                    await asyncio.sleep(0)
                tasks[0].cancel()
            for end in await asyncio.gather(*tasks, return_exceptions=True):
                if isinstance(end, Exception):
                    assert isinstance(end, fcasync.APIConnectionError), end

    async def play(self) -> None:
        self.bank.meanwhile = self._meanwhile
        for _ in range(6):
            await self._sync()
        self.bank.meanwhile = lambda _: None
        client = self.bank.client()
        async with Mirror(self._url) as mirror:
            report = await mirror.sync(client, client.accounts.list())
        assert report.synced == len(self.bank.accounts)
        assert await transactions(self._url) == listed(self.bank)


async def _report(run: Any) -> Any:
    return await run


@settings(max_examples=12, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), size=st.integers(1, 100))
def test_random_histories_in_sqlite(
    seed: int, size: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Errors and cancellations anywhere, pages of 1 to 100, two mirrors at once."""
    path: Path = tmp_path_factory.mktemp("history") / "bank.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PAGE", size)
        asyncio.run(Story(seed, f"sqlite:///{path}").play())


@settings(max_examples=5, phases=PHASES, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), size=st.integers(1, 100))
def test_random_histories_in_postgresql(seed: int, size: int, cluster: Any) -> None:
    """The same in PostgreSQL, where two mirrors really write at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "PAGE", size)
        asyncio.run(Story(seed, cluster.database()).play())
