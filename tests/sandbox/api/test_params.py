"""Every refusal is Stripe's: status, type, code and the parameter at fault."""

from typing import Any

import pytest

from tests.sandbox.worlds import ACCOUNTS, SESSIONS, TRANSACTIONS, driver

BALANCES = "&permissions[]=balances"
HOLDER = "account_holder[type]=customer&account_holder[customer]=cus_1"
TWO_HOLDERS = "account_holder[customer]=cus_1&account_holder[account]=acct_1"
MISSING, UNKNOWN, NO_SUCH = "parameter_missing", "parameter_unknown", "resource_missing"
INTEGER = "parameter_invalid_integer"
NO_REFRESH = "financial_connections_no_successful_transaction_refresh"
AFTER = "transaction_refresh[after]"
INACTIVE = "financial_connections_account_inactive"

# The accounts of the default seed that lack something (see `_seed`).
INACTIVE_ACCOUNT, NO_BALANCES, DISCONNECTED, BALANCES_ONLY, NEVER_READ = 5, 11, 13, 2, 1


def refused(method: str, path: str, params: Any = "", **kwargs: Any) -> tuple[Any, ...]:
    api = driver()
    path = path.format(*(api.account_id(index) for index in range(25)))
    status, body = api.send(method, path, params, **kwargs)
    error = body["error"]
    assert error["message"]
    assert error["type"] == "invalid_request_error"
    assert api.reply.headers["Request-Id"] in error["request_log_url"]
    assert ("doc_url" in error) == ("code" in error)
    return status, error.get("code"), error.get("param")


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("limit=0", INTEGER, "limit"),
        ("limit=101", INTEGER, "limit"),
        ("limit=ten", INTEGER, "limit"),
        ("limit=1.5", INTEGER, "limit"),
        ("limit=", INTEGER, "limit"),
        ("limit[a]=1", INTEGER, "limit"),
        ("limit=" + "9" * 5000, INTEGER, "limit"),
        ("colour=red", UNKNOWN, "colour"),
        ("account_holder[name]=x", UNKNOWN, "account_holder[name]"),
        ("account_holder=cus_1", None, "account_holder"),
        ("account_holder[customer]=", "parameter_invalid_empty", "account_holder[customer]"),
        (TWO_HOLDERS, None, "account_holder[account]"),
        ("starting_after=fca_unknown", NO_SUCH, "starting_after"),
        ("ending_before=fca_unknown", NO_SUCH, "ending_before"),
        ("starting_after={1}&ending_before={2}", None, "ending_before"),
        ("session=fcsess_unknown", NO_SUCH, "session"),
        ("session=" + "x" * 5001, "parameter_invalid_string", "session"),
        ("expand[]=data.colour", None, "expand[0]"),
        ("expand[]=ownership", None, "expand[0]"),
        ("expand[]=data.ownership.owners.data.ownership", None, "expand[0]"),
        ("expand=data", None, "expand"),
        ("a[b=1", None, None),
        ("a[b][c][d][e][f][g][h][i]=1", None, None),
        ("limit=%ff", None, None),
        ("a=1&a[b]=2", None, None),
    ],
)
def test_a_list_refuses_bad_parameters(query: str, code: str | None, param: str | None) -> None:
    """Whatever is wrong with a query is a 400 that names it."""
    api = driver()
    query = query.replace("{1}", api.account_id(1)).replace("{2}", api.account_id(2))

    assert refused("GET", ACCOUNTS, query) == (400, code, param)


@pytest.mark.parametrize(
    ("verb", "body", "code", "param"),
    [
        ("refresh", "", MISSING, "features"),
        ("refresh", "features=balance", None, "features"),
        ("refresh", "features=", "parameter_invalid_empty", "features"),
        ("refresh", "features[]=", "parameter_invalid_empty", "features[0]"),
        ("refresh", "features[]=balances", None, "features[0]"),
        ("refresh", "features[x]=balance", None, "features"),
        ("subscribe", "features[]=balance", None, "features[0]"),
        ("unsubscribe", "features[0]=transactions&features[1]=x", None, "features[1]"),
        ("disconnect", "features[]=balance", UNKNOWN, "features"),
        ("refresh", '{"features": 1}', UNKNOWN, '{"features": 1}'),
    ],
)
def test_an_account_operation_refuses_bad_parameters(
    verb: str, body: str, code: str | None, param: str | None
) -> None:
    """Lists are lists, and each operation has features of its own."""
    assert refused("POST", f"{ACCOUNTS}/{{4}}/{verb}", body) == (400, code, param)


@pytest.mark.parametrize(
    ("index", "verb", "body", "code", "param"),
    [
        (INACTIVE_ACCOUNT, "refresh", "features[]=balance", INACTIVE, None),
        (INACTIVE_ACCOUNT, "subscribe", "features[]=transactions", INACTIVE, None),
        (DISCONNECTED, "refresh", "features[]=balance", INACTIVE, None),
        (DISCONNECTED, "unsubscribe", "features[]=transactions", INACTIVE, None),
        (NO_BALANCES, "refresh", "features[]=ownership&features[]=balance", None, "features"),
        (BALANCES_ONLY, "subscribe", "features[]=transactions", None, "features"),
    ],
)
def test_an_account_operation_refuses_what_the_account_cannot_do(
    index: int, verb: str, body: str, code: str | None, param: str | None
) -> None:
    """Status and permissions are those of the account, not of the key."""
    assert refused("POST", f"{ACCOUNTS}/{{{index}}}/{verb}", body) == (400, code, param)


