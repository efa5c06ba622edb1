"""The operations on accounts and their owners."""

import math
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.operations.operation import (
    EXPAND,
    IDS,
    PAGE,
    Done,
    Input,
    operation,
)
from fcasync.sandbox._api.operations.paging import cursors
from fcasync.sandbox._api.params import Choice, Holder, List, Object, Text
from fcasync.sandbox._bank import objects, owners
from fcasync.sandbox._bank.events import Emit
from fcasync.sandbox._bank.states import AccountState, Refresh, Refused
from fcasync.sandbox._bank.store import Store, window
from fcasync.sandbox._bank.words import FEATURES

SCHEMAS = {**objects.SCHEMAS, **owners.SCHEMAS}
_FEATURE_PERMISSION = {
    "balance": "balances",
    "ownership": "ownership",
    "transactions": "transactions",
}
_FEATURES = Object({**EXPAND, "features": List(Choice(FEATURES))}, ("features",))
_SUBSCRIPTION = Object({**EXPAND, "features": List(Choice(("transactions",)))}, ("features",))


def _index(store: Store, text: str) -> int:
    index = store.index(text)
    if index is None:
        raise error_bodies.no_such("account", text, "account", status=404)
    return index


@operation(
    "list",
    "GET",
    "accounts",
    params=Object({**PAGE, "account_holder": Holder(IDS), "session": Text()}),
    returns="accounts",
)
def list_accounts(store: Store, call: Input) -> Done:
    """List accounts, newest first, all or those of one holder or session."""
    params = call.params
    chosen, more = window(_matching(store, params), params, *cursors(params, store.index))
    data = [store.account(index, call.now) for index in chosen]
    return Done(objects.page(objects.ACCOUNTS_URL, data, more))


def _matching(store: Store, params: dict[str, Any]) -> Sequence[int]:
    if (wanted := params.get("session")) is not None:
        session = store.sessions.get(wanted)
        if session is None:
            raise error_bodies.no_such("session", wanted, "session")
        holder = params.get("account_holder", {})
        mine = [i for i in session.accounts if holder.items() <= store.facts(i).holder.items()]
        return sorted(mine, reverse=True)
    if holder := params.get("account_holder"):
        return store.of_holder(holder)
    return range(store.total - 1, -1, -1)


@operation("retrieve", "GET", "accounts/{account}", returns="account")
def retrieve(store: Store, call: Input) -> Done:
    """Return one account."""
    return Done(store.account(_index(store, call.target), call.now))


@operation(
    "list_owners",
    "GET",
    "accounts/{account}/owners",
    params=Object({**PAGE, "ownership": Text()}, ("ownership",)),
    returns="owners",
)
def list_owners(store: Store, call: Input) -> Done:
    """List the owners that one ownership refresh found."""
    index = _index(store, call.target)
    ownership_id = call.params["ownership"]
    owned = store.owned(ownership_id, call.now)
    if owned is None or owned[0] != index:
        raise error_bodies.no_such("account ownership", ownership_id, "ownership")
    people = owners.owners(store.seed, store.facts(index), owned[1], owned[2])
    # Numbered downwards, as `window` wants it: the first owner comes first.
    numbers = {owner["id"]: len(people) - 1 - n for n, owner in enumerate(people)}
    ends = cursors(call.params, numbers.get, "account owner")
    chosen, more = window(range(len(people) - 1, -1, -1), call.params, *ends)
    url = f"{objects.ACCOUNTS_URL}/{call.target}/owners"
    return Done(objects.page(url, [people[len(people) - 1 - n] for n in chosen], more))


@operation("refresh", "POST", "accounts/{account}/refresh", params=_FEATURES, returns="account")
def refresh(store: Store, call: Input) -> Done:
    """Start refreshing features of an account; a pending one is joined, not started again."""
    index = _index(store, call.target)
    features = call.params["features"]
    state = _moved(store.state(index, call.now), "refresh", call.target)
    _check_permissions(store, index, features)
    for feature in features:
        _check_cooldown(store, state.refresh(feature), feature, call.now)
    return _start(store, index, state, features, call.now)


def _start(
    store: Store, index: int, state: AccountState, features: Sequence[str], now: float
) -> Done:
    effects = []
    timing = store.timing_of(index)
    for feature in features:
        before = state.refresh(feature)
        begun = before.begun(now, timing)
        if begun is not before:
            state = state.refreshed(feature, begun)
            effects.append(Emit(f"refreshed_{feature}", index, begun.settles_at(timing)))
    done = _write(store, index, state, now)
    return attrs.evolve(done, effects=tuple(effects))


def _write(store: Store, index: int, state: AccountState, now: float) -> Done:
    executed = state != store.state(index, now)
    if executed:
        store.changed[index] = state
    return Done(store.account(index, now), executed)


def _moved(state: AccountState, event: str, account_id: str) -> AccountState:
    try:
        return state.moved(event)
    except Refused:
        message = f"Account {account_id} is {state.status}; it cannot take {event}."
        code = "financial_connections_account_inactive"
        raise error_bodies.ApiError(400, message, code=code) from None


def _check_permissions(store: Store, index: int, features: Sequence[str]) -> None:
    permissions = store.facts(index).permissions
    for feature in features:
        needed = _FEATURE_PERMISSION[feature]
        if needed not in permissions:
            message = f"The account holder has not granted the {needed} permission."
            raise error_bodies.invalid(message, "features")


def _check_cooldown(store: Store, refresh: Refresh, feature: str, now: float) -> None:
    opens = refresh.opens_at(now, store.timing)
    if opens is not None and now < opens:
        when = datetime.fromtimestamp(math.ceil(opens), UTC)
        message = f"The next {feature} refresh of this account is available at {when:%F %T} UTC."
        raise error_bodies.invalid(message, "features")


@operation(
    "subscribe", "POST", "accounts/{account}/subscribe", params=_SUBSCRIPTION, returns="account"
)
def subscribe(store: Store, call: Input) -> Done:
    """Subscribe to daily transaction refreshes; the first one starts at once."""
    index = _index(store, call.target)
    before = _moved(store.state(index, call.now), "subscribe", call.target)
    _check_permissions(store, index, call.params["features"])
    if "transactions" in before.subscriptions:
        return Done(store.account(index, call.now))
    state = attrs.evolve(before, subscriptions=("transactions",), daily=call.now)
    done = _start(store, index, state, ("transactions",), call.now)
    due = store.state(index, call.now).tomorrow(store.timing)
    daily = Emit("refreshed_transactions", index, due, daily=call.now)
    return attrs.evolve(done, effects=(*done.effects, daily))


@operation(
    "unsubscribe",
    "POST",
    "accounts/{account}/unsubscribe",
    params=_SUBSCRIPTION,
    returns="account",
)
def unsubscribe(store: Store, call: Input) -> Done:
    """End a subscription; without one, nothing changes."""
    index = _index(store, call.target)
    before = _moved(store.state(index, call.now), "unsubscribe", call.target)
    state = attrs.evolve(before, subscriptions=(), daily=None)
    return _write(store, index, state, call.now)


@operation("disconnect", "POST", "accounts/{account}/disconnect", returns="account")
def disconnect(store: Store, call: Input) -> Done:
    """End access to an account for good; repeating it changes nothing."""
    index = _index(store, call.target)
    before = _moved(store.state(index, call.now), "disconnect", call.target)
    done = _write(store, index, attrs.evolve(before, subscriptions=(), daily=None), call.now)
    effects = (Emit("disconnected", index, call.now),) if done.executed else ()
    return attrs.evolve(done, effects=effects)
