"""One account: what has to be read, in which order, and what is stored of it."""

from collections.abc import Mapping
from typing import Any, Final, cast

import attrs

from fcasync._facts.clock import Clock
from fcasync._facts.redact import printable
from fcasync.bulk import Outcome
from fcasync.client import Client
from fcasync.errors import (
    APIStatusError,
    FCError,
    InvalidArgumentError,
    ProtocolError,
    UnknownCursorError,
)
from fcasync.mirror import _pages as pages
from fcasync.mirror import _rows as rows
from fcasync.mirror._outcome import SyncOutcome, SyncStatus
from fcasync.mirror._pages import ListedPage
from fcasync.mirror._steps import Row
from fcasync.mirror._store import Part, State, Store, Written
from fcasync.mirror._writing import NOTHING, TakenOver, Writing
from fcasync.models import Account, AccountOwnership
from fcasync.models._convert import decoder, to_dict
from fcasync.resources._sync import TransactionSync
from fcasync.resources.accounts import RETRIEVE
from fcasync.resources.transactions import LIST_TRANSACTIONS

PAGE: Final = 100
"""Transactions per page: the most that Stripe sends."""

_SETTLED: Final = ("succeeded", "failed")
_decode_account = decoder(Account)


@attrs.frozen
class Item:
    """An account that is to be synced, as it came from the source."""

    account_id: str
    account: Account | None = None
    """The account, if it was at hand."""
    read_at: float = 0.0
    """When it was at hand, as a Unix time."""
    refresh: Outcome | None = None
    tenant: str | None = None
    """The connected account, where the source has many; None for the client's own."""
    error: FCError | None = None
    """Why nothing can be read of it."""


@attrs.frozen
class _Fetched:
    """An account as it was retrieved, and beside it Stripe's JSON."""

    account: Account
    item: rows.Json

    @property
    def id(self) -> str:
        return self.account.id


def _fetched(value: Any) -> _Fetched:
    return _Fetched(_decode_account(value), value)


_RETRIEVE: Final[Any] = attrs.evolve(cast(Any, RETRIEVE), decode=_fetched)
"""The same operation, with the same pace, that keeps the JSON."""


