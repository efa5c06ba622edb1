"""``client.sessions``: https://docs.stripe.com/api/financial_connections/sessions."""

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, NotRequired, TypedDict, Unpack

from fcasync._rules import checks
from fcasync._rules.request import Operation
from fcasync.errors import InvalidArgumentError, describe
from fcasync.models import Account, Session
from fcasync.models._convert import decoder
from fcasync.resources._arguments import (
    Permissions,
    PostOptions,
    Prefetches,
    RefreshFeatures,
    Subscriptions,
    spelled_out,
)
from fcasync.resources._collecting import Onboarding, known
from fcasync.resources._resource import Resource, as_raw
from fcasync.resources.accounts import Accounts

_ROOT = "/v1/financial_connections/sessions"
_PREFETCHED = {"balances": "balance"}
"""The feature of a refresh that a prefetch has another name for."""

_session = decoder(Session)

CREATE_SESSION = Operation(name="create_session", method="POST", route=_ROOT, decode=_session)
RETRIEVE_SESSION = Operation(
    name="retrieve_session", method="GET", route=f"{_ROOT}/{{session}}", decode=_session
)


class SessionAccountHolder(TypedDict):
    """The holder of the linked accounts: a type and the id that goes with it."""

    type: Literal["account", "customer"]
    account: NotRequired[str]
    """The connected account; for type ``account``."""
    customer: NotRequired[str]
    """The customer; for type ``customer``."""
    customer_account: NotRequired[str]
    """The account that represents a customer; for type ``customer``."""


class SessionFilters(TypedDict, total=False):
    """Which accounts the user may link."""

    account_subcategories: Sequence[str]
    """Any of ``checking``, ``savings``, ``mortgage``, ``line_of_credit``, ``credit_card``."""
    country: str
    """A two-letter code, such as ``US``."""
    require_payment_method_support: Literal["all", "at_least_one", "none"]


class SessionLimits(TypedDict):
    """How many accounts the user may link."""

    accounts: int | Literal[""]
    """1 or more; the empty string removes the limit."""


class SessionManualEntry(TypedDict, total=False):
    """Whether the user may enter account numbers instead of logging in."""

    mode: Literal["automatic", "disabled"]


class Sessions(Resource):
    """The sessions in which users link their accounts."""

    @spelled_out(PostOptions)
    async def create(
        self,
        *,
        account_holder: SessionAccountHolder,
        permissions: Permissions,
        filters: SessionFilters | None = None,
        limits: SessionLimits | None = None,
        manual_entry: SessionManualEntry | None = None,
        prefetch: Prefetches | None = None,
        return_url: str | None = None,
        **options: Unpack[PostOptions],
    ) -> Session:
        """Create a session; its ``client_secret`` opens the flow in the user's browser.

        Args:
            account_holder: ``{"type": "customer", "customer": "cus_..."}``.
            permissions: Any of ``balances``, ``ownership``, ``payment_method``, ``transactions``.
            filters: Which accounts may be linked.
            limits: How many accounts may be linked.
            manual_entry: Whether account numbers may be entered.
            prefetch: What to refresh as soon as an account is linked: ``balances``, ``ownership``,
                ``transactions``.
            return_url: The URL to which the flow returns in a mobile app.
            options: See :class:`PostOptions`.

        Raises:
            InvalidArgumentError: No permission is named, or the holder's id and type do not match.
        """
        _check_holder(account_holder)
        params: dict[str, Any] = {
            "account_holder": account_holder,
            "permissions": checks.features(permissions, "permissions"),
            "filters": filters,
            "limits": limits,
            "manual_entry": manual_entry,
            "prefetch": prefetch,
            "return_url": return_url,
        }
        return await self._post(CREATE_SESSION, None, params, options)

    async def retrieve(
        self,
        session: str | Session,
        *,
        expand: Sequence[str] | None = None,
        extra_params: Mapping[str, Any] | None = None,
    ) -> Session:
        """Return one session, with its linked accounts.

        Raises:
            NotFoundError: The API key has no access to such a session.
        """
        return await self._retrieve(RETRIEVE_SESSION, session, expand, extra_params)

    async def collect(
        self,
        session: str | Session,
        *,
        subscribe: Subscriptions = ("transactions",),
        features: RefreshFeatures | None = None,
        timeout: float = 60.0,
    ) -> list[Account]:
        """Return the accounts that the user linked, subscribed and refreshed for the first time.

        Call it when the flow is over (the browser says so; do not trust what it says beyond
        that). A feature that an account's holder did not agree to share is left out for that
        account. Calling it again is harmless: what is subscribed or refreshed stays so.

        Args:
            session: The session or its id.
            subscribe: What Stripe will refresh every day: ``transactions``; ``()`` for nothing.
            features: What to have once: ``balance``, ``ownership``, ``transactions``. A refresh is
                requested only if there was none. None waits for what the session prefetches.
            timeout: Seconds to wait for the banks, for all accounts together; above 0.

        Returns:
            The accounts, newest first; empty if the user linked none. If a bank did not answer in
            time, its refresh is still ``pending``; it continues at Stripe.

        Raises:
            InvalidArgumentError: A feature is unknown, or an argument is of another kind.
            NotFoundError: The API key has no access to such a session.
            FCError: A request failed; a bank's silence raises nothing.
        """
        accounts = Accounts(self._engine, self._options)
        names = known(checks.features(subscribe, "subscribe"), "subscribe") if subscribe else []
        wanted = None if features is None else known(checks.features(features), "features")
        timeout = checks.seconds(timeout, "timeout")
        session_id = checks.object_id(session, "session")
        if wanted is None:
            seen = await self._call(RETRIEVE_SESSION, session_id)
            wanted = [_PREFETCHED.get(each, each) for each in seen.prefetch or ()]
        linked = await accounts.list(session=session_id).collect()
        return await Onboarding(accounts, names, wanted, timeout).all(linked)

    @property
    def with_raw_response(self) -> "SessionsWithRawResponse":
        """The same methods, which here return a :class:`fcasync.Response` that holds the value."""
        return SessionsWithRawResponse(self._raw())


class SessionsWithRawResponse:
    """The methods of :class:`Sessions`, with the response's headers, ids and attempts."""

    def __init__(self, raw: Sessions) -> None:
        self.create: Final = as_raw(raw.create)
        self.retrieve: Final = as_raw(raw.retrieve)


def _check_holder(holder: Mapping[str, Any]) -> None:
    if not isinstance(holder, Mapping):
        raise InvalidArgumentError(
            "account_holder must be a mapping such as {'type': 'customer', 'customer': 'cus_...'}, "
            f"not {describe(holder)}"
        )
    kind = holder.get("type")
    if kind not in ("account", "customer"):
        raise InvalidArgumentError(
            f"account_holder['type'] must be 'account' or 'customer', not {describe(kind)}"
        )
    checks.at_most_one(holder, "account", "customer", "customer_account")
    wanted = ("account",) if kind == "account" else ("customer", "customer_account")
    if not any(holder.get(name) for name in wanted):
        raise InvalidArgumentError(
            f"account_holder of type {kind!r} must name {' or '.join(map(repr, wanted))}"
        )
