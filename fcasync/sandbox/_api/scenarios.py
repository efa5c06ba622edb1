"""Rare moments by name: what each changes about an account, and which event says so.

Each scenario is one function below a row; :data:`SCENARIOS` is the table of them.
"""

from collections.abc import Callable
from typing import Any

import attrs

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.operations import Done, Emit
from fcasync.sandbox._bank.rare import ORDINARY
from fcasync.sandbox._bank.states import DAY, AccountState, Refused
from fcasync.sandbox._bank.store import Store

_NOTICE = 7 * DAY
"""Seconds between the announcement of an end and the end."""
_NEVER = float("inf")


@attrs.frozen
class Moment:
    """An account at the moment at which a scenario is played on it."""

    store: Store
    index: int
    state: AccountState
    now: float

    @property
    def institution(self) -> str:
        """Its bank."""
        return self.store.facts(self.index).institution

    def in_days(self, days: float) -> int:
        """Return the second that many days from now."""
        return int(self.now + days * DAY)


Change = Callable[[Moment], AccountState]


@attrs.frozen
class Scenario:
    """One rare moment."""

    change: Change
    """Returns the state of the account afterwards."""
    event: str | None
    """The event that says so, as `Emit` names it; None if there is no event."""
    summary: str


SCENARIOS: dict[str, Scenario] = {}
"""Every scenario by its name."""


def _scenario(name: str, event: str | None = None) -> Callable[[Change], Change]:
    def enter(change: Change) -> Change:
        SCENARIOS[name] = Scenario(change, event, (change.__doc__ or "").splitlines()[0])
        return change

    return enter


def play(store: Store, account_id: str, name: str, now: float) -> Done:
    """Play scenario *name* on an account, and return the account afterwards.

    Raises:
        ApiError: There is no such account, or it cannot get into this situation.
        ValueError: There is no such scenario.
    """
    scenario = SCENARIOS.get(name)
    if scenario is None:
        raise ValueError(f"scenario {name[:50]!r} is unknown; choose from {', '.join(SCENARIOS)}")
    index = store.index(account_id)
    if index is None:
        raise error_bodies.no_such("account", account_id, "account", status=404)
    before = store.state(index, now)
    if before.status == "disconnected":
        raise error_bodies.invalid(f"Account {account_id} is disconnected for good.", "account")
    try:
        after = scenario.change(Moment(store, index, before, now))
    except Refused as error:
        message = f"Account {account_id} {error}; {name} cannot happen to it."
        raise error_bodies.invalid(message, "account") from None
    changed = after != before
    if changed:
        store.changed[index] = after
    is_said = scenario.event is not None and changed
    effects = _effects(scenario, index, before, after, now) if is_said else ()
    return Done(store.account(index, now), changed, effects)


def _effects(
    scenario: Scenario, index: int, before: AccountState, after: AccountState, now: float
) -> tuple[Emit, ...]:
    kind = scenario.event or ""
    old = before if kind.endswith("_updated") else None
    said = Emit(kind, index, now, before=old)
    ends = after.rare.deactivates
    if ends is None or ends == before.rare.deactivates:
        return (said,)
    return said, Emit("deactivated", index, float(ends), expected=ends)


def _rare(moment: Moment, **changes: Any) -> AccountState:
    return attrs.evolve(moment.state, rare=attrs.evolve(moment.state.rare, **changes))


def _ending(moment: Moment, days: float, **why: Any) -> AccountState:
    if moment.state.status != "active":
        raise Refused(f"is {moment.state.status}")
    return _rare(moment, deactivates=moment.in_days(days), **why)


def _later(moment: Moment) -> AccountState:
    ends = moment.state.rare.deactivates
    if ends is None or moment.state.status != "active":
        raise Refused("is not about to be deactivated")
    return _rare(moment, deactivates=int(ends + 30 * DAY))


@_scenario("deactivated", "deactivated")
def _deactivated(moment: Moment) -> AccountState:
    """The bank ends access: the account is inactive, and refreshes are refused."""
    state = moment.state.moved("deactivate")
    return attrs.evolve(state, rare=state.rare.lasting()) if state != moment.state else state


