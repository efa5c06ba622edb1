"""``client.transactions``: https://docs.stripe.com/api/financial_connections/transactions."""

from collections.abc import Coroutine, Mapping, Sequence
from datetime import datetime
from typing import Any, Final, TypedDict, Unpack

from fcasync._rules import checks
from fcasync._rules.request import Operation
from fcasync.models import Account, Page, Transaction
from fcasync.models._convert import decoder
from fcasync.resources import accounts
from fcasync.resources._arguments import ListOptions, spelled_out
from fcasync.resources._paginator import Paginator
from fcasync.resources._resource import Resource, as_raw, as_raw_page
from fcasync.resources._sync import TransactionSync

_ROOT = "/v1/financial_connections/transactions"

LIST_TRANSACTIONS = Operation(
    name="list_transactions", method="GET", route=_ROOT, decode=decoder(Page[Transaction])
)
RETRIEVE_TRANSACTION = Operation(
    name="retrieve_transaction",
    method="GET",
    route=f"{_ROOT}/{{transaction}}",
    decode=decoder(Transaction),
)


class InstantRange(TypedDict, total=False):
    """A range of time: aware datetimes or Unix seconds."""

    gt: datetime | int
    gte: datetime | int
    lt: datetime | int
    lte: datetime | int


class TransactionRefreshFilter(TypedDict):
    """Only transactions that a later refresh added or changed."""

    after: str
    """The id of a transaction refresh (``fctxnref_...``); its own transactions are left out."""


class Transactions(Resource):
    """The transactions of linked accounts."""

    @spelled_out(ListOptions)
    def list(
        self,
        account: str | Account,
        *,
        transacted_at: InstantRange | datetime | int | None = None,
        transaction_refresh: TransactionRefreshFilter | None = None,
        **options: Unpack[ListOptions],
    ) -> Paginator[Transaction]:
        """List the transactions of an account, newest first.

        To keep a copy of them up to date, use :meth:`sync`: with *transaction_refresh* alone it is
        easy to skip what changes while the pages are read.

        Args:
            account: The account or its id.
            transacted_at: Only transactions of this instant or range of time.
            transaction_refresh: Only transactions that a refresh after this one added or changed:
                ``{"after": "fctxnref_..."}``.
            options: See :class:`ListOptions`.
        """
        if isinstance(transaction_refresh, Mapping):
            checks.object_id(transaction_refresh.get("after"), "transaction_refresh['after']")
        params = {
            "account": checks.object_id(account, "account"),
            "transacted_at": transacted_at,
            "transaction_refresh": transaction_refresh,
        }
        return self._list(LIST_TRANSACTIONS, None, params, options)

    def sync(
        self, account: str | Account, *, after: str | None = None, limit: int | None = None
    ) -> TransactionSync:
        """Iterate over what is new or changed since the last time, without missing a change.

        ``sync.cursor`` is, at the end, the *after* of the next time.

        Args:
            account: The account or its id; it is always read again, because the state of its
                latest refresh decides about the cursor.
            after: The cursor of the last sync of this account; None starts with everything that
                Stripe has.
            limit: Items per page, 1 to 100; None means 100.

        Raises:
            InvalidArgumentError: The account or *after* is not an id, or *limit* is invalid.
        """
        return self._sync(checks.object_id(account, "account"), after, limit=limit)

    def _sync(
        self,
        account_id: str,
        after: str | None,
        *,
        limit: int | None = None,
        account: Account | None = None,
    ) -> TransactionSync:
        """Return a sync that takes *account* for read, if it is passed."""
        values = type(self)(self._engine, self._options)  # also in a raw copy

        def read() -> Coroutine[Any, Any, Account]:
            return values._call(accounts.RETRIEVE, account_id, {})

        def fetch(params: Mapping[str, Any]) -> Coroutine[Any, Any, Page[Transaction]]:
            return values._call(LIST_TRANSACTIONS, None, {"account": account_id, **params})

        checked = None if after is None else checks.object_id(after, "after")
        return TransactionSync(account_id, read, fetch, after=checked, limit=limit, account=account)

    async def retrieve(
        self,
        transaction: str | Transaction,
        *,
        expand: Sequence[str] | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> Transaction:
        """Return one transaction.

        Raises:
            NotFoundError: The API key has no access to such a transaction.
        """
        return await self._retrieve(RETRIEVE_TRANSACTION, transaction, expand, extra_params)

    @property
    def with_raw_response(self) -> "TransactionsWithRawResponse":
        """The same methods, which here return a :class:`fcasync.Response` that holds the value."""
        return TransactionsWithRawResponse(self._raw())


class TransactionsWithRawResponse:
    """The methods of :class:`Transactions`, with the response's headers, ids and attempts."""

    def __init__(self, raw: Transactions) -> None:
        self.list: Final = as_raw_page(raw.list)
        self.retrieve: Final = as_raw(raw.retrieve)
