"""``client.transactions``: https://docs.stripe.com/api/financial_connections/transactions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import TypedDict, Unpack

from fcasync._rules import checks
from fcasync._rules.request import Operation
from fcasync.models import Account, Page, Transaction
from fcasync.models._convert import decoder
from fcasync.resources._arguments import ListOptions, spelled_out
from fcasync.resources._paginator import Paginator
from fcasync.resources._resource import Resource, as_raw, as_raw_page

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
    """Only transactions of later refreshes."""

    after: str
    """The id of a transaction refresh (``fctxnref_...``)."""


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

        Args:
            account: The account or its id.
            transacted_at: Only transactions of this instant or range of time.
            transaction_refresh: Only transactions of later refreshes: ``{"after": "..."}``; pass
                the last ``account.transaction_refresh.id`` to get only what is new.
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

    async def retrieve(
        self, transaction: str | Transaction, *, expand: Sequence[str] | None = None
    ) -> Transaction:
        """Return one transaction.

        Raises:
            NotFoundError: The API key has no access to such a transaction.
        """
        return await self._call(RETRIEVE_TRANSACTION, transaction, {"expand": expand})

    @property
    def with_raw_response(self) -> "TransactionsWithRawResponse":
        """The same methods, which here return a :class:`fcasync.Response` that holds the value."""
        return TransactionsWithRawResponse(self._raw())


class TransactionsWithRawResponse:
    """The methods of :class:`Transactions`, with the response's headers, ids and attempts."""

    def __init__(self, raw: Transactions) -> None:
        self.list = as_raw_page(raw.list)
        self.retrieve = as_raw(raw.retrieve)
