"""Reads what is known of many accounts, in few statements."""

from collections.abc import Iterable
from functools import cache
from typing import Any, Final, TypeAlias

from sqlalchemy import ColumnElement, exists, select
from sqlalchemy.engine import Dialect

from fcasync.mirror._steps import Steps
from fcasync.mirror._tables import sync_state, transactions
from fcasync.mirror._upserts import STATE, sizes

Key: TypeAlias = tuple[str, str]
"""The connected account ('' for the key's own) and the linked account."""


class Lookup:
    """A query for some columns of ``sync_state``, by key."""

    def __init__(self, *columns: ColumnElement[Any], locks: bool = False) -> None:
        self._columns = columns
        self._locks = locks
        """Whether the rows stay as they are until the transaction ends."""

    def find(self, dialect: Dialect, keys: Iterable[Key]) -> Steps[dict[Key, tuple[Any, ...]]]:
        """Return the columns of each key that has a row."""
        found: dict[Key, tuple[Any, ...]] = {}
        for tenant, accounts in _by_tenant(keys).items():
            start = 0
            for size in sizes(len(accounts)):
                chosen = accounts[start : start + size]
                for account, *values in (yield self._sql(dialect, size), (tenant, *chosen)):
                    found[tenant, account] = tuple(values)
                start += size
        return found

    @cache  # noqa: B019 - there are two of them, for as long as the program runs
    def _sql(self, dialect: Dialect, size: int) -> str:
        """Return the statement for *size* accounts of one tenant."""
        state = sync_state.c
        query = (
            select(state.account, *self._columns)
            .where(state.stripe_account == "", state.account.in_([""] * size))
            .order_by(state.account)
        )
        if self._locks:
            query = query.with_for_update(of=sync_state)
        return str(query.compile(dialect=dialect, compile_kwargs={"render_postcompile": True}))


def _by_tenant(keys: Iterable[Key]) -> dict[str, list[str]]:
    """Return the accounts of each tenant; both in order, for locks."""
    found: dict[str, list[str]] = {}
    for tenant, account in sorted(set(keys)):
        found.setdefault(tenant, []).append(account)
    return found


_HAS_ROWS: Final = exists().where(
    transactions.c.stripe_account == sync_state.c.stripe_account,
    transactions.c.account == sync_state.c.account,
)

STATES_OF: Final = Lookup(*(sync_state.c[name] for name in STATE))
"""The state that the last sync of each account has left."""
CLAIMS_OF: Final = Lookup(sync_state.c.claim, _HAS_ROWS, locks=True)
"""Who holds each account, and whether it has transactions."""
