"""The operations on link sessions."""

from typing import Any

from fcasync.sandbox._api import error_bodies, preview
from fcasync.sandbox._api.operations.operation import EXPAND, IDS, Done, Input, operation
from fcasync.sandbox._api.params import Choice, Holder, Integer, List, Object, Text, Url
from fcasync.sandbox._bank import objects
from fcasync.sandbox._bank.dice import Salt
from fcasync.sandbox._bank.ids import token
from fcasync.sandbox._bank.schema import FLAG, TEXT, list_of, obj, one_of, or_null, page_of, ref
from fcasync.sandbox._bank.store import Session, Store
from fcasync.sandbox._bank.words import PERMISSIONS, PREFETCH, SUBCATEGORIES

_SUPPORT = ("all", "at_least_one", "none")
_MODES = ("automatic", "disabled")
_PARAMS = Object(
    {
        **EXPAND,
        "account_holder": Holder({**IDS, "type": Choice(("account", "customer"))}, ("type",)),
        "filters": Object(
            {
                "account_subcategories": List(Choice(SUBCATEGORIES)),
                "country": Text(),
                "require_payment_method_support": Choice(_SUPPORT),
            }
        ),
        "limits": Object({"accounts": Integer(1, may_be_empty=True)}, ("accounts",)),
        "manual_entry": Object({"mode": Choice(_MODES)}),
        "permissions": List(Choice(PERMISSIONS)),
        "prefetch": List(Choice(PREFETCH)),
        "return_url": Url(),
    },
    ("account_holder", "permissions"),
)


@operation(
    "create_session",
    "POST",
    "sessions",
    params=_PARAMS,
    returns="session",
    preview={"relink_options": preview.RELINK_OPTIONS},
)
def create_session(store: Store, call: Input) -> Done:
    """Open a link session for an account holder."""
    preview.relinks(store, call.params)
    params = {name: value for name, value in call.params.items() if name != "expand"}
    number = len(store.sessions)
    session_id = store.seed.session_ids.encode(number)
    secret = token(24, store.seed.number, Salt.SESSION, number)
    session = Session(session_id, f"{session_id}_secret_{secret}", params)
    store.sessions[session_id] = session
    return Done(_body(store, session, call.now), executed=True)


@operation("retrieve_session", "GET", "sessions/{session}", returns="session")
def retrieve_session(store: Store, call: Input) -> Done:
    """Return one session with the accounts that were linked in it."""
    session = store.sessions.get(call.target)
    if session is None:
        raise error_bodies.no_such("session", call.target, "session", status=404)
    return Done(_body(store, session, call.now))


def _body(store: Store, session: Session, now: float) -> dict[str, Any]:
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


SCHEMAS = {
    "session": obj(
        {
            "filters": obj(
                {
                    "account_subcategories": or_null(list_of(one_of(*SUBCATEGORIES))),
                    "country": or_null(TEXT),
                    "require_payment_method_support": one_of(*_SUPPORT),
                }
            ),
            "limits": obj(accounts={"type": "integer"}),
            "manual_entry": obj({"mode": one_of(*_MODES)}),
            "return_url": TEXT,
        },
        id=TEXT,
        object=one_of("financial_connections.session"),
        account_holder=or_null(ref("account_holder")),
        accounts=page_of("account"),
        client_secret=or_null(TEXT),
        livemode=FLAG,
        permissions=list_of(one_of(*PERMISSIONS)),
        prefetch=list_of(one_of(*PREFETCH)),
    )
}
