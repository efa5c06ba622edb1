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
from sqlalchemy.engine import Dialect

from fcasync._wire.uninterrupted import to_its_end
from fcasync.mirror import _lookups as lookups
from fcasync.mirror import _upserts as upserts
from fcasync.mirror._database import Database, Session
from fcasync.mirror._lookups import Key
from fcasync.mirror._packed import NO_ROWS, Packed
from fcasync.mirror._steps import Row, Steps

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

    @property
    def columns(self) -> Row:
        """The columns ``upserts.STATE``."""
        return (self.cursor, self.cursor_at, self.refresh, self.refresh_status, self.ownership)


@attrs.frozen(kw_only=True)
class Part:
    """Rows of one account that are stored together, and perhaps its new state."""

    key: Key
    claim: str | None = None
    """None for rows that need no claim: of the account and of its balance."""
    account: Row | None = None
    balances: Sequence[Row] = ()
    owners: Sequence[Row] = ()
    transactions: Packed = NO_ROWS
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

    def plus(self, other: "Written") -> "Written":
        """Return what became of both, of the same account."""
        return Written(
            new=self.new + other.new,
            updated=self.updated + other.updated,
            void=self.void + other.void,
        )


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
            async with self._database.session() as session:
                while True:
                    await self._news.wait()
                    if len(self._queue) < LARGEST:
                        self._enough.clear()
                        await _within(PAUSE, self._enough.wait())
                    batch, self._queue = self._queue[:LARGEST], self._queue[LARGEST:]
                    if not self._queue:
                        self._news.clear()
                    await to_its_end(self._serve(session, batch))
        finally:
            for _, future in self._queue:
                future.cancel()

    async def _serve(
        self, session: Session, batch: "list[tuple[_Job, asyncio.Future[Any]]]"
    ) -> None:
        kinds: tuple[tuple[type, Callable[[Any, Any], Steps[list[Any]]]], ...]
        # Claims and parts lock rows of the same table, each in the order of the keys: never both
        # in one transaction, or two mirrors could wait for each other.
        kinds = ((_Load, _load), (_Claim, _claim), (Part, _write))
        for kind, steps in kinds:
            chosen = [(job, future) for job, future in batch if isinstance(job, kind)]
            if not chosen:
                continue
            chosen.sort(key=lambda pair: pair[0].key)
            jobs = [job for job, _ in chosen]
            dialect = self._database.engine.dialect
            try:
                results: list[Any] = await session.carry_out(
                    steps(dialect, jobs), writes=kind is not _Load
                )
            except Exception as error:  # noqa: BLE001 - it is raised where the job came from
                for _, future in chosen:
                    if not future.done():
                        future.set_exception(error)
                continue
            for (_, future), result in zip(chosen, results, strict=True):
                if not future.done():
                    future.set_result(result)


def _load(dialect: Dialect, jobs: list[_Load]) -> Steps[list[State]]:
    found = yield from lookups.STATES_OF.find(dialect, [job.key for job in jobs])
    return [State(*found.get(job.key, ())) for job in jobs]


def _claim(dialect: Dialect, jobs: list[_Claim]) -> Steps[list[State]]:
    rows = {job.key: (*job.key, job.claim) for job in jobs}
    written = yield from upserts.CLAIMS.write(dialect, rows.values())
    found = {(tenant, account): State(*values) for tenant, account, *values in written}
    return [found[job.key] for job in jobs]


def _write(dialect: Dialect, parts: list[Part]) -> Steps[list[Written]]:
    claims = yield from lookups.CLAIMS_OF.find(dialect, [each.key for each in parts if each.claim])
    is_held = [part.claim in (None, *claims.get(part.key, ())[:1]) for part in parts]
    held = [part for part, holds in zip(parts, is_held, strict=True) if holds]
    states = [part.state for part in held if part.state is not None]
    yield from upserts.STATES.write(dialect, states)
    accounts = {part.account[:2]: part.account for part in held if part.account}
    yield from upserts.ACCOUNTS.write(dialect, accounts.values())
    balances = {row[:5]: row for part in held for row in part.balances}
    yield from upserts.BALANCES.write(dialect, balances.values())
    owners = {row[:3]: row for part in held for row in part.owners}
    yield from upserts.OWNERS.write(dialect, owners.values())
    counts = yield from _write_transactions(dialect, held, claims)
    return [
        counts.get(part.key, Written()) if holds else Written(is_held=False)
        for part, holds in zip(parts, is_held, strict=True)
    ]


def _write_transactions(
    dialect: Dialect, parts: list[Part], claims: dict[Key, Row]
) -> Steps[dict[Key, Written]]:
    full = [part for part in parts if part.transactions.count]
    first = [part for part in full if not claims[part.key][1]]
    others = [part for part in full if claims[part.key][1]]
    yield from upserts.FIRST_TRANSACTIONS.write_packed(
        dialect, [part.transactions for part in first]
    )
    changed = yield from upserts.TRANSACTIONS.write_packed(
        dialect, [part.transactions for part in others]
    )
    return {part.key: _all_new(part.transactions) for part in first} | _counted(changed)


def _all_new(rows: Packed) -> Written:
    return Written(new=rows.count, void=rows.column("status").count("void"))


def _counted(changed: Iterable[Row]) -> dict[Key, Written]:
    """Return how many rows of each account were added, changed, and are void now."""
    found: dict[Key, Written] = {}
    for (tenant, account, status, is_new), count in Counter(changed).items():
        some = Written(
            new=count if is_new else 0,
            updated=0 if is_new else count,
            void=count if status == "void" else 0,
        )
        found[tenant, account] = found.get((tenant, account), Written()).plus(some)
    return found


async def _within(seconds: float, step: Coroutine[Any, Any, Any]) -> None:
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await step
