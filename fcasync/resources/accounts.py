"""``client.accounts``: https://docs.stripe.com/api/financial_connections/accounts."""

from collections.abc import Awaitable, Mapping, Sequence
from typing import Any, TypedDict

from fcasync._facts.random_keys import new_key
from fcasync._rules import checks
from fcasync._rules.request import Operation
from fcasync.errors import (
    APIConnectionError,
    DeadlineExceededError,
    FCError,
    InvalidArgumentError,
    ProtocolError,
    describe,
)
from fcasync.models import Account, AccountOwner, AccountOwnership, Page
from fcasync.models._convert import decoder
from fcasync.resources._paginator import Paginator
from fcasync.resources._polling import pending, poll_intervals
from fcasync.resources._resource import Resource, as_raw, as_raw_page

_ROOT = "/v1/financial_connections/accounts"
_account = decoder(Account)

LIST = Operation(name="list", method="GET", route=_ROOT, decode=decoder(Page[Account]))
RETRIEVE = Operation(name="retrieve", method="GET", route=f"{_ROOT}/{{account}}", decode=_account)
LIST_OWNERS = Operation(
    name="list_owners",
    method="GET",
    route=f"{_ROOT}/{{account}}/owners",
    decode=decoder(Page[AccountOwner]),
)
REFRESH, SUBSCRIBE, UNSUBSCRIBE, DISCONNECT = (
    Operation(name=name, method="POST", route=f"{_ROOT}/{{account}}/{name}", decode=_account)
    for name in ("refresh", "subscribe", "unsubscribe", "disconnect")
)


class AccountHolderFilter(TypedDict, total=False):
    """Whose accounts to list; set exactly one of the keys."""

    account: str
    customer: str
    customer_account: str


