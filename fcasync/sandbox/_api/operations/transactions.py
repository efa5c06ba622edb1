"""The operations on transactions."""

from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.operations.operation import PAGE, Done, Input, operation
from fcasync.sandbox._api.operations.paging import INSTANTS, cursors, within
from fcasync.sandbox._api.params import Object, Text
from fcasync.sandbox._bank import objects, statement
from fcasync.sandbox._bank.ids import parted
from fcasync.sandbox._bank.statement import number_at
from fcasync.sandbox._bank.store import Store, window

SCHEMAS = statement.SCHEMAS
_URL = "/v1/financial_connections/transactions"
_PARAMS = Object(
    {
        **PAGE,
        "account": Text(),
        "transacted_at": INSTANTS,
        "transaction_refresh": Object({"after": Text()}, ("after",)),
    },
    ("account",),
)


@operation("list_transactions", "GET", "transactions", params=_PARAMS, returns="transactions")
def list_transactions(store: Store, call: Input) -> Done:
    """List an account's transactions, newest first."""
    params = call.params
    index = store.index(params["account"])
    if index is None:
        raise error_bodies.no_such("account", params["account"], "account")
    found = store.statement(index, call.now)
    if not found:
        message = "This account has had no successful transaction refresh yet."
        code = "financial_connections_no_successful_transaction_refresh"
        raise error_bodies.invalid(message, "account", code)
    places = [
        place
        for place in found.places(_refreshed_after(store, index, call))
        if within(found.transacted_at(number_at(place)), params.get("transacted_at"))
    ]

    def locate(text: str) -> int | None:
        number = _part_of(index, store.seed.transaction_ids.decode(text))
        return found.place(number) if number is not None and number < len(found) else None

    chosen, more = window(places, params, *cursors(params, locate, "transaction"))
    return Done(objects.page(_URL, [found.transaction(number_at(place)) for place in chosen], more))


def _refreshed_after(store: Store, index: int, call: Input) -> int:
    """Return the number of the refresh after which the caller wants to know what changed."""
    if "transaction_refresh" not in call.params:
        return 0
    text = call.params["transaction_refresh"]["after"]
    number = _part_of(index, store.seed.refresh_ids.decode(text))
    if number is None or not 0 < number <= store.transactions(index, call.now).number:
        raise error_bodies.no_such("transaction refresh", text, "transaction_refresh[after]")
    return number


def _part_of(index: int, code: int | None) -> int | None:
    """Return the number of the part that *code* stands for, if it is one of account *index*."""
    account, number = (None, None) if code is None else parted(code)
    return number if account == index else None


@operation("retrieve_transaction", "GET", "transactions/{transaction}", returns="transaction")
def retrieve_transaction(store: Store, call: Input) -> Done:
    """Return one transaction."""
    code = store.seed.transaction_ids.decode(call.target)
    index, number = (store.total, 0) if code is None else parted(code)
    if index < store.total:
        found = store.statement(index, call.now)
        if number < len(found):
            return Done(found.transaction(number))
    raise error_bodies.no_such("transaction", call.target, "transaction", status=404)
