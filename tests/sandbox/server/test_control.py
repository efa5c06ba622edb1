"""The control plane over HTTP, and the same actions from Python."""

from typing import Any

import pytest

from fcasync.sandbox import SCENARIOS, Sandbox
from fcasync.sandbox._api.faults import KINDS
from fcasync.sandbox._api.operations import OPERATIONS
from tests.sandbox.conftest import Http
from tests.sandbox.worlds import ACCOUNTS, SESSIONS

ROW = {
    "method", "path", "operation", "account", "idempotency_key", "executed", "replayed", "status",
    "request_id", "fault", "number", "time",
}  # fmt: skip
SESSION = {
    "account_holder[type]": "customer",
    "account_holder[customer]": "cus_1",
    "permissions[]": "balances",
}


async def test_the_ledger_has_a_row_per_request(http: Http) -> None:
    """What a test in any language needs to prove an effect stands in one row."""
    account = await http.account()
    headers = {"Idempotency-Key": "k"}
    await http.send("POST", f"{account}/refresh", data={"features[]": "balance"}, headers=headers)
    rows = (await http.control("ledger"))["data"]

    assert rows == http.sandbox.ledger
    assert [row["operation"] for row in rows] == ["list", "refresh"]
    assert rows[1].keys() == ROW
    assert rows[1]["account"] == account.rsplit("/")[-1]
    assert (rows[1]["idempotency_key"], rows[1]["executed"]) == ("k", True)
    assert (await http.control("ledger?since=1"))["data"] == rows[1:]


async def test_the_control_plane_leaves_no_trace(http: Http) -> None:
    """Looking is not a request."""
    await http.control("state")
    await http.control("ledger")

    assert http.sandbox.ledger == []


async def test_faults_come_and_go(http: Http) -> None:
    """A new list replaces the old one; an empty list ends all."""
    fault = {"operation": "list", "kind": "status", "status": 503, "times": 5}
    answer = await http.control("faults", [fault])
    assert (await http.send("GET", ACCOUNTS))[0] == 503
    assert (await http.control("faults"))["data"] == [{**answer["data"][0], "times": 4}]
    await http.control("faults", [])

    assert (await http.send("GET", ACCOUNTS))[0] == 200
    assert http.sandbox.faults == []


async def test_the_clock_and_the_limits_can_be_set(http: Http) -> None:
    """Time and rates move by request, and the page can show them."""
    before = (await http.control("state"))["now"]
    await http.control("advance", {"seconds": 90_000})
    await http.control("rate_limit", {"rate": 1})
    state = await http.control("state")

    assert state["now"] - before >= 90_000
    assert state["rate_limit"] == {"rate": 1, "endpoint": None, "concurrency": None}
    assert [(await http.send("GET", ACCOUNTS))[0] for _ in range(2)] == [200, 429]
    assert (await http.control("rate_limit", {"preset": "live"}))["rate"] == 100


async def test_reset_makes_the_world_anew(http: Http) -> None:
    """Accounts, clock, keys and ledger are as the seed has them."""
    account = await http.account()
    await http.send("POST", f"{account}/disconnect")
    await http.control("advance", {"seconds": 100})
    await http.control("reset", {})

    assert http.sandbox.ledger == []
    assert (await http.control("state"))["advanced"] == 0
    assert (await http.send("GET", account))[1]["status"] == "active"


async def test_a_key_chooses_the_world_to_control(http: Http) -> None:
    """With a key, the control plane acts on that key's world alone."""
    other = {"Authorization": "Bearer sk_test_other"}
    await http.control("faults", [{"kind": "status"}], **other)

    assert (await http.send("GET", ACCOUNTS))[0] == 200
    assert (await http.send("GET", ACCOUNTS, headers=other))[0] == 500


async def test_the_page_can_ask_what_there_is_to_choose(http: Http) -> None:
    """Kinds of fault and operations are listed by the server, so that no page keeps lists."""
    choices = await http.control("choices")

    assert choices["kinds"] == {name: list(kind.settings) for name, kind in KINDS.items()}
    assert choices["operations"] == ["*", *OPERATIONS]
    assert choices["scenarios"] == {name: each.summary for name, each in SCENARIOS.items()}
    assert all(choices["scenarios"].values())