class Accounts(Resource):
    """Linked bank accounts."""

    def list(
        self,
        *,
        account_holder: AccountHolderFilter | None = None,
        session: str | None = None,
        limit: int | None = None,
        max_items: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
        expand: Sequence[str] | None = None,
        prefetch: bool = True,
    ) -> Paginator[Account]:
        """List linked accounts, newest first.

        Args:
            account_holder: Only accounts of this holder: ``{"customer": "cus_..."}``.
            session: Only accounts linked in this session; excludes *account_holder*.
            limit: Items per page, 1 to 100.
            max_items: The most items that a walk yields.
            starting_after: The id after which to start.
            ending_before: The id from which to walk backwards.
            expand: Fields to include as objects, such as ``["data.ownership"]``.
            prefetch: Whether a walk fetches the next page while you process the current one.

        Raises:
            InvalidArgumentError: There are two holders, a holder and a session, two cursors, or an
                invalid limit.
        """
        params = {"account_holder": account_holder, "session": session, "expand": expand}
        checks.at_most_one(params, "account_holder", "session")
        if session is not None:
            checks.object_id(session, "session")
        _check_holder(account_holder)
        return self._list(
            LIST,
            params,
            limit=limit,
            max_items=max_items,
            starting_after=starting_after,
            ending_before=ending_before,
            prefetch=prefetch,
        )

    async def retrieve(
        self, account: str | Account, *, expand: Sequence[str] | None = None
    ) -> Account:
        """Return one account.

        Raises:
            NotFoundError: The API key has no access to such an account.
        """
        return await self._call(RETRIEVE, account, {"expand": expand})

    def list_owners(
        self,
        account: str | Account,
        *,
        ownership: str | AccountOwnership,
        limit: int | None = None,
        max_items: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
        expand: Sequence[str] | None = None,
        prefetch: bool = True,
    ) -> Paginator[AccountOwner]:
        """List the owners of an account.

        Args:
            account: The account or its id.
            ownership: The ownership object (``fcaowns_...``) or its id, from ``account.ownership``.
            limit: Items per page, 1 to 100.
            max_items: The most items that a walk yields.
            starting_after: The id after which to start.
            ending_before: The id from which to walk backwards.
            expand: Fields to include as objects.
            prefetch: Whether a walk fetches the next page while you process the current one.
        """
        params = {"ownership": checks.object_id(ownership, "ownership"), "expand": expand}
        return self._list(
            LIST_OWNERS,
            params,
            object_id=account,
            limit=limit,
            max_items=max_items,
            starting_after=starting_after,
            ending_before=ending_before,
            prefetch=prefetch,
        )

    async def refresh(
        self,
        account: str | Account,
        *,
        features: Sequence[str],
        expand: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """Ask Stripe to read the account's data from its bank again.

        The response only says that Stripe accepted the request: ``account.balance_refresh.status``
        is ``pending`` until the bank has answered. :meth:`refresh_and_wait` waits for that.

        Args:
            account: The account or its id.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; None generates one.

        Raises:
            InvalidRequestError: The account is not active, lacks the permission, or was refreshed
                too recently (``balance_refresh.next_refresh_available_at``).
        """
        return await self._post(REFRESH, account, features, expand, idempotency_key)

    async def subscribe(
        self,
        account: str | Account,
        *,
        features: Sequence[str],
        expand: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """Make Stripe refresh the account's data automatically, about once a day.

        Args:
            account: The account or its id.
            features: What to refresh: ``transactions``.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; None generates one.
        """
        return await self._post(SUBSCRIBE, account, features, expand, idempotency_key)

    async def unsubscribe(
        self,
        account: str | Account,
        *,
        features: Sequence[str],
        expand: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """End a subscription that :meth:`subscribe` began.

        Args:
            account: The account or its id.
            features: What to stop refreshing: ``transactions``.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; None generates one.
        """
        return await self._post(UNSUBSCRIBE, account, features, expand, idempotency_key)

    async def disconnect(
        self,
        account: str | Account,
        *,
        expand: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """Permanently end the access to an account; only its holder can link it again.

        Args:
            account: The account or its id.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; None generates one.
        """
        return await self._call(DISCONNECT, account, {"expand": expand}, idempotency_key)

    async def refresh_and_wait(
        self,
        account: str | Account,
        *,
        features: Sequence[str],
        timeout: float = 60.0,
        expand: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """Refresh the account, then poll until none of *features* is pending.

        A refresh that failed at the bank is not an error: check ``balance_refresh.status``. The
        intervals between polls start at 2 s and grow by a factor of 1.6 up to 60 s, with jitter.

        Args:
            account: The account or its id.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            timeout: Seconds to wait for the bank. Each request ends within the time that is left,
                or within 5 s if that is more.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; None generates one.

        Raises:
            DeadlineExceededError: The refresh is still pending after *timeout*. It continues at
                Stripe; ``error.account`` is the latest known state of the account.
            FCError: A poll failed; ``error.idempotency_key`` is the key of the refresh.
        """
        clock = self._engine.clock
        timeout = checks.seconds(timeout, "timeout")
        words = checks.features(features)
        ends = clock.monotonic() + timeout
        key = new_key() if idempotency_key is None else idempotency_key
        seen = await self._within(timeout)._post(REFRESH, account, words, expand, key)
        try:
            for interval in poll_intervals():
                if not (waiting := pending(seen, words)):
                    return seen
                left = ends - clock.monotonic()
                if left <= 0:
                    raise _still_pending(waiting, seen, timeout)
                # Half of the interval is jitter, so that a thousand waiters do not poll at once.
                await clock.sleep(min(left, interval * (0.5 + clock.draw() / 2)))
                patient = self._within(ends - clock.monotonic())
                seen = await patient._call(RETRIEVE, account, {"expand": expand})
        except FCError as error:
            _after_the_post(error, key, seen)
            raise
        raise AssertionError("poll_intervals() never ends")

    def _post(
        self,
        operation: Operation[Account],
        account: str | Account,
        features: Sequence[str],
        expand: Sequence[str] | None,
        idempotency_key: str | None,
    ) -> Awaitable[Account]:
        params: dict[str, Any] = {"features": checks.features(features), "expand": expand}
        return self._call(operation, account, params, idempotency_key)

    @property
    def with_raw_response(self) -> "AccountsWithRawResponse":
        """The same methods, which here return a :class:`fcasync.Response` that holds the value."""
        return AccountsWithRawResponse(self._raw())


class AccountsWithRawResponse:
    """The methods of :class:`Accounts`, with the response's headers, ids and attempts."""

    def __init__(self, raw: Accounts) -> None:
        self.list = as_raw_page(raw.list)
        self.retrieve = as_raw(raw.retrieve)
        self.list_owners = as_raw_page(raw.list_owners)
        self.refresh = as_raw(raw.refresh)
        self.subscribe = as_raw(raw.subscribe)
        self.unsubscribe = as_raw(raw.unsubscribe)
        self.disconnect = as_raw(raw.disconnect)


def _check_holder(holder: Mapping[str, Any] | None) -> None:
    if holder is None:
        return
    if not isinstance(holder, Mapping):
        raise InvalidArgumentError(
            f"account_holder must be a mapping such as {{'customer': 'cus_...'}}, "
            f"not {describe(holder)}"
        )
    checks.at_most_one(holder, "account", "customer", "customer_account")
    if not any(value is not None for value in holder.values()):
        raise InvalidArgumentError("account_holder must name a customer or an account")
    for name, value in holder.items():
        if value is not None:
            checks.object_id(value, f"account_holder[{name!r}]")


def _still_pending(
    features: Sequence[str], account: Account, timeout: float
) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"the refresh of {' and '.join(features)} of {account.id} is still pending after "
        f"{timeout:g} s; it continues at Stripe: retrieve the account later, or use webhooks",
        account=account,
    )


def _after_the_post(error: FCError, key: str, seen: Account) -> None:
    """Record in the error of a poll that the refresh before it was accepted."""
    error.idempotency_key = key
    if isinstance(error, APIConnectionError | ProtocolError):
        error.may_have_executed = True
    if isinstance(error, DeadlineExceededError):
        error.account = seen
