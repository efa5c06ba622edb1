"""``client.accounts``: https://docs.stripe.com/api/financial_connections/accounts."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, TypedDict, Unpack

from fcasync._facts.random_keys import new_key
from fcasync._rules import checks
from fcasync._rules.request import Operation
from fcasync.errors import (
    AuthenticationError,
    DeadlineExceededError,
    FCError,
    InvalidArgumentError,
    InvalidRequestError,
    NotFoundError,
    PermissionDeniedError,
    describe,
)
from fcasync.models import Account, AccountOwner, AccountOwnership, Money, Page
from fcasync.models._convert import decoder
from fcasync.resources._arguments import (
    ListOptions,
    PostOptions,
    RefreshFeatures,
    Subscriptions,
    spelled_out,
)
from fcasync.resources._balance_check import BalanceCheck, judge, threshold, why_not_refresh
from fcasync.resources._paginator import Paginator
from fcasync.resources._polling import opens_at
from fcasync.resources._resource import Resource, as_raw, as_raw_page
from fcasync.resources._waiting import refreshed

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


class BalanceChecks(Resource):
    """Decisions about a debit."""

    async def _refresh(
        self, account: str | Account, params: dict[str, Any], options: PostOptions
    ) -> Account:
        try:
            return await self._post(REFRESH, account, params, options)
        except InvalidRequestError as error:
            # Stripe documents no code for a refresh that comes too early.
            if isinstance(account, Account) and error.code is None:
                now = datetime.fromtimestamp(self._engine.clock.time(), UTC)
                error.available_at = opens_at(account, params["features"], now)
            raise

    async def balance(
        self,
        account: str | Account,
        *,
        max_age: timedelta | float = timedelta(hours=1),
        at_least: Mapping[str, int] | Money | None = None,
        timeout: float = 15.0,
    ) -> BalanceCheck:
        """Say whether there is enough money, as of when, and how sure that is.

        The account is fetched, and refreshed only if its balance is older than *max_age*. If it
        cannot be refreshed yet, or its bank fails or does not answer in time, the balance that is
        there decides, and ``reason`` says so (https://docs.stripe.com/financial-connections/balances).

        Args:
            account: The account or its id.
            max_age: How old the balance may be: a timedelta, or seconds.
            at_least: The amount that is needed: ``{"usd": 5_000}`` or ``Money(5_000, "usd")`` is
                50 USD.
            timeout: Seconds to wait for the bank, above 0.

        Raises:
            InvalidArgumentError: *at_least* is not one currency with whole minor units from 0, or a
                time is not a number of seconds above 0.
            NotFoundError: The API key has no access to such an account.
            FCError: The account could not be fetched; a bank's silence raises nothing.
        """
        currency, least = threshold(at_least)
        age, timeout = checks.age(max_age, "max_age"), checks.seconds(timeout, "timeout")
        account_id = checks.object_id(account, "account")
        seen = await self._call(RETRIEVE, account_id)
        problem = why_not_refresh(seen, self._engine.clock.time(), age)
        if problem is None:
            seen, problem = await self._refreshed(seen, timeout)
        return judge(seen, currency, least, problem or None)

    async def _refreshed(self, seen: Account, timeout: float) -> tuple[Account, str | None]:
        key, params = new_key(), _features(["balance"])
        try:
            seen = await refreshed(
                lambda left: self._within(left)._call(REFRESH, seen, params, key),
                lambda left: self._within(left)._call(RETRIEVE, seen),
                clock=self._engine.clock,
                features=params["features"],
                timeout=timeout,
                key=key,
            )
        except (AuthenticationError, PermissionDeniedError, NotFoundError):
            raise
        except DeadlineExceededError as error:
            return error.account or seen, "not_settled"
        except InvalidRequestError:
            return seen, "refresh_refused"
        except FCError as error:
            return seen, type(error).__name__
        refresh = seen.balance_refresh
        return seen, "refresh_failed" if refresh and refresh.status == "failed" else None


class Accounts(BalanceChecks):
    """Linked bank accounts."""

    @spelled_out(ListOptions)
    def list(
        self,
        *,
        account_holder: AccountHolderFilter | None = None,
        session: str | None = None,
        **options: Unpack[ListOptions],
    ) -> Paginator[Account]:
        """List linked accounts, newest first.

        Args:
            account_holder: Only accounts of this holder: ``{"customer": "cus_..."}``.
            session: Only accounts linked in this session; excludes *account_holder*.
            options: See :class:`ListOptions`.

        Raises:
            InvalidArgumentError: There are two holders, a holder and a session, or two cursors.
        """
        params = {"account_holder": account_holder, "session": session}
        checks.at_most_one(params, "account_holder", "session")
        if session is not None:
            checks.object_id(session, "session")
        _check_holder(account_holder)
        return self._list(LIST, None, params, options)

    async def retrieve(
        self,
        account: str | Account,
        *,
        expand: Sequence[str] | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> Account:
        """Return one account.

        Raises:
            NotFoundError: The API key has no access to such an account.
        """
        return await self._retrieve(RETRIEVE, account, expand, extra_params)

    @spelled_out(ListOptions)
    def list_owners(
        self,
        account: str | Account,
        *,
        ownership: str | AccountOwnership,
        **options: Unpack[ListOptions],
    ) -> Paginator[AccountOwner]:
        """List the owners of an account.

        Args:
            account: The account or its id.
            ownership: The ownership object (``fcaowns_...``) or its id, from ``account.ownership``.
            options: See :class:`ListOptions`.
        """
        params = {"ownership": checks.object_id(ownership, "ownership")}
        return self._list(LIST_OWNERS, account, params, options)

    @spelled_out(PostOptions)
    async def refresh(
        self, account: str | Account, *, features: RefreshFeatures, **options: Unpack[PostOptions]
    ) -> Account:
        """Ask Stripe to read the account's data from its bank again.

        The response only says that Stripe accepted the request: ``account.balance_refresh.status``
        is ``pending`` until the bank has answered. :meth:`refresh_and_wait` waits for that.

        Args:
            account: The account or its id.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            options: See :class:`PostOptions`.

        Raises:
            InvalidRequestError: The account is not active, lacks the permission, or was refreshed
                too recently; ``error.available_at`` is when, if *account* is an `Account`.
        """
        return await self._refresh(account, _features(features), options)

    @spelled_out(PostOptions)
    async def subscribe(
        self, account: str | Account, *, features: Subscriptions, **options: Unpack[PostOptions]
    ) -> Account:
        """Make Stripe refresh the account's data automatically, about once a day.

        Args:
            account: The account or its id.
            features: What to refresh: ``transactions``.
            options: See :class:`PostOptions`.
        """
        return await self._post(SUBSCRIBE, account, _features(features), options)

    @spelled_out(PostOptions)
    async def unsubscribe(
        self, account: str | Account, *, features: Subscriptions, **options: Unpack[PostOptions]
    ) -> Account:
        """End a subscription that :meth:`subscribe` began.

        Args:
            account: The account or its id.
            features: What to stop refreshing: ``transactions``.
            options: See :class:`PostOptions`.
        """
        return await self._post(UNSUBSCRIBE, account, _features(features), options)

    @spelled_out(PostOptions)
    async def disconnect(self, account: str | Account, **options: Unpack[PostOptions]) -> Account:
        """Permanently end the access to an account; only its holder can link it again.

        Args:
            account: The account or its id.
            options: See :class:`PostOptions`.
        """
        return await self._post(DISCONNECT, account, {}, options)

    @spelled_out(PostOptions)
    async def refresh_and_wait(
        self,
        account: str | Account,
        *,
        features: RefreshFeatures,
        timeout: float = 60.0,
        **options: Unpack[PostOptions],
    ) -> Account:
        """Refresh the account, then poll until none of *features* is pending.

        A refresh that failed at the bank is not an error: check ``balance_refresh.status``. The
        intervals between polls start at 2 s and grow by a factor of 1.6 up to 60 s, with jitter.

        Args:
            account: The account or its id.
            features: What to read: ``balance``, ``ownership``, ``transactions``.
            timeout: Seconds to wait for the bank. Each request ends within the time that is left,
                or within 5 s if that is more.
            options: See :class:`PostOptions`.

        Raises:
            DeadlineExceededError: The refresh is still pending after *timeout*. It continues at
                Stripe; ``error.account`` is the latest known state of the account.
            FCError: A poll failed; ``error.idempotency_key`` is the key of the refresh.
        """
        params, timeout = _features(features), checks.seconds(timeout, "timeout")
        key = options.pop("idempotency_key", None)
        key = new_key() if key is None else key
        return await refreshed(
            lambda left: self._within(left)._refresh(
                account, params, {**options, "idempotency_key": key}
            ),
            lambda left: self._within(left).retrieve(account, expand=options.get("expand")),
            clock=self._engine.clock,
            features=params["features"],
            timeout=timeout,
            key=key,
        )

    @property
    def with_raw_response(self) -> "AccountsWithRawResponse":
        """The same methods, which here return a :class:`fcasync.Response` that holds the value."""
        return AccountsWithRawResponse(self._raw())


class AccountsWithRawResponse:
    """The methods of :class:`Accounts`, with the response's headers, ids and attempts."""

    def __init__(self, raw: Accounts) -> None:
        self.list: Final = as_raw_page(raw.list)
        self.retrieve: Final = as_raw(raw.retrieve)
        self.list_owners: Final = as_raw_page(raw.list_owners)
        self.refresh: Final = as_raw(raw.refresh)
        self.subscribe: Final = as_raw(raw.subscribe)
        self.unsubscribe: Final = as_raw(raw.unsubscribe)
        self.disconnect: Final = as_raw(raw.disconnect)


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


def _features(features: Sequence[str]) -> dict[str, Any]:
    return {"features": checks.features(features)}
