"""The pages of one account on their way into the database, under a claim."""

import secrets
from collections.abc import Sequence
from typing import Final

from fcasync.mirror._lookups import Key
from fcasync.mirror._packed import NO_ROWS, Packed
from fcasync.mirror._steps import Row
from fcasync.mirror._store import Part, Store, Written

NOTHING: Final = Written()
"""What has become of an account without transactions."""


class TakenOver(Exception):
    """Another mirror claimed the account; what was read since is not stored."""


class Writing:
    """Stores the pages of one account, the last one together with the account's state."""

    def __init__(self, store: Store, key: Key) -> None:
        self._store = store
        self._key = key
        self.claim = secrets.token_hex(16)
        self._total = NOTHING
        """What has become of the pages so far."""
        self._held_back = NO_ROWS
        """The latest page: only when the next one comes, it is known not to be the last."""

    async def add(self, page: Packed) -> None:
        """Store the page before *page*, whose rows have no columns of their account yet."""
        if self._held_back.count:
            await self._write(Part(key=self._key, claim=self.claim, transactions=self._held_back))
        stripe_account, account = self._key
        self._held_back = page.with_shared(stripe_account=stripe_account, account=account)

    async def end(self, own: Part, owners: Sequence[Row], state: Row) -> Written:
        """Store the last page with the account's own rows and its new state."""
        await self._write(
            Part(
                key=self._key,
                claim=self.claim,
                account=own.account,
                balances=own.balances,
                owners=owners,
                transactions=self._held_back,
                state=state,
            )
        )
        return self._total

    async def _write(self, part: Part) -> None:
        written = await self._store.write(part)
        if not written.is_held:
            raise TakenOver
        self._total = self._total.plus(written)
