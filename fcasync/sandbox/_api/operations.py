"""What the eleven operations do: each a function of the store, the call and the time.

Everything here happens after the parameters have been judged: an error raised here is a result
of the operation, and is kept under the idempotency key like any other.
"""

import math
import operator
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import attrs

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._bank import objects, statement
from fcasync.sandbox._bank.ids import parted, token
from fcasync.sandbox._bank.states import AccountState, Refresh, Refused
from fcasync.sandbox._bank.store import Session, Store, window

TRANSACTIONS_URL = "/v1/financial_connections/transactions"
_COMPARE: dict[str, Callable[[int, int], bool]] = {
    "gt": operator.gt,
    "gte": operator.ge,
    "lt": operator.lt,
    "lte": operator.le,
}
_FEATURE_PERMISSION = {
    "balance": "balances",
    "ownership": "ownership",
    "transactions": "transactions",
}


@attrs.frozen
class Emit:
    """An event that becomes due: the account is looked at then, not now."""

    type: str
    account: int
    at: float
    daily: float | None = None
    """When the subscription began of which this is the daily refresh; None for a single event."""


@attrs.frozen
class Done:
    """What an operation has done."""

    body: dict[str, Any]
    executed: bool = False
    """Whether something changed."""
    effects: tuple[Emit, ...] = ()


@attrs.frozen
class Input:
    """One call of an operation: the id in its path, its checked parameters, the time."""

    target: str
    params: dict[str, Any]
    now: float


def _account(store: Store, text: str) -> int:
    index = store.index(text)
    if index is None:
        raise error_bodies.no_such("account", text, "account", status=404)
    return index


def list_accounts(store: Store, given: Input) -> Done:
    """List accounts, newest first, all or those of one holder or session."""
    params = given.params
    chosen, more = window(_matching(store, params), params, *_cursors(params, store.index))
    data = [store.account(index, given.now) for index in chosen]
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


def _cursors(
    params: dict[str, Any], locate: Callable[[str], int | None], what: str = "account"
) -> tuple[int | None, int | None]:
    if "starting_after" in params and "ending_before" in params:
        message = "Only one of starting_after and ending_before can be given."
        raise error_bodies.invalid(message, "ending_before")
    places: dict[str, int | None] = {"starting_after": None, "ending_before": None}
    for name in places.keys() & params.keys():
        places[name] = locate(params[name])
        if places[name] is None:
            raise error_bodies.no_such(what, params[name], name)
    return places["starting_after"], places["ending_before"]


def retrieve(store: Store, given: Input) -> Done:
    """Return one account."""
    return Done(store.account(_account(store, given.target), given.now))


def list_owners(store: Store, given: Input) -> Done:
    """List the owners that one ownership refresh found."""
    index = _account(store, given.target)
    found = given.params["ownership"]
    place = store.owned(found, given.now)
    if place is None or place[0] != index:
        raise error_bodies.no_such("account ownership", found, "ownership")
    people = objects.owners(store.seed, store.facts(index), place[1], place[2])
    # Numbered downwards, as `window` wants it: the first owner comes first.
    numbers = {owner["id"]: len(people) - 1 - n for n, owner in enumerate(people)}
    cursors = _cursors(given.params, numbers.get, "account owner")
    chosen, more = window(range(len(people) - 1, -1, -1), given.params, *cursors)
    url = f"{objects.ACCOUNTS_URL}/{given.target}/owners"
    return Done(objects.page(url, [people[len(people) - 1 - n] for n in chosen], more))


def refresh(store: Store, given: Input) -> Done:
    """Start refreshing features of an account; one under way is joined, not started again."""
    index = _account(store, given.target)
    features = given.params["features"]
    state = _moved(store.state(index, given.now), "refresh", given.target)
    _permit(store, index, features)
    for feature in features:
        _wait_is_over(store, state.refresh(feature), feature, given.now)
    return _start(store, index, state, features, given.now)


def _start(
    store: Store, index: int, state: AccountState, features: Sequence[str], now: float
) -> Done:
    effects = []
    for feature in features:
        before = state.refresh(feature)
        begun = before.begun(now, store.timing)
        if begun is not before:
            state = state.refreshed(feature, begun)
            effects.append(Emit(f"refreshed_{feature}", index, begun.settles_at(store.timing)))
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


def _permit(store: Store, index: int, features: Sequence[str]) -> None:
    permissions = store.facts(index).permissions
    for feature in features:
        needed = _FEATURE_PERMISSION[feature]
        if needed not in permissions:
            message = f"The account holder has not granted the {needed} permission."
            raise error_bodies.invalid(message, "features")


def _wait_is_over(store: Store, refresh: Refresh, feature: str, now: float) -> None:
    opens = refresh.opens_at(now, store.timing)
    if opens is not None and now < opens:
        when = datetime.fromtimestamp(math.ceil(opens), UTC)
        message = f"The next {feature} refresh of this account is available at {when:%F %T} UTC."
        raise error_bodies.invalid(message, "features")


def subscribe(store: Store, given: Input) -> Done:
    """Subscribe to daily transaction refreshes; the first one starts at once."""
    index = _account(store, given.target)
    before = _moved(store.state(index, given.now), "subscribe", given.target)
    _permit(store, index, given.params["features"])
    if "transactions" in before.subscriptions:
        return Done(store.account(index, given.now))
    state = attrs.evolve(before, subscriptions=("transactions",), daily=given.now)
    done = _start(store, index, state, ("transactions",), given.now)
    due = store.state(index, given.now).tomorrow(store.timing)
    daily = Emit("refreshed_transactions", index, due, daily=given.now)
    return attrs.evolve(done, effects=(*done.effects, daily))


