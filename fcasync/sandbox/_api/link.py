"""What a person does on the hosted page: picks an institution, and accounts in it."""

from typing import Any

import attrs

from fcasync.sandbox._api import error_bodies, preview
from fcasync.sandbox._bank.dice import mix
from fcasync.sandbox._bank.events import Emit
from fcasync.sandbox._bank.seed import INSTITUTIONS, Facts, kind
from fcasync.sandbox._bank.states import AccountState, Refresh
from fcasync.sandbox._bank.store import Session, Store

_OFFERED = (
    ("cash", "checking"),
    ("cash", "savings"),
    ("credit", "credit_card"),
    ("credit", "line_of_credit"),
    ("credit", "mortgage"),
)
_PREFETCHED = {"balances": "balance", "ownership": "ownership", "transactions": "transactions"}


def offers(session: Session) -> list[dict[str, str]]:
    """Return the kinds of account that the session's filters let through."""
    filters = session.params.get("filters", {})
    wanted = filters.get("account_subcategories")
    payable = filters.get("require_payment_method_support") == "all"
    kinds = [kind(category, subcategory) for category, subcategory in _OFFERED]
    return [
        {name: offer[name] for name in ("category", "subcategory", "display_name")}
        for offer in kinds
        if (wanted is None or offer["subcategory"] in wanted)
        and (not payable or offer["payment_methods"])
    ]


def page(store: Store, session: Session) -> dict[str, Any]:
    """Return what the hosted page shows."""
    return {
        "session": session.id,
        "permissions": session.params["permissions"],
        "institutions": _institutions(store, session),
        "accounts": offers(session),
        "most": session.params.get("limits", {}).get("accounts"),
        "return_url": session.params.get("return_url"),
        "declined": session.declined,
        "linked": [store.seed.account_ids.encode(index) for index in session.accounts],
    }


def link(
    store: Store, session: Session, institution: str, picks: list[int], now: float
) -> tuple[Emit, ...]:
    """Link the accounts at *picks* (positions in :func:`offers`), and fill the session with them.

    Raises:
        ApiError: The session is filled already, or does not allow this choice.
    """
    if session.declined:
        raise error_bodies.invalid("This session was cancelled.")
    offered = offers(session)
    most = session.params.get("limits", {}).get("accounts") or len(offered)
    if session.accounts:
        raise error_bodies.invalid("This session already has its accounts.")
    if institution not in _institutions(store, session):
        raise error_bodies.invalid(f"There is no institution {institution[:100]!r}.", "institution")
    if not picks or len(set(picks)) > most or not set(picks) <= set(range(len(offered))):
        raise error_bodies.invalid(
            f"Pick 1 to {min(most, len(offered))} of the accounts.", "accounts"
        )
    effects: list[Emit] = []
    again = preview.relinks(store, session.params)
    for pick in sorted(set(picks)):
        if again is not None and session.relinked is None and _is(store, again, offered[pick]):
            index = again
            effects += _reconnect(store, index, now)
            session = attrs.evolve(session, relinked=index)
        else:
            facts = _facts(store, session, offered[pick], institution, int(now))
            effects += _connect(store, session, facts, now)
            index = facts.index
        session = attrs.evolve(session, accounts=(*session.accounts, index))
    store.sessions[session.id] = session
    return tuple(effects)


def _institutions(store: Store, session: Session) -> tuple[str, ...]:
    """Return where accounts may be picked: a relink is about one institution."""
    again = preview.relinks(store, session.params)
    return INSTITUTIONS if again is None else (store.facts(again).institution,)


def _is(store: Store, index: int, offer: dict[str, str]) -> bool:
    """Return whether a person who picks *offer* means account *index*."""
    facts = store.facts(index)
    return (facts.category, facts.subcategory) == (offer["category"], offer["subcategory"])


def _reconnect(store: Store, index: int, now: float) -> list[Emit]:
    """Give access to an account back; it keeps its id, and loses its subscription."""
    before = store.state(index, now)
    if before.status == "disconnected":
        raise error_bodies.invalid("A disconnected account cannot be linked again.", "accounts")
    kept = attrs.evolve(before, subscriptions=(), daily=None, rare=before.rare.lasting())
    store.changed[index] = kept.moved("reactivate")
    return [] if before.status == "active" else [Emit("reactivated", index, now)]


def decline(store: Store, session: Session) -> None:
    """End the session without accounts, as a person does who cancels; repeating it is not an error.

    Raises:
        ApiError: The session is filled already.
    """
    if session.accounts:
        raise error_bodies.invalid("This session already has its accounts.")
    store.sessions[session.id] = attrs.evolve(session, declined=True)


def _facts(
    store: Store, session: Session, offer: dict[str, str], institution: str, created: int
) -> Facts:
    index = store.total
    seed = store.seed.account_seed(index)
    return Facts(
        index=index,
        id=store.seed.account_ids.encode(index),
        seed=seed,
        created=created,
        holder=session.params["account_holder"],
        institution=institution,
        last4=f"{seed % 10_000:04}",
        permissions=tuple(session.params["permissions"]),
        session=session.id,
        **kind(offer["category"], offer["subcategory"]),
    )


def _connect(store: Store, session: Session, facts: Facts, now: float) -> list[Emit]:
    balance, ownership, transactions = (Refresh(mix(facts.seed, feature)) for feature in (1, 2, 3))
    state = AccountState("active", (), balance, ownership, transactions)
    store.linked[facts.index] = facts
    effects, timing = [Emit("created", facts.index, now)], store.timing_of(facts.index)
    for wanted in session.params.get("prefetch", []):
        feature = _PREFETCHED[wanted]
        if wanted in facts.permissions:
            begun = state.refresh(feature).begun(now, timing)
            state = state.refreshed(feature, begun)
            effects.append(Emit(f"refreshed_{feature}", facts.index, begun.settles_at(timing)))
    store.changed[facts.index] = state
    return effects
