"""Idempotency keys: what is kept, for how long, and who gets it."""

import pytest

from fcasync.sandbox._api.faults import KINDS, Fault
from tests.sandbox.worlds import ACCOUNTS, SESSIONS, driver

BALANCE = ("features[]", "balance")
DAY = 86_400


def test_a_repeat_gets_the_first_result_and_no_effect() -> None:
    """Status and body come back byte for byte, marked as replayed; nothing happens twice."""
    api = driver(varied=False)
    api.post(api.url(1, "refresh"), BALANCE, key="k")
    first = api.reply
    api.now += 30
    api.post(api.url(1, "refresh"), BALANCE, key="k")
    again = api.reply

    assert again.body == first.body
    assert again.headers["Idempotent-Replayed"] == "true"
    assert again.headers["Original-Request"] == first.headers["Request-Id"]
    assert again.headers["Request-Id"] != first.headers["Request-Id"]
    assert api.world.ledger.executions("refresh") == {api.account_id(1): 1}


@pytest.mark.parametrize("index", [1, 2], ids=["other features", "other account"])
def test_a_key_belongs_to_one_request(index: int) -> None:
    """The same key with other parameters or another path is an idempotency_error."""
    api = driver(varied=False)
    api.post(api.url(1, "refresh"), BALANCE, key="k")

    status, body = api.send("POST", api.url(index, "refresh"), "features[]=ownership", key="k")

    assert (status, body["error"]["type"]) == (400, "idempotency_error")


def test_the_way_a_list_is_spelt_does_not_matter() -> None:
    """Parameters are compared, not bytes: both list forms are the same request."""
    api = driver(varied=False)
    api.send("POST", api.url(1, "refresh"), "features[]=balance&features[]=ownership", key="k")
    api.send(
        "POST", api.url(1, "refresh"), "features%5B0%5D=balance&features[1]=ownership", key="k"
    )

    assert api.reply.headers["Idempotent-Replayed"] == "true"


def test_a_key_lives_for_a_day() -> None:
    """After 24 hours the same request is a new one."""
    api = driver(varied=False)
    api.post(api.url(1, "refresh"), BALANCE, key="k")
    api.world.advance(DAY - 1)
    api.post(api.url(1, "refresh"), BALANCE, key="k")
    assert "Idempotent-Replayed" in api.reply.headers
    api.world.advance(1)
    api.post(api.url(1, "refresh"), BALANCE, key="k")

    assert "Idempotent-Replayed" not in api.reply.headers
    assert api.world.ledger.executions("refresh") == {api.account_id(1): 2}


def test_expired_keys_take_no_memory() -> None:
    """A bulk job of days leaves only one day of keys behind."""
    api = driver(varied=False)
    for number in range(20):
        api.world.advance(DAY / 4)
        api.post(api.url(1, "unsubscribe"), ("features[]", "transactions"), key=f"k{number}")

    assert len(api.world.keys) == 4


def test_a_key_whose_request_is_under_way_is_in_use() -> None:
    """A second request does not wait: 409 until the first has been answered."""
    api = driver(Fault(kind="delay", operation="refresh", seconds=5, times=1), varied=False)
    api.post(api.url(1, "refresh"), BALANCE, key="k")
    api.now += 4.9
    status, body = api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")
    assert (status, body["error"]["code"]) == (409, "idempotency_key_in_use")
    api.now += 0.1

    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")[0] == 200
    assert api.world.ledger.executions("refresh") == {api.account_id(1): 1}


@pytest.mark.parametrize("params", ["", "features[]=nonsense", "unknown=1", "features"])
def test_bad_parameters_are_not_a_result(params: str) -> None:
    """Validation comes before the operation: the key stays free for the corrected request."""
    api = driver(varied=False)
    assert api.send("POST", api.url(1, "refresh"), params, key="k")[0] == 400

    api.post(api.url(1, "refresh"), BALANCE, key="k")

    assert "Idempotent-Replayed" not in api.reply.headers


def test_a_session_without_its_holder_is_not_a_result() -> None:
    """What has to be sent together is validation too."""
    api = driver()
    params = [("account_holder[type]", "customer"), ("permissions[]", "balances")]
    assert api.send("POST", SESSIONS, params, key="k")[0] == 400

    api.post(SESSIONS, *params, ("account_holder[customer]", "cus_1"), key="k")


def test_what_the_operation_refuses_is_a_result() -> None:
    """An error that the operation itself answers is kept like a success."""
    api = driver()
    refused = api.send("POST", api.url(5, "refresh"), [BALANCE], key="k")

    assert refused[0] == 400
    assert api.send("POST", api.url(5, "refresh"), [BALANCE], key="k") == refused
    assert api.reply.headers["Idempotent-Replayed"] == "true"


@pytest.mark.parametrize("executed", [False, True])
def test_a_500_is_kept_whether_or_not_it_took_effect(executed: bool) -> None:
    """Every repeat gets the 500 again; only a new key gets further."""
    api = driver(Fault(kind="status", status=500, executed=executed, times=1), varied=False)
    first = api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")
    again = api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")

    assert first[0] == 500
    assert again == first
    assert api.reply.headers["Idempotent-Replayed"] == "true"
    assert len(api.world.ledger.executions("refresh")) == executed
    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k2")[0] == 200


@pytest.mark.parametrize("status", [401, 409, 429, 502, 503, 504])
def test_what_stands_before_the_api_is_not_kept(status: int) -> None:
    """A refusal from a gate or a proxy leaves the key free: the repeat executes."""
    api = driver(Fault(kind="status", status=status, times=1), varied=False)
    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")[0] == status

    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")[0] == 200
    assert "Idempotent-Replayed" not in api.reply.headers


LOST = [name for name, kind in KINDS.items() if kind.usually_executes and name != "delay"]


@pytest.mark.parametrize("kind", LOST)
def test_a_lost_answer_is_waiting_under_its_key(kind: str) -> None:
    """The operation ran although the client never heard of it; the repeat gets its real answer."""
    api = driver(Fault(kind=kind, times=1), varied=False)
    api.send("POST", api.url(1, "refresh"), [BALANCE], key="k")
    api.post(api.url(1, "refresh"), BALANCE, key="k")

    assert api.reply.headers["Idempotent-Replayed"] == "true"
    assert api.world.ledger.executions("refresh") == {api.account_id(1): 1}


@pytest.mark.parametrize("key", ["", "x" * 256, "k\té", "ké"])
def test_a_key_is_short_and_printable(key: str) -> None:
    """A key that is empty, too long or not printable is refused."""
    api = driver(varied=False)

    assert api.send("POST", api.url(1, "refresh"), [BALANCE], key=key)[0] == 400
    assert api.world.ledger.executions("refresh") == {}


def test_a_get_ignores_its_key() -> None:
    """Reading is idempotent by itself: nothing is kept."""
    api = driver()
    api.send("GET", ACCOUNTS, key="k")
    api.send("GET", ACCOUNTS, key="k")

    assert "Idempotent-Replayed" not in api.reply.headers
    assert len(api.world.keys) == 0
