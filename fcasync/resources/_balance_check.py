"""Is there enough money? What an account says about it, and how sure that is."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Literal, TypeAlias

import attrs

from fcasync.errors import InvalidArgumentError, describe
from fcasync.models import Account, Balance, Money

Verdict: TypeAlias = Literal["sufficient", "insufficient", "unknown"]


@attrs.frozen(kw_only=True)
class BalanceCheck:
    """An answer by the deadline, whatever the bank does."""

    verdict: Verdict
    """``unknown``: there is no amount, the account cannot be debited, or nothing was asked for."""
    amount: int | None = None
    """Minor units of *currency*; None if the account shows none."""
    currency: str | None = None
    """Three-letter ISO code, lower case."""
    basis: Literal["available", "current"] | None = None
    """Which balance: what can be spent, or, where the bank does not say that, what was booked."""
    as_of: datetime | None = None
    """The time for which the bank reported the balance; it may be a day before *refreshed_at*."""
    refreshed_at: datetime | None = None
    """When it was read from the bank; None if the latest attempt did not succeed."""
    reason: str | None = None
    """Why the verdict is unknown, or why the balance is older than wanted: ``too_early``,
    ``not_settled``, ``refresh_failed``, ``refresh_refused``, ``permission_missing``,
    ``no_balance``, ``currency_missing``, ``credit_account``, ``no_threshold``,
    ``account_inactive``, ``account_disconnected``, or the class of an error."""

    @property
    def money(self) -> Money | None:
        """Amount and currency in one; None if the account shows none."""
        if self.amount is None or self.currency is None:
            return None
        return Money(self.amount, self.currency)


def threshold(at_least: object) -> tuple[str | None, int | None]:
    """Return currency and amount of ``{"usd": 5_000}`` or ``Money(5_000, "usd")``.

    Raises:
        InvalidArgumentError: It is neither None nor one currency with whole minor units from 0.
    """
    if at_least is None:
        return None, None
    if isinstance(at_least, Money):
        at_least = {at_least.currency: at_least.amount}
    if isinstance(at_least, Mapping) and len(at_least) == 1:
        ((currency, amount),) = at_least.items()
        is_amount = isinstance(amount, int) and not isinstance(amount, bool) and amount >= 0
        if isinstance(currency, str) and len(currency) == 3 and currency.isalpha() and is_amount:
            return currency.lower(), amount
    raise InvalidArgumentError(
        "at_least must be one currency with whole minor units, such as {'usd': 5_000}, "
        f"not {describe(at_least)}"
    )


def why_not_refresh(account: Account, now: float, max_age: float) -> str | None:
    """Return why *account* should not be refreshed: "" if it is fresh; None if it should be."""
    refresh = account.balance_refresh
    attempted = None if refresh is None else refresh.last_attempted_at
    is_read = refresh is not None and refresh.status == "succeeded"
    if is_read and attempted is not None and now - attempted.timestamp() <= max_age:
        return ""
    if account.status not in (None, "active"):
        return f"account_{account.status}"
    if account.permissions is not None and "balances" not in account.permissions:
        return "permission_missing"
    opens = None if refresh is None else refresh.next_refresh_available_at
    return "too_early" if opens is not None and opens > datetime.fromtimestamp(now, UTC) else None


def judge(
    account: Account, currency: str | None, least: int | None, problem: str | None
) -> BalanceCheck:
    """Return what *account*, as it is at hand, says about the threshold.

    Args:
        account: As last seen.
        currency: Of the threshold; None for the account's own, if it has only one.
        least: Minor units; None if nothing is asked for.
        problem: Why the balance may be older than wanted.
    """
    refresh = account.balance_refresh
    is_read = refresh is not None and refresh.status == "succeeded"
    times = {
        "as_of": None if account.balance is None else account.balance.as_of,
        "refreshed_at": refresh.last_attempted_at if refresh is not None and is_read else None,
    }
    basis, amounts = _amounts(account.balance)
    if currency is None and len(amounts) == 1:
        (currency,) = amounts
    amount = amounts.get(currency or "")
    unsure = _unsure(account, amounts, amount, least)
    if unsure is not None or amount is None or least is None:
        return BalanceCheck(
            verdict="unknown",
            amount=amount,
            currency=currency,
            basis=basis if amount is not None else None,
            reason=unsure if problem is None or amount is not None else problem,
            **times,
        )
    return BalanceCheck(
        verdict="sufficient" if amount >= least else "insufficient",
        amount=amount,
        currency=currency,
        basis=basis,
        reason=problem,
        **times,
    )


def _amounts(
    balance: Balance | None,
) -> tuple[Literal["available", "current"] | None, Mapping[str, int]]:
    if balance is None or balance.type == "credit":
        return None, {}
    if balance.basis == "available" and balance.cash is not None:
        return "available", balance.cash.available or {}
    return balance.basis, balance.current or {}


def _unsure(
    account: Account, amounts: Mapping[str, int], amount: int | None, least: int | None
) -> str | None:
    if account.status not in (None, "active"):
        return f"account_{account.status}"
    if account.balance is not None and account.balance.type == "credit":
        return "credit_account"
    if amount is None:
        return "currency_missing" if amounts else "no_balance"
    return "no_threshold" if least is None else None