async def test_a_rare_moment_is_brought_about_by_request(http: Http) -> None:
    """The answer is the account afterwards, and its event is in the list."""
    path = await http.account()
    body = {"account": path.rpartition("/")[2], "scenario": "relink_required"}
    account = await http.control("scenario", body)
    _, listed, _ = await http.send("GET", "/v1/events")

    assert account["status_details"]["active"]["action"] == "relink_required"
    assert (await http.send("GET", path))[1] == account
    assert [event["type"] for event in listed["data"]] == [
        "financial_connections.account.upcoming_deactivation"
    ]
    assert listed["data"][0]["data"]["object"] == account
    assert (await http.control("state"))["accounts"] == 25


async def test_a_cancelled_session_has_no_accounts(http: Http) -> None:
    """It ends without accounts, cannot be filled any more, and its page says where to return."""
    form = {**SESSION, "return_url": "https://example.com/back"}
    _, session, _ = await http.send("POST", SESSIONS, data=form)
    secret = {"client_secret": session["client_secret"]}
    assert not (await http.control(f"link?client_secret={session['client_secret']}"))["declined"]
    for _ in range(2):
        page = await http.control("decline", secret)
    assert (page["declined"], page["linked"]) == (True, [])
    assert page["return_url"] == "https://example.com/back"
    status, answer, _ = await http.send(
        "POST",
        "/_sandbox/link",
        json={**secret, "institution": "Test Institution", "accounts": [0]},
    )
    assert (status, answer["error"]["message"]) == (400, "This session was cancelled.")
    _, after, _ = await http.send("GET", f"{SESSIONS}/{session['id']}")
    assert after["accounts"]["data"] == []


async def test_a_filled_session_cannot_be_cancelled(http: Http) -> None:
    """Its accounts are linked."""
    _, session, _ = await http.send("POST", SESSIONS, data=SESSION)
    http.sandbox.link(session["client_secret"])
    with pytest.raises(ValueError, match="has its accounts"):
        http.sandbox.decline(session["client_secret"])


@pytest.mark.parametrize(
    ("action", "body"),
    [
        ("faults", {"kind": "status"}),
        ("faults", [{"kind": "flood"}]),
        ("faults", "status"),
        ("advance", {}),
        ("advance", {"seconds": -1}),
        ("advance", {"seconds": "60"}),
        ("advance", {"seconds": True}),
        ("advance", {"seconds": 1e300}),
        ("advance", []),
        ("reset", []),
        ("rate_limit", {"preset": "fast"}),
        ("rate_limit", {"rate": 0}),
        ("rate_limit", {"speed": 5}),
        ("rate_limit", {"concurrency": 1.5}),
        ("scenario", {"account": "fca_1", "scenario": "explode"}),
        ("scenario", {"account": 1, "scenario": "deactivated"}),
        ("scenario", {"account": "fca_1", "scenario": "deactivated"}),
        ("decline", {"client_secret": "fcsess_1_secret_1"}),
        ("decline", {}),
        ("link", {"client_secret": 5}),
        ("link", {"client_secret": "fcsess_1_secret_1", "institution": "x", "accounts": ["0"]}),
    ],
)
async def test_the_control_plane_refuses_bad_requests(http: Http, action: str, body: Any) -> None:
    """A bad request changes nothing, and the answer says what is wrong."""
    status, answer, _ = await http.send("POST", f"/_sandbox/{action}", json=body)

    assert status in {400, 404}
    assert answer["error"]["message"]


async def test_a_page_of_another_origin_cannot_act(http: Http) -> None:
    """A form of another origin carries a content type that is refused; so does plain text."""
    for data in ({"seconds": "1"}, b'{"seconds": 1}'):
        status, _, _ = await http.send("POST", "/_sandbox/advance", data=data)
        assert status == 415
    headers = {"Content-Type": "application/json"}
    status, _, _ = await http.send("POST", "/_sandbox/advance", data=b"{", headers=headers)

    assert status == 400
    assert http.sandbox.world.offset == 0


