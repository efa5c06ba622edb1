"""Writes what is read into the database: many accounts in one transaction.

Each account that is synced is claimed first, and everything that is stored for it is stored only
while the claim holds. Whoever claims an account after another takes it over: what the other reads
from then on is no longer stored. So the rows of a claim were read after those that they replace,
and the cursor, which is written with the last of them, never moves back.
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Iterable, Sequence
from contextlib import suppress
from typing import Any, Final, TypeAlias

import attrs
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncConnection

from fcasync._wire.uninterrupted import to_its_end
from fcasync.mirror import _upserts as upserts
from fcasync.mirror._database import Database
from fcasync.mirror._tables import sync_state
from fcasync.mirror._upserts import Row

Key: TypeAlias = tuple[str, str]
"""The connected account ('' for the key's own) and the linked account."""

LARGEST: Final = 64
"""Most jobs of one transaction; each has a page at most."""
PAUSE: Final = 0.005
"""Seconds that a job waits for others to share its transaction."""


@attrs.frozen
class State:
    """What the database knows of an account's last sync."""

    cursor: str | None = None
    cursor_at: Any = None
    refresh: str | None = None
    refresh_status: str | None = None
    ownership: str | None = None


@attrs.frozen(kw_only=True)
class Part:
    """Rows of one account that are stored together, and perhaps its new state."""

    key: Key
    claim: str | None = None
    """None for rows that need no claim: of the account and of its balance."""
    account: Row | None = None
    balances: Sequence[Row] = ()
    owners: Sequence[Row] = ()
    transactions: Sequence[Row] = ()
    state: Row | None = None
    """The row of ``sync_state``, with the last part."""


@attrs.frozen
class Written:
    """What became of a part."""

    is_held: bool = True
    """False if another mirror has taken the account over; nothing was stored then."""
    new: int = 0
    updated: int = 0
    void: int = 0


@attrs.frozen
class _Load:
    key: Key


@attrs.frozen
class _Claim:
    key: Key
    claim: str


_Job: TypeAlias = _Load | _Claim | Part


class Store:
    """Loads and stores for many accounts at a time, in one task."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._queue: list[tuple[_Job, asyncio.Future[Any]]] = []
        self._news = asyncio.Event()  # there is a job
        self._enough = asyncio.Event()  # there are as many as a transaction takes

    async def load(self, key: Key) -> State:
        """Return what is known of an account."""
        state: State = await self._put(_Load(key))
        return state

    async def claim(self, key: Key, claim: str) -> State:
        """Take an account over, and return what is known of it."""
        state: State = await self._put(_Claim(key, claim))
        return state

    async def write(self, part: Part) -> Written:
        """Store *part*; it is on disk when this returns.

        Raises:
            MirrorError: The database cannot be used.
        """
        written: Written = await self._put(part)
        return written

    def _put(self, job: _Job) -> "asyncio.Future[Any]":
        future = asyncio.get_running_loop().create_future()
        self._queue.append((job, future))
        self._news.set()
        if len(self._queue) >= LARGEST:
            self._enough.set()
        return future

    async def run(self) -> None:
        """Serve jobs until cancelled; a transaction that has begun comes to its end."""
        try:
            while True:
                await self._news.wait()
                if len(self._queue) < LARGEST:
                    self._enough.clear()
                    await _within(PAUSE, self._enough.wait())
                batch, self._queue = self._queue[:LARGEST], self._queue[LARGEST:]
                if not self._queue:
                    self._news.clear()
                await to_its_end(self._serve(batch))
        finally:
            for _, future in self._queue:
                future.cancel()

    async def _serve(self, batch: "list[tuple[_Job, asyncio.Future[Any]]]") -> None:
        kinds: tuple[tuple[type, Callable[[Any], Coroutine[Any, Any, list[Any]]]], ...]
        # Claims and parts lock rows of the same table, each in the order of the keys: never both
        # in one transaction, or two mirrors could wait for each other.
        kinds = ((_Load, self._load), (_Claim, self._claim), (Part, self._write))
        for kind, serve in kinds:
            chosen = [(job, future) for job, future in batch if isinstance(job, kind)]
            if not chosen:
                continue
            chosen.sort(key=lambda pair: pair[0].key)
            try:
                results = await serve([job for job, _ in chosen])
            except Exception as error:  # noqa: BLE001 - it is raised where the job came from
                for _, future in chosen:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(chosen, results, strict=True):
                if not future.done():
                    future.set_result(result)

    async def _load(self, jobs: list[_Load]) -> list[State]:
        found: dict[Key, State] = {}
        async with self._database.reading() as connection:
            for tenant, ids in _by_tenant(job.key for job in jobs).items():
                columns = [sync_state.c[name] for name in ("account", *upserts.STATE)]
                query = select(*columns).where(
                    sync_state.c.stripe_account == tenant, sync_state.c.account.in_(ids)
                )
                for account, *values in await connection.execute(query):
                    found[tenant, account] = State(*values)
        return [found.get(job.key, State()) for job in jobs]

    async def _claim(self, jobs: list[_Claim]) -> list[State]:
        rows = {job.key: (*job.key, *(None,) * 6, job.claim) for job in jobs}
        async with self._database.writing() as connection:
            written = await upserts.CLAIMS.write(connection, list(rows.values()))
        found = {(tenant, account): State(*values) for tenant, account, *values in written}
        return [found[job.key] for job in jobs]

    async def _write(self, parts: list[Part]) -> list[Written]:
        async with self._database.writing() as connection:
            claims = await _locked(connection, [part.key for part in parts if part.claim])
            is_held = [part.claim in (None, claims.get(part.key)) for part in parts]
            held = [part for part, holds in zip(parts, is_held, strict=True) if holds]
            states = [part.state for part in held if part.state is not None]
            await upserts.STATES.write(connection, states)
            accounts = {part.account[:2]: part.account for part in held if part.account}
            await upserts.ACCOUNTS.write(connection, list(accounts.values()))
            balances = {row[:5]: row for part in held for row in part.balances}
            await upserts.BALANCES.write(connection, list(balances.values()))
            owners = {row[:3]: row for part in held for row in part.owners}
            await upserts.OWNERS.write(connection, list(owners.values()))
            rows = [row for part in held for row in part.transactions]
            changed = await upserts.TRANSACTIONS.write(connection, rows)
        counts = _counted(changed)
        return [
            counts.get(part.key, Written()) if holds else Written(is_held=False)
            for part, holds in zip(parts, is_held, strict=True)
        ]


async def _locked(connection: AsyncConnection, keys: Sequence[Key]) -> dict[Key, str]:
    """Return who holds each account, and keep it so until the transaction ends."""
    found: dict[Key, str] = {}
    for tenant, ids in _by_tenant(keys).items():
        query = (
            select(sync_state.c.account, sync_state.c.claim)
            .where(sync_state.c.stripe_account == tenant, sync_state.c.account.in_(ids))
            .order_by(sync_state.c.account)
            .with_for_update()
        )
        for account, claim in await connection.execute(query):
            found[tenant, account] = claim
    return found


def _by_tenant(keys: Iterable[Key]) -> dict[str, list[str]]:
    """Return the accounts of each tenant; both in order, for locks."""
    found: dict[str, list[str]] = {}
    for tenant, account in sorted(set(keys)):
        found.setdefault(tenant, []).append(account)
    return found


def _counted(changed: Iterable[Row]) -> dict[Key, Written]:
    """Return how many rows of each account were added, changed, and are void now."""
    found: dict[Key, Written] = {}
    for (tenant, account, status, is_new), count in Counter(changed).items():
        so_far = found.get((tenant, account), Written())
        found[tenant, account] = Written(
            new=so_far.new + (count if is_new else 0),
            updated=so_far.updated + (0 if is_new else count),
            void=so_far.void + (count if status == "void" else 0),
        )
    return found


async def _within(seconds: float, step: Coroutine[Any, Any, Any]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await step