@_scenario("reactivated", "reactivated")
def _reactivated(moment: Moment) -> AccountState:
    """The holder has linked the account again: it is active."""
    state = moment.state.moved("reactivate")
    return attrs.evolve(state, rare=state.rare.lasting()) if state != moment.state else state


@_scenario("relink_required", "upcoming_deactivation")
def _relink_required(moment: Moment) -> AccountState:
    """Access expires in 7 days unless the holder links the account again; then it is inactive."""
    return _ending(moment, 7, action="relink_required", cause="access_expired")


@_scenario("upcoming_deactivation", "upcoming_deactivation")
def _upcoming_deactivation(moment: Moment) -> AccountState:
    """The bank is going to end access in 7 days, whatever the holder does."""
    return _ending(moment, 7, action="none", cause="institution_requirement")


@_scenario("deactivation_postponed", "expected_deactivation_date_updated")
def _deactivation_postponed(moment: Moment) -> AccountState:
    """The announced end of access is put off by 30 days."""
    return _later(moment)


@_scenario("authorization_upcoming_deactivation", "authorization.upcoming_deactivation")
def _authorization_upcoming_deactivation(moment: Moment) -> AccountState:
    """As relink_required, said of the authorization behind the account."""
    return _relink_required(moment)


@_scenario(
    "authorization_deactivation_postponed", "authorization.expected_deactivation_date_updated"
)
def _authorization_deactivation_postponed(moment: Moment) -> AccountState:
    """As deactivation_postponed, said of the authorization behind the account."""
    return _later(moment)


@_scenario("upcoming_account_number_expiry", "upcoming_account_number_expiry")
def _upcoming_account_number_expiry(moment: Moment) -> AccountState:
    """The account number, a tokenized one, stops working in 7 days."""
    return _rare(_with_number(moment), expires=moment.in_days(7), expired=False)


@_scenario("account_number_expired", "account_numbers_updated")
def _account_number_expired(moment: Moment) -> AccountState:
    """The account number, a tokenized one, has stopped working."""
    return _rare(_with_number(moment), expires=int(moment.now), expired=True)


def _with_number(moment: Moment) -> Moment:
    if moment.store.facts(moment.index).category != "cash":
        raise Refused("has no account number")
    return moment


@_scenario("payment_methods_lost", "supported_payment_method_types_updated")
def _payment_methods_lost(moment: Moment) -> AccountState:
    """The account no longer supports payment methods."""
    if not moment.store.facts(moment.index).payment_methods:
        raise Refused("supports no payment methods")
    return _rare(moment, is_unpayable=True)


@_scenario("null_balance", "refreshed_balance")
def _null_balance(moment: Moment) -> AccountState:
    """The bank shares no balance: refreshes succeed, and the balance is null."""
    return _refreshed(moment, "null")


@_scenario("stale_balance", "refreshed_balance")
def _stale_balance(moment: Moment) -> AccountState:
    """The bank's balance is old: refreshes succeed, and its as_of is more than a day before."""
    return _refreshed(moment, "stale")


def _refreshed(moment: Moment, balance: str) -> AccountState:
    if "balances" not in moment.store.facts(moment.index).permissions:
        raise Refused("may not read balances")
    if moment.state.status != "active":
        raise Refused(f"is {moment.state.status}")
    state = _rare(moment, balance=balance)
    return state.refreshed("balance", state.balance.succeeded(moment.now))


@_scenario("institution_down")
def _institution_down(moment: Moment) -> AccountState:
    """The bank of the account is down: refreshes of its accounts fail until institution_up."""
    outages = moment.store.outages.get(moment.institution, ())
    if not outages or outages[-1][1] != _NEVER:
        moment.store.outages[moment.institution] = (*outages, (moment.now, _NEVER))
    return moment.state


@_scenario("institution_up")
def _institution_up(moment: Moment) -> AccountState:
    """The bank of the account is up again; what failed meanwhile stays failed."""
    outages = moment.store.outages.get(moment.institution, ())
    if outages and outages[-1][1] == _NEVER:
        began, _ = outages[-1]
        moment.store.outages[moment.institution] = (*outages[:-1], (began, moment.now))
    return moment.state


@_scenario("ordinary")
def _ordinary(moment: Moment) -> AccountState:
    """Everything about the account is as usual again; its status stays, and its bank."""
    return attrs.evolve(moment.state, rare=ORDINARY)
