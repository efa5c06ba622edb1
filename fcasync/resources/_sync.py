"""Keeping transactions in step: what is new or changed since the last time.

Stripe filters by refresh (``transaction_refresh[after]``) but hands out no cursor. Three rules make
one (https://docs.stripe.com/financial-connections/transactions):

* The account is read **before** its list. A refresh that succeeds in between then belongs to the
  next time: its rows may come twice, and none is missed. The id that is read after the list, or
  taken from the last transaction, skips what changed while the pages were read.
* The refresh that was read is the new cursor only if it had succeeded.
* The cursor moves when the last page was processed, never before.
"""

from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import Any

from fcasync.errors import FCError, InvalidRequestError, UnknownCursorError
from fcasync.models import Account, Page, RefreshStatus, Transaction
from fcasync.resources._paginator import Paginator

NOT_YET = "financial_connections_no_successful_transaction_refresh"
_AFTER = "transaction_refresh[after]"

Read = Callable[[], Coroutine[Any, Any, Account]]
"""Retrieves the account."""
Fetch = Callable[[Mapping[str, Any]], Coroutine[Any, Any, Page[Transaction]]]
"""Fetches a page, by the parameters that select it."""


class TransactionSync:
    """What is new or changed on one account. Nothing is sent until it is iterated.

    ::

        sync = client.transactions.sync("fca_...", after=saved_cursor)
        async for transaction in sync:
            ...  # insert it, or replace the row with the same id; a void one stays a row
        save(sync.cursor)  # together with the rows, in one database transaction

    * ``async for transaction in sync`` walks all pages; ``async for page in sync.pages()`` walks
      page by page.
    * Every transaction that changed comes again with its latest state, void ones included. Some
      may come although nothing changed, so store them by id.
    * An account without a successful refresh yields nothing, and is not an error. One whose latest
      refresh is *after* costs one request.
    * **After an error in mid-walk, iterate the same object again:** it continues with the page that
      failed. (A page that you left half-way comes again.) It still goes by the account that was
      read at the first start, because what had come before the error may have changed since. In
      another process, start again with the same *after*: rows are repeated, and none is lost. The
      error's own ``cursor`` is a place in the list; never store it.
    * A finished object yields nothing more; for the next time, make a new one.
    """

    def __init__(
        self,
        account_id: str,
        read: Read,
        fetch: Fetch,
        *,
        after: str | None,
        limit: int | None = None,
        account: Account | None = None,
    ) -> None:
        self.account_id = account_id
        self.after = after
        """The cursor with which it began."""
        self._read = read
        self._fetch = fetch
        self._limit = limit
        """Items per page; None asks for the most."""
        self._account = account
        """The account as read before the list; None before the start."""
        self._position: str | None = None
        """The last transaction of the pages that were processed: where to continue."""
        self._is_finished = False
        self._walk: object = None
        """Identifies the latest iteration; an older one must not move the position."""
        Paginator(fetch, limit=limit)  # an invalid limit is refused here, not in a loop

    @property
    def account(self) -> Account | None:
        """The account as it was read before the list; None before the start."""
        return self._account

    @property
    def cursor(self) -> str | None:
        """The *after* of the next sync: store it in one transaction with the rows.

        It is *after* itself until every page was processed, and also then if the latest refresh
        had not succeeded when the account was read.
        """
        return self._fresh_cursor() or self.after if self._is_finished else self.after

    def __repr__(self) -> str:
        state = "finished" if self._is_finished else f"at {self._position or 'the start'}"
        return f"<TransactionSync of {self.account_id} after {self.after}, {state}>"

    def __aiter__(self) -> AsyncGenerator[Transaction]:
        return self._transactions()

    async def _transactions(self) -> AsyncGenerator[Transaction]:
        async with aclosing(self.pages()) as pages:
            async for page in pages:
                for transaction in page.data:
                    yield transaction

    async def pages(self) -> AsyncGenerator[Page[Transaction]]:
        """Walk page by page; a page counts as processed when the next one is asked for.

        Raises:
            UnknownCursorError: Stripe does not know the refresh *after*.
            FCError: A request failed; iterate again to continue.
        """
        walk = self._walk = object()
        if self._is_finished:
            return
        if self._account is None:
            self._account = await self._read()
        if self.after is None or self._fresh_cursor() != self.after:
            rest = Paginator(self._page, limit=self._limit, starting_after=self._position)
            async with aclosing(rest.pages()) as pages:
                async for page in pages:
                    yield page
                    self._check(walk)
                    self._position = page.data[-1].id if page.data else self._position
        self._check(walk)
        self._is_finished = True

    def _check(self, walk: object) -> None:
        if walk is not self._walk:
            raise RuntimeError("another iteration of this sync has begun; use one sync per loop")

    def _fresh_cursor(self) -> str | None:
        """Return the id of the refresh that was read before the list, if it had succeeded."""
        refresh = None if self._account is None else self._account.transaction_refresh
        done = refresh is not None and refresh.status == RefreshStatus.SUCCEEDED
        return refresh.id if refresh is not None and done else None

    async def _page(self, params: Mapping[str, Any]) -> Page[Transaction]:
        known = {} if self.after is None else {"transaction_refresh": {"after": self.after}}
        try:
            return await self._fetch({**known, **params})
        except InvalidRequestError as error:
            if error.code == NOT_YET:
                return Page(data=[])
            if self.after is None or error.param != _AFTER:
                raise
            unknown = _unknown(error, self.account_id, self.after)
        raise unknown


def _unknown(error: InvalidRequestError, account_id: str, after: str) -> FCError:
    """Return the error that says what to do about *error*, with the same facts."""
    unknown = UnknownCursorError(
        f"Stripe does not know the transaction refresh {after} of {account_id}; sync this account "
        "from the start, with after=None: stored rows are replaced, and none is lost",
        status=error.status,
    )
    vars(unknown).update(vars(error))
    return unknown
