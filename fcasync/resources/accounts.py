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
    """Whose accounts to list; give one of the keys."""

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
            account_holder: Only those of this holder: ``{"customer": "cus_..."}``.
            session: Only those linked in this session; not together with *account_holder*.
            limit: Items per page, 1 to 100.
            max_items: Stop a walk after this many.
            starting_after: The id to start after.
            ending_before: The id to walk backwards from.
            expand: Fields to include as objects, such as ``["data.ownership"]``.
            prefetch: Whether a walk fetches the next page while this one is worked on.

        Raises:
            InvalidArgumentError: Two holders, a holder and a session, two cursors, a bad limit.
        """
        params = {"account_holder": account_holder, "session": session, "expand": expand}
        checks.at_most_one(params, "account_holder", "session")
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
            NotFoundError: This API key knows no such account.
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
            max_items: Stop a walk after this many.
            starting_after: The id to start after.
            ending_before: The id to walk backwards from.
            expand: Fields to include as objects.
            prefetch: Whether a walk fetches the next page while this one is worked on.
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

        The answer is an acceptance: ``account.balance_refresh.status`` is ``pending`` until the
        bank has answered, which :meth:`refresh_and_wait` waits for.

        Args:
            account: The account or its id.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; made by fcasync if None.

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
        """Have Stripe refresh the account's data by itself, about once a day.

        Args:
            account: The account or its id.
            features: What to keep fresh: ``transactions``.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; made by fcasync if None.
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
        """End what :meth:`subscribe` began.

        Args:
            account: The account or its id.
            features: What no longer to keep fresh: ``transactions``.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; made by fcasync if None.
        """
        return await self._post(UNSUBSCRIBE, account, features, expand, idempotency_key)

    async def disconnect(
        self,
        account: str | Account,
        *,
        expand: Sequence[str] | None = None,
        idempotency_key: str | None = None,
    ) -> Account:
        """End the access to an account, for good: only its holder can link it again.

        Args:
            account: The account or its id.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; made by fcasync if None.
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
        """Refresh, then poll until none of *features* is pending any more.

        A refresh that failed at the bank is a result: look at ``balance_refresh.status``. Polls
        come after 2 s, growing by 1.6 up to 60 s, with jitter.

        Args:
            account: The account or its id.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            timeout: Seconds to wait for the bank. Every request ends within what is left of them,
                or 5 s if that is more.
            expand: Fields to include as objects.
            idempotency_key: 1 to 255 printable characters; made by fcasync if None.

        Raises:
            DeadlineExceededError: Still pending after *timeout*; its ``account`` is the account as
                last seen, and the refresh itself goes on at Stripe.
            FCError: A poll failed; its ``idempotency_key`` is that of the refresh.
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
                # Half of the interval is jitter, so that a thousand waiters do not poll as one.
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
        """The same methods, returning :class:`fcasync.Response` around the value."""
        return AccountsWithRawResponse(self._raw())


class AccountsWithRawResponse:
    """The methods of :class:`Accounts`, with the answer's headers, ids and attempts."""

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
    if not any(holder.values()):
        raise InvalidArgumentError("account_holder must name a customer or an account")


def _still_pending(
    features: Sequence[str], account: Account, timeout: float
) -> DeadlineExceededError:
    return DeadlineExceededError(
        f"the refresh of {' and '.join(features)} of {account.id} is still pending after "
        f"{timeout:g} s; it goes on at Stripe: retrieve the account later, or use webhooks",
        account=account,
    )


def _after_the_post(error: FCError, key: str, seen: Account) -> None:
    """Add to the error of a poll what is known of the refresh before it, which was accepted."""
    error.idempotency_key = key
    if isinstance(error, APIConnectionError | ProtocolError):
        error.may_have_executed = True
    if isinstance(error, DeadlineExceededError):
        error.account = seen