class Reading:
    """Syncs accounts of one client, one at a time per call."""

    def __init__(
        self, client: Client, store: Store, *, tenant: str, at: rows.At, owners: bool
    ) -> None:
        self.client = client
        """Whose accounts they are."""
        self._store = store
        self._tenant = tenant
        """The connected account; '' for the key's own."""
        self._at = at
        self._list: Any = attrs.evolve(cast(Any, LIST_TRANSACTIONS), decode=pages.reader(at))
        """The operation that lists transactions, with the same pace, and pages of rows."""
        self._owners = owners
        """Whether to store the owners."""
        self._clock: Clock = client._engine.clock
        self._tenants: dict[str, Reading] = {}
        """Those of connected accounts, made when first asked for."""
        self._requests = 0
        """Requests for accounts, transactions and owners."""

    @property
    def requests(self) -> int:
        """Requests that were sent, for all connected accounts."""
        return self._requests + sum(each.requests for each in list(self._tenants.values()))

    @property
    def limit(self) -> float | None:
        """The rate limit of the lists as learnt, in requests a second; None before a 429."""
        limiter = self.client._engine.limiter
        return limiter.pace(self.client._options.acting_for, LIST_TRANSACTIONS.name).limit

    def of(self, tenant: str | None) -> "Reading":
        """Return the reading of a connected account; itself for None."""
        if tenant is None:
            return self
        if tenant not in self._tenants:
            client = self.client.with_options(stripe_account=tenant)
            self._tenants[tenant] = Reading(
                client, self._store, tenant=tenant, at=self._at, owners=self._owners
            )
        return self._tenants[tenant]

    async def ask(self) -> None:
        """Send the smallest request there is, which shows whether the key is accepted."""
        self._requests += 1
        await self.client.accounts.list(limit=1)

    def failed(self, item: Item, error: FCError, reason: str) -> SyncOutcome:
        """Return the outcome of an account that *error* kept from being synced."""
        return SyncOutcome(
            account_id=printable(item.account_id, 80),
            status=SyncStatus.FAILED,
            account=item.account,
            error=error,
            reason=reason,
            refresh=item.refresh,
            stripe_account=self._tenant or None,
        )

    async def sync(self, item: Item) -> SyncOutcome:
        """Bring one account up to date.

        Raises:
            FCError: A request failed.
            MirrorError: The database cannot be used.
        """
        account, part = await self._read(item)
        if account.status == "disconnected":
            await self._store.write(part)
            return self._ended(item, account, SyncStatus.SKIPPED, "disconnected", NOTHING)
        state = await self._store.load(part.key)
        lists, reason = _lists_transactions(account, state)
        ownership = _new_ownership(account, state) if self._owners else None
        if not lists and ownership is None:
            await self._store.write(part)
            return self._ended(item, account, SyncStatus.SYNCED, reason, NOTHING)
        try:
            total = await self._claimed(account, part, lists=lists, ownership=ownership)
        except TakenOver:
            return self._ended(item, account, SyncStatus.SKIPPED, "taken_over", NOTHING)
        return self._ended(item, account, SyncStatus.SYNCED, reason, total)

    def _ended(
        self, item: Item, account: Account, status: SyncStatus, why: str | None, of: Written
    ) -> SyncOutcome:
        return SyncOutcome(
            account_id=account.id,
            status=status,
            account=account,
            reason=why,
            new=of.new,
            updated=of.updated,
            void=of.void,
            refresh=item.refresh,
            stripe_account=self._tenant or None,
        )

    async def _read(self, item: Item) -> tuple[Account, Part]:
        """Return the account, which is read unless it is at hand, and its own rows."""
        if item.account is not None:
            return item.account, self._part(to_dict(item.account), item.read_at)
        self._requests += 1
        fetched = await self.client.accounts._call(_RETRIEVE, item.account_id)
        return fetched.account, self._part(fetched.item, self._clock.time())

    def _part(self, item: rows.Json, read_at: float) -> Part:
        return Part(
            key=(self._tenant, item["id"]),
            account=rows.account_row(self._tenant, item, self._at, read_at),
            balances=rows.balance_rows(self._tenant, item, self._at),
        )

    async def _claimed(
        self, account: Account, part: Part, *, lists: bool, ownership: str | None
    ) -> Written:
        """Read and store what is new, under a claim."""
        writing = Writing(self._store, part.key)
        state = await self._store.claim(part.key, writing.claim)
        owners = [] if ownership is None else await self._owner_rows(account, ownership)
        if ownership is not None:
            state = attrs.evolve(state, ownership=ownership)
        if lists:
            try:
                state = await self._transactions(account, state, writing)
            except UnknownCursorError:
                # Stripe has forgotten that refresh: read everything again, and replace it.
                state = await self._transactions(account, attrs.evolve(state, cursor=None), writing)
        row = (*part.key, *state.columns, self._at(int(self._clock.time())), writing.claim)
        return await writing.end(part, owners, row)

    async def _transactions(self, account: Account, state: State, writing: Writing) -> State:
        """Read what is new, and return the state that goes with it."""
        sync = self._sync(account, state.cursor)
        walk: Any = sync.pages()
        async for page in walk:
            if isinstance(page, ListedPage):  # else there has been no successful refresh yet
                await writing.add(page.rows)
        return _advanced(account, state, sync.cursor, self._at)

    def _sync(self, account: Account, cursor: str | None) -> TransactionSync:
        transactions = self.client.transactions

        async def read() -> Account:
            return account

        async def fetch(params: Mapping[str, Any]) -> Any:
            self._requests += 1
            return await transactions._call(self._list, None, {"account": account.id, **params})

        return TransactionSync(account.id, read, fetch, after=cursor, limit=PAGE, account=account)

    async def _owner_rows(self, account: Account, ownership: str) -> list[Row]:
        self._requests += 1
        owners = self.client.accounts.list_owners(account.id, ownership=ownership)
        return [
            rows.owner_row(self._tenant, account.id, ownership, to_dict(owner), self._at)
            async for owner in owners
        ]


def _advanced(account: Account, state: State, cursor: str | None, at: rows.At) -> State:
    """Return the state after a sync that ended with *cursor*."""
    refresh = account.transaction_refresh
    attempted = None if refresh is None else refresh.last_attempted_at
    moment = at(None if attempted is None else attempted.timestamp())
    # An account at hand may be older than the last sync; a cursor never moves back.
    if refresh is None or (None not in (moment, state.cursor_at) and moment < state.cursor_at):
        return state
    moved = (cursor, moment) if cursor == refresh.id else (state.cursor, state.cursor_at)
    return State(*moved, refresh.id, str(refresh.status), state.ownership)


def _permits(account: Account, permission: str) -> bool:
    return account.permissions is None or permission in account.permissions


def _new_ownership(account: Account, state: State) -> str | None:
    """Return the ownership whose owners have to be read."""
    if not _permits(account, "ownership"):
        return None
    ownership = account.ownership
    if isinstance(ownership, AccountOwnership):
        ownership = ownership.id
    return None if ownership == state.ownership else ownership


def _lists_transactions(account: Account, state: State) -> tuple[bool, str | None]:
    """Return whether there may be something new, and if there cannot be, perhaps why."""
    refresh = account.transaction_refresh
    if not _permits(account, "transactions"):
        return False, "permission_missing"
    if refresh is None:
        return False, "not_refreshed"
    # A refresh that has ended brings nothing more, so the same one again has nothing new.
    is_known = (state.refresh, state.refresh_status) == (refresh.id, refresh.status)
    return not (is_known and refresh.status in _SETTLED), None


def reason_of(error: FCError) -> str:
    """Return a machine-readable reason for the failure of an account."""
    if isinstance(error, InvalidArgumentError):
        return "invalid_id"
    if isinstance(error, APIStatusError):
        return error.code or error.type or f"status_{error.status}"
    return "protocol_error" if isinstance(error, ProtocolError) else "connection_error"