@pytest.mark.parametrize(
    ("body", "code", "param"),
    [
        ("", MISSING, "account_holder"),
        (HOLDER, MISSING, "permissions"),
        (f"{HOLDER}&permissions[]=money", None, "permissions[0]"),
        (f"account_holder[customer]=c{BALANCES}", MISSING, "account_holder[type]"),
        (f"account_holder[type]=customer{BALANCES}", MISSING, "account_holder[customer]"),
        (f"account_holder[type]=account{BALANCES}", MISSING, "account_holder[account]"),
        (
            f"account_holder[type]=account&account_holder[customer]=c{BALANCES}",
            MISSING,
            "account_holder[account]",
        ),
        (f"account_holder[type]=customer&{TWO_HOLDERS}{BALANCES}", None, "account_holder[account]"),
        (f"account_holder[type]=robot{BALANCES}", None, "account_holder[type]"),
        (f"{HOLDER}{BALANCES}&limits[accounts]=0", INTEGER, "limits[accounts]"),
        (f"{HOLDER}{BALANCES}&limits[x]=0", UNKNOWN, "limits[x]"),
        (f"{HOLDER}{BALANCES}&return_url=here", "url_invalid", "return_url"),
        (f"{HOLDER}{BALANCES}&filters[countries][]=US", UNKNOWN, "filters[countries]"),
        (f"{HOLDER}{BALANCES}&manual_entry[mode]=no", None, "manual_entry[mode]"),
    ],
)
def test_a_session_refuses_bad_parameters(body: str, code: str | None, param: str | None) -> None:
    """Nested parameters are named with their brackets."""
    assert refused("POST", SESSIONS, body) == (400, code, param)


@pytest.mark.parametrize(
    ("query", "code", "param"),
    [
        ("", MISSING, "account"),
        ("account=fca_unknown", NO_SUCH, "account"),
        ("account={1}", NO_REFRESH, "account"),
        ("account={0}&transacted_at=now", INTEGER, "transacted_at"),
        ("account={0}&transacted_at[after]=1", UNKNOWN, "transacted_at[after]"),
        ("account={0}&" + AFTER + "=x", NO_SUCH, AFTER),
        ("account={0}&starting_after=fctxn_1", NO_SUCH, "starting_after"),
    ],
)
def test_transactions_refuse_bad_parameters(query: str, code: str, param: str) -> None:
    """An account that was never read has no transactions, and says so."""
    api = driver()
    query = query.replace("{0}", api.account_id(0)).replace("{1}", api.account_id(NEVER_READ))

    assert refused("GET", TRANSACTIONS, query) == (400, code, param)


@pytest.mark.parametrize(
    ("method", "path", "param"),
    [
        ("GET", f"{ACCOUNTS}/fca_unknown", "account"),
        ("POST", f"{ACCOUNTS}/cus_1/disconnect", "account"),
        ("GET", f"{ACCOUNTS}/%2e%2e", "account"),
        ("GET", f"{ACCOUNTS}/%00%ff", "account"),
        ("GET", f"{SESSIONS}/fcsess_1", "session"),
        ("GET", f"{TRANSACTIONS}/fctxn_1", "transaction"),
    ],
)
def test_an_unknown_id_in_a_path_is_not_found(method: str, path: str, param: str) -> None:
    """A path that names nothing is a 404 with resource_missing."""
    assert refused(method, path) == (404, NO_SUCH, param)


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/"),
        ("GET", "/v1/financial_connections/accounts/"),
        ("GET", "/v1/financial_connections/accounts//owners"),
        ("PUT", ACCOUNTS),
        ("DELETE", f"{ACCOUNTS}/{{1}}"),
        ("GET", f"{ACCOUNTS}/{{1}}/refresh"),
        ("POST", f"{ACCOUNTS}/{{1}}/refresh/again"),
        ("HEAD", ACCOUNTS),
        ("GET", "/v1/charges"),
    ],
)
def test_an_unknown_url_or_method_is_not_found(method: str, path: str) -> None:
    """What the API does not have is a 404 without a parameter."""
    assert refused(method, path) == (404, None, None)


def test_a_body_must_be_a_form() -> None:
    """JSON is refused, whatever is in it; a content type without a body is not looked at."""
    json = {"content-type": "application/json"}
    refresh = f"{ACCOUNTS}/{{4}}/refresh"

    assert refused("POST", refresh, '{"features":["balance"]}', headers=json) == (400, None, None)
    api = driver()
    assert api.send("GET", ACCOUNTS, headers=json)[0] == 200
    assert api.send("POST", api.url(4, "disconnect"), headers=json)[0] == 200


def test_an_unknown_version_is_refused() -> None:
    """A version is a date, with a release name or without."""
    version = {"stripe-version": "latest"}

    assert refused("GET", ACCOUNTS, headers=version) == (400, None, None)
    api = driver()
    for sent in ("2026-09-30.endive", "2022-11-15"):
        assert api.send("GET", ACCOUNTS, headers={"stripe-version": sent})[0] == 200
        assert api.reply.headers["Stripe-Version"] == sent