def unsubscribe(store: Store, given: Input) -> Done:
    """End a subscription; harmless where there is none."""
    index = _account(store, given.target)
    before = _moved(store.state(index, given.now), "unsubscribe", given.target)
    state = attrs.evolve(before, subscriptions=(), daily=None)
    return _write(store, index, state, given.now)


def disconnect(store: Store, given: Input) -> Done:
    """End access to an account for good; repeating it changes nothing."""
    index = _account(store, given.target)
    before = _moved(store.state(index, given.now), "disconnect", given.target)
    done = _write(store, index, attrs.evolve(before, subscriptions=(), daily=None), given.now)
    news = (Emit("disconnected", index, given.now),) if done.executed else ()
    return attrs.evolve(done, effects=news)


def bank_event(store: Store, account_id: str, event: str, now: float) -> Done:
    """Let the bank deactivate or reactivate an account; not an operation of the API."""
    index = _account(store, account_id)
    done = _write(store, index, _moved(store.state(index, now), event, account_id), now)
    news = (Emit(f"{event}d", index, now),) if done.executed else ()
    return attrs.evolve(done, effects=news)


def create_session(store: Store, given: Input) -> Done:
    """Open a link session for an account holder."""
    params = {name: value for name, value in given.params.items() if name != "expand"}
    number = len(store.sessions)
    session_id = store.seed.session_ids.encode(number)
    secret = token(24, store.seed.number, 0x5EC7, number)
    session = Session(session_id, f"{session_id}_secret_{secret}", params)
    store.sessions[session_id] = session
    return Done(session_body(store, session, given.now), executed=True)


def retrieve_session(store: Store, given: Input) -> Done:
    """Return one session with the accounts that were linked in it."""
    session = store.sessions.get(given.target)
    if session is None:
        raise error_bodies.no_such("session", given.target, "session", status=404)
    return Done(session_body(store, session, given.now))


def session_body(store: Store, session: Session, now: float) -> dict[str, Any]:
    """Return a session as the API shows it."""
    accounts = [store.account(index, now) for index in session.accounts]
    params = session.params
    body = {
        "id": session.id,
        "object": "financial_connections.session",
        "account_holder": params["account_holder"],
        "accounts": objects.page(objects.ACCOUNTS_URL, accounts, False),
        "client_secret": session.client_secret,
        "livemode": False,
        "permissions": params["permissions"],
        "prefetch": params.get("prefetch", []),
    }
    if "filters" in params:
        body["filters"] = {"account_subcategories": None, "country": None, **params["filters"]}
    if params.get("limits", {}).get("accounts") is not None:
        body["limits"] = params["limits"]
    return body | {name: params[name] for name in ("manual_entry", "return_url") if name in params}


def list_transactions(store: Store, given: Input) -> Done:
    """List an account's transactions, newest first."""
    params = given.params
    index = store.index(params["account"])
    if index is None:
        raise error_bodies.no_such("account", params["account"], "account")
    facts, good = store.facts(index), store.transactions(index, given.now).good
    if not good:
        message = "This account has had no successful transaction refresh yet."
        code = "financial_connections_no_successful_transaction_refresh"
        raise error_bodies.invalid(message, "account", code)
    earliest = _refreshed_after(store, index, params)
    numbers = [
        number
        for number in range(statement.count(facts, good) - 1, -1, -1)
        if _within(statement.transacted_at(facts, number), params.get("transacted_at"))
        and statement.updated_by(facts, number, good) > earliest
    ]

    def locate(text: str) -> int | None:
        return _part_of(index, store.seed.transaction_ids.decode(text))

    chosen, more = window(numbers, params, *_cursors(params, locate, "transaction"))
    data = [statement.transaction(store.seed, facts, number, good) for number in chosen]
    return Done(objects.page(TRANSACTIONS_URL, data, more))


def _refreshed_after(store: Store, index: int, params: dict[str, Any]) -> int:
    if "transaction_refresh" not in params:
        return 0
    text = params["transaction_refresh"]["after"]
    number = _part_of(index, store.seed.refresh_ids.decode(text))
    if number is None:
        raise error_bodies.no_such("transaction refresh", text, "transaction_refresh[after]")
    return number


def _part_of(index: int, code: int | None) -> int | None:
    """Return the number of the part that *code* stands for, if it is one of account *index*."""
    account, number = (None, None) if code is None else parted(code)
    return number if account == index else None


def _within(at: int, wanted: Any) -> bool:
    if wanted is None or isinstance(wanted, int):
        return wanted is None or at == wanted
    return all(_COMPARE[name](at, bound) for name, bound in wanted.items())


def retrieve_transaction(store: Store, given: Input) -> Done:
    """Return one transaction."""
    code = store.seed.transaction_ids.decode(given.target)
    index, number = (store.total, 0) if code is None else parted(code)
    if index < store.total:
        facts, good = store.facts(index), store.transactions(index, given.now).good
        if number < statement.count(facts, good):
            return Done(statement.transaction(store.seed, facts, number, good))
    raise error_bodies.no_such("transaction", given.target, "transaction", status=404)


RUN: dict[str, Callable[[Store, Input], Done]] = {
    "list": list_accounts,
    "retrieve": retrieve,
    "list_owners": list_owners,
    "refresh": refresh,
    "subscribe": subscribe,
    "unsubscribe": unsubscribe,
    "disconnect": disconnect,
    "create_session": create_session,
    "retrieve_session": retrieve_session,
    "list_transactions": list_transactions,
    "retrieve_transaction": retrieve_transaction,
}
