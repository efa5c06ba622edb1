"""The operations that a bulk job can carry out: one row each, and nothing else names them all."""

from collections.abc import Callable, Sequence

import attrs

from fcasync._rules.request import Operation
from fcasync.bulk._plan import verdicts
from fcasync.bulk._plan.verdicts import Verdict
from fcasync.models import Account
from fcasync.resources import accounts


def _never(features: Sequence[str], account: Account) -> bool:
    return False


def _as_sent(features: Sequence[str], account: Account, sent_at: int) -> int:
    return sent_at


@attrs.frozen(kw_only=True)
class Verb:
    """One operation, and how an account shows what becomes of it."""

    operation: Operation[Account]
    past_tense: str
    """As reports say it: ``refreshed``."""
    precheck: Callable[[Sequence[str], Account, float], Verdict | None]
    """Given features, account and the server's Unix time: how it ends without being sent, or
    None if it should be sent."""
    has_run: Callable[[Sequence[str], Account, float], bool]
    """Given features, account and a Unix time: whether the account shows that the operation was
    carried out, not before that time if it leaves a time behind."""
    is_under_way: Callable[[Sequence[str], Account], bool] = _never
    """Whether somebody else's request is doing the same already."""
    began: Callable[[Sequence[str], Account, int], int] = _as_sent
    """Given features, the account as accepted and the time of sending: the Unix time that an
    account must show, or a later one, to show what came of it."""
    settled: Callable[[Sequence[str], Account, float], Verdict | None] = verdicts.at_once
    """Given features, account and that time: how it ended at the bank; None if not known yet."""

    @property
    def name(self) -> str:
        """Stripe's name of the operation."""
        return self.operation.name


REFRESH = Verb(
    operation=accounts.REFRESH,
    past_tense="refreshed",
    precheck=verdicts.not_refreshable,
    has_run=verdicts.was_attempted,
    is_under_way=verdicts.is_refreshing,
    began=verdicts.refresh_began,
    settled=verdicts.refresh_settled,
)
SUBSCRIBE = Verb(
    operation=accounts.SUBSCRIBE,
    past_tense="subscribed",
    precheck=verdicts.unusable,
    has_run=lambda features, account, _: set(features) <= set(account.subscriptions or ()),
)
UNSUBSCRIBE = Verb(
    operation=accounts.UNSUBSCRIBE,
    past_tense="unsubscribed",
    precheck=verdicts.disconnected,
    has_run=lambda features, account, _: set(features).isdisjoint(account.subscriptions or ()),
)
DISCONNECT = Verb(
    operation=accounts.DISCONNECT,
    past_tense="disconnected",
    precheck=verdicts.disconnected,
    has_run=lambda _, account, __: account.status == "disconnected",
)