async def test_a_bank_can_deactivate_and_reactivate(http: Http) -> None:
    """Inactive accounts refuse refreshes; nothing but the bank brings them back."""
    account = await http.account()
    account_id = account.rsplit("/")[-1]
    refresh = (f"{account}/refresh", {"features[]": "balance"})
    http.sandbox.deactivate(account_id)
    status, body, _ = await http.send("POST", refresh[0], data=refresh[1])
    assert (status, body["error"]["code"]) == (400, "financial_connections_account_inactive")
    http.sandbox.reactivate(account_id)

    assert (await http.send("POST", refresh[0], data=refresh[1]))[0] == 200
    with pytest.raises(ValueError, match="No such account"):
        http.sandbox.deactivate("fca_unknown")


async def test_a_session_is_filled_by_linking(http: Http) -> None:
    """Session, link, list by session, refresh: the whole way on one machine."""
    form = {**SESSION, "prefetch[]": "balances", "filters[account_subcategories][]": "savings"}
    _, session, _ = await http.send("POST", SESSIONS, data=form)
    secret = session["client_secret"]
    offer = await http.control(f"link?client_secret={secret}")
    (linked,) = http.sandbox.link(secret)
    _, listed, _ = await http.send("GET", f"{ACCOUNTS}?session={session['id']}")
    http.sandbox.advance(2)
    _, filled, _ = await http.send("GET", f"{SESSIONS}/{session['id']}")
    (account,) = filled["accounts"]["data"]

    assert [item["subcategory"] for item in offer["accounts"]] == ["savings"]
    assert [item["id"] for item in listed["data"]] == [account["id"]] == [linked]
    assert account["account_holder"] == {"type": "customer", "customer": "cus_1"}
    assert account["permissions"] == ["balances"]
    assert account["balance_refresh"]["status"] == "succeeded"
    assert (await http.control(f"link?client_secret={secret}"))["linked"] == [linked]


@pytest.mark.parametrize(
    ("picks", "institution"), [([], None), ([9], None), ([0, 1, 2], None), ([0], "Nowhere")]
)
async def test_linking_keeps_to_the_session(
    http: Http, picks: list[int], institution: str | None
) -> None:
    """Institution, accounts and their number are what the session allows."""
    _, session, _ = await http.send("POST", SESSIONS, data={**SESSION, "limits[accounts]": "2"})
    with pytest.raises(ValueError, match=r"Pick|institution"):
        http.sandbox.link(session["client_secret"], institution or "Test Institution", picks)

    http.sandbox.link(session["client_secret"], accounts=[0, 1])
    with pytest.raises(ValueError, match="already"):
        http.sandbox.link(session["client_secret"])


async def test_a_client_secret_is_needed_whole(http: Http) -> None:
    """The session's id alone opens nothing."""
    _, session, _ = await http.send("POST", SESSIONS, data=SESSION)

    with pytest.raises(ValueError, match="No such session"):
        http.sandbox.link(session["id"] + "_secret_guess")


async def test_scripted_faults_of_the_constructor_come_back_with_a_reset() -> None:
    """What the sandbox was made with is how it starts over."""
    async with Sandbox(faults=[{"kind": "status", "times": 1}]) as sandbox:
        sandbox.clear_faults()
        sandbox.reset()
        assert [fault.kind for fault in sandbox.faults] == ["status"]


async def test_the_page_can_leaf_through_the_accounts(http: Http) -> None:
    """Fifty at a time, newest first; ``skip`` leaves out those that were shown."""
    first = await http.control("accounts")
    newest = [account["id"] for account in first["data"]]
    _, page, _ = await http.send("GET", f"{ACCOUNTS}?limit=50")
    assert newest == [account["id"] for account in page["data"]]
    assert first["has_more"] is page["has_more"]
    rest = await http.control("accounts?skip=1")
    assert [account["id"] for account in rest["data"]][: len(newest) - 1] == newest[1:]
    beyond = await http.control("accounts?skip=1000000")
    assert beyond == {"data": [], "has_more": False}
    status, answer, _ = await http.send("GET", "/_sandbox/accounts?skip=-1")
    assert (status, bool(answer["error"]["message"])) == (400, True)
