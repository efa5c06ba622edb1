"""What the page looks at: the worlds, a request in full, events; by HTTP, as the page does."""

import shlex
import shutil
import subprocess
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, quote

import aiohttp
import pytest
from hypothesis import given
from hypothesis import strategies as st
from yarl import URL

from fcasync.sandbox import Sandbox
from fcasync.sandbox._api.ledger import Ledger
from fcasync.sandbox._api.recent import LONGEST, Exchange
from fcasync.sandbox._server.curl import curl
from tests.sandbox.conftest import Http
from tests.sandbox.worlds import ACCOUNTS, EVENTS, SESSIONS

MINE = "sk_test_0123456789abcdefMINE"
OTHER = {"Authorization": f"Bearer {MINE}"}


async def world_of(http: Http, ending: str, account: str = "") -> str:
    """Return the name of the world whose shortened key ends in *ending*."""
    rows = (await http.control("worlds"))["data"]
    (name,) = [
        row["id"] for row in rows if row["key"].endswith(ending) and row["account"] == account
    ]
    return str(name)


async def test_every_key_has_a_row_and_none_is_shown_whole(http: Http) -> None:
    """The sandbox's own world comes first, then the one that was used last."""
    for key, account in ((MINE, ""), (MINE, "acct_1"), ("sk_test_short", "")):
        headers = {"Authorization": f"Bearer {key}"}
        extra = {"Stripe-Account": account} if account else {}
        await http.send("GET", ACCOUNTS, headers=headers | extra)
    answer = await http.control("worlds")

    assert [(row["key"], row["account"], row["requests"]) for row in answer["data"]] == [
        (f"sk_test_…{http.sandbox.api_key[-4:]}", "", 0),
        ("sk_test_…", "", 1),
        ("sk_test_…MINE", "acct_1", 1),
        ("sk_test_…MINE", "", 1),
    ]
    assert answer["total"] == 4
    assert MINE not in str(answer)
    assert http.sandbox.api_key not in str(answer)


async def test_worlds_can_be_searched_and_the_list_is_bounded(http: Http) -> None:
    """With thousands of connected accounts, a page gets some of them and finds any."""
    for number in range(205):
        headers = {"Stripe-Account": f"acct_{number}"}
        await http.send("GET", f"{ACCOUNTS}/fca_1", headers=headers)
    listed = await http.control("worlds")
    found = await http.control("worlds?find=ACCT_204")

    assert (len(listed["data"]), listed["total"], listed["found"]) == (200, 206, 206)
    assert [row["account"] for row in found["data"]] == ["acct_204"]


async def test_a_key_of_an_earlier_run_is_named_again_when_it_is_used(tmp_path: Path) -> None:
    """A state file holds no key, not even a shortened one."""
    options: dict[str, Any] = {"state": tmp_path / "state.json", "accounts": 2}
    labels = []
    for requests in (1, 0, 1):
        async with Sandbox(**options) as sandbox, aiohttp.ClientSession(sandbox.url) as session:
            for _ in range(requests):
                async with session.get(ACCOUNTS, headers=OTHER):
                    pass
            async with session.get("/_sandbox/worlds") as answer:
                labels.append({row["key"] for row in (await answer.json())["data"]})
    own = f"sk_test_…{sandbox.api_key[-4:]}"

    assert labels == [
        {own, "sk_test_…MINE"},
        {own, "key of an earlier run"},
        {own, "sk_test_…MINE"},
    ]
    assert "MINE" not in options["state"].read_text()


async def test_a_world_is_chosen_by_name_and_without_its_key(http: Http) -> None:
    """Everything that the page shows and does is about the world that was chosen."""
    await http.send("GET", ACCOUNTS, headers=OTHER)
    name = {"Sandbox-World": await world_of(http, "MINE")}
    state = await http.control("state", **name)
    await http.control("advance", {"seconds": 60}, **name)
    await http.control("faults", [{"kind": "status"}], **name)
    rows = (await http.control("ledger", **name))["data"]

    assert (state["world"], state["is_own"], state["requests"]) == (name["Sandbox-World"], False, 1)
    assert [row["operation"] for row in rows] == ["list"]
    assert (http.sandbox.world.offset, http.sandbox.faults) == (0, [])
    assert (await http.send("GET", ACCOUNTS, headers=OTHER))[0] == 500
    assert (await http.send("GET", ACCOUNTS))[0] == 200


@pytest.mark.parametrize("name", ["", "0" * 32, "x", "../..", "a/acct_1", "é"])
async def test_an_unknown_world_is_a_404_and_is_not_made(http: Http, name: str) -> None:
    """A name that was guessed makes no world, so that nobody can fill the memory with them."""
    headers = {"Sandbox-World": name}
    status, answer, _ = await http.send("GET", "/_sandbox/state", headers=headers)

    assert (status, answer["error"]["message"].startswith("No such world")) == (404, True)
    assert (await http.control("state"))["worlds"] == 1


async def test_the_name_of_a_world_opens_nothing_but_the_page(http: Http) -> None:
    """The API wants the key."""
    headers = {"Sandbox-World": (await http.control("state"))["world"], "Authorization": ""}
    assert (await http.send("GET", ACCOUNTS, headers=headers))[0] == 401


async def test_a_request_can_be_looked_into(http: Http) -> None:
    """Parameters as they were sent, the answer, and who asked."""
    account = await http.account()
    form = [("features[]", "balance"), ("features[]", "<script>alert(1)</script>")]
    headers = {"Idempotency-Key": "k 1", "Stripe-Account": "acct_1", "User-Agent": "mine/1"}
    _, error, sent = await http.send("POST", f"{account}/refresh", data=form, headers=headers)
    name = await world_of(http, http.sandbox.api_key[-4:], "acct_1")
    seen = await http.control("request?number=1", **{"Sandbox-World": name})

    assert seen["params"] == [list(pair) for pair in form]
    assert seen["row"]["request_id"] == sent.headers["Request-Id"]
    assert seen["headers"]["user-agent"] == "mine/1"
    assert error["error"]["message"] in seen["answer"]
    assert seen["answer_headers"]["Request-Id"] == sent.headers["Request-Id"]
    assert "-H 'Idempotency-Key: k 1'" in seen["curl"]
    assert "-H 'Stripe-Account: acct_1'" in seen["curl"]


async def test_no_secret_is_shown_with_a_request(http: Http) -> None:
    """Neither the key nor the client secret of a session is in what the page gets."""
    form = {
        "account_holder[type]": "customer",
        "account_holder[customer]": "cus_1",
        "permissions[]": "balances",
        "return_url": f"https://example.com/?key={MINE}",
    }
    _, session, _ = await http.send("POST", SESSIONS, data=form)
    await http.send("GET", f"{ACCOUNTS}?starting_after={http.sandbox.api_key}")
    shown = str([await http.control(f"request?number={number}") for number in (1, 2)])

    assert session["client_secret"].partition("_secret_")[2] not in shown
    assert http.sandbox.api_key not in shown
    assert MINE not in shown


async def test_a_request_that_is_not_kept_any_more_has_its_row(http: Http) -> None:
    """The ledger is longer than what is kept of it; nothing beyond its end is there."""
    for _ in range(LONGEST + 1):
        http.sandbox.world.ledger.add(dict.fromkeys(ROW, None))
    seen = await http.control("request?number=1")
    assert seen == {"row": http.sandbox.ledger[0]}
    for number in (LONGEST + 2, 0, "x", ""):
        status, answer, _ = await http.send("GET", f"/_sandbox/request?number={number}")
        assert status in {400, 404}
        assert answer["error"]["message"]


ROW = (
    "time", "method", "path", "operation", "account", "idempotency_key", "executed", "replayed",
    "status", "request_id", "fault",
)  # fmt: skip


@pytest.mark.parametrize(
    "body", [b"\xff\xfe", b"[" * 300 + b"]" * 300, b"{", b"", b"\x00" * 40_000]
)
async def test_any_body_can_be_looked_into(http: Http, body: bytes) -> None:
    """Bytes that are not text, JSON that is nested deeply: the page gets text of bounded size."""
    headers = {"Content-Type": "application/json"}
    await http.send("POST", f"{ACCOUNTS}/fca_1/refresh", data=body, headers=headers)
    seen = await http.control("request?number=1")

    assert seen["body_size"] == len(body)
    assert len(seen["body"]) <= 16_384 * 4
    assert (seen["curl"] is None) is bool(body)


@pytest.mark.skipif(not shutil.which("curl"), reason="needs curl")
@pytest.mark.parametrize(
    ("method", "path", "data"),
    [
        ("GET", f"{ACCOUNTS}?limit=3&expand[]=data.ownership", None),
        ("POST", "{account}/refresh", {"features[]": "balance"}),
        ("POST", "{account}/disconnect", None),
        ("POST", "{account}/refresh?features[]=balance", {"expand[]": "ownership"}),
        ("DELETE", "/v1/a[b]{c}/../d?x=$(id)", None),
        ("GET", f"{ACCOUNTS}?limit='%20;touch%20x;'&a=%00%0A%F0%9F%98%80&b=@file&c==", None),
    ],
)
async def test_the_curl_command_sends_the_request_again(
    method: str, path: str, data: dict[str, str] | None
) -> None:
    """What a shell makes of it is the same request: method, path, parameters, headers."""
    with Sandbox(threaded=True, varied=False) as sandbox:
        headers = {"Authorization": f"Bearer {sandbox.api_key}", "Idempotency-Key": 'it\'s "k" $1'}
        async with aiohttp.ClientSession(sandbox.url, headers=headers) as session:
            account = f"{ACCOUNTS}/{sandbox.world.store.seed.account_ids.encode(1)}"

            url = URL(sandbox.url + path.replace("{account}", account), encoded=True)
            async with session.request(method, url, data=data):
                pass
            command = await _detail(session, 1)
            environment = {"STRIPE_API_BASE": sandbox.url, "STRIPE_API_KEY": sandbox.api_key}
            subprocess.run(
                ["sh", "-c", command["curl"]],
                env={"PATH": "/usr/bin:/bin", **environment},
                check=True,
                capture_output=True,
            )
            again = await _detail(session, 2)
        first, second = sandbox.ledger

    same = ("method", "path", "operation", "account", "idempotency_key", "status")
    assert [second[name] for name in same] == [first[name] for name in same]
    assert again["params"] == command["params"]


async def _detail(session: Any, number: int) -> Any:
    async with session.get(f"/_sandbox/request?number={number}") as answer:
        return await answer.json()


@given(st.text(), st.text())
def test_a_command_has_one_word_for_each_parameter(name: str, value: str) -> None:
    """Whatever a client sends, nothing of it is a word of its own in the shell that repeats it."""
    body = f"{quote(name, errors='replace')}={quote(value, errors='replace')}".encode()
    exchange = Exchange("", {}, body, len(body), {}, b"", 0)
    row = {"method": "POST", "path": "/v1/x", "idempotency_key": None}
    command = shlex.split((curl(row, exchange) or "").replace("\\\n", ""))

    assert command[:4] == ["curl", "$STRIPE_API_BASE/v1/x", "-u", "$STRIPE_API_KEY:"]
    if "sk_" not in body.decode():
        sent = parse_qsl(body.decode(), keep_blank_values=True)
        assert parse_qsl(command[5], keep_blank_values=True) == sent
    assert len(command) == 6


async def test_events_are_listed_newest_first(http: Http) -> None:
    """What the API lists, a page at a time; looking is not a request."""
    for index in range(3):
        path = (await http.account(index)).rpartition("/")[2]
        await http.control("scenario", {"account": path, "scenario": "deactivated"})
    before = len(http.sandbox.ledger)
    page = await http.control("events?limit=2")
    rest = await http.control("events?skip=2&limit=2")
    after = len(http.sandbox.ledger)
    _, listed, _ = await http.send("GET", EVENTS)

    assert page["data"] + rest["data"] == listed["data"]
    assert (page["has_more"], rest["has_more"], page["total"]) == (True, False, 3)
    assert before == after


async def test_a_refresh_that_settles_is_news_without_a_request(http: Http) -> None:
    """A page that only asks how things stand learns that something has happened."""
    await http.send("POST", f"{await http.account()}/refresh", data={"features[]": "balance"})
    before = await http.control("state")
    await http.control("advance", {"seconds": 5})

    assert (await http.control("state"))["events"] == before["events"] + 1


async def test_an_account_is_found_by_its_id(http: Http) -> None:
    """The position leads to the page on which it stands."""
    account_id = (await http.account(7)).rpartition("/")[2]
    skip = (await http.control(f"position?account={account_id}"))["skip"]
    page = await http.control(f"accounts?skip={skip}&limit=1")

    assert (skip, [account["id"] for account in page["data"]]) == (7, [account_id])
    status, answer, _ = await http.send("GET", "/_sandbox/position?account=<b>")
    assert (status, answer["error"]["message"]) == (404, "No such account: '<b>'")


async def test_a_session_is_opened_for_the_page_by_a_request_like_any_other(http: Http) -> None:
    """It stands in the ledger of the world that was chosen, and faults strike it."""
    await http.send("GET", ACCOUNTS, headers=OTHER)
    name = {"Sandbox-World": await world_of(http, "MINE")}
    session = await http.control("session", {}, **name)
    page = await http.control(f"link?client_secret={session['client_secret']}")
    rows = (await http.control("ledger", **name))["data"]
    await http.control("faults", [{"kind": "status", "status": 503}])
    status, answer, _ = await http.send("POST", "/_sandbox/session", json={})

    assert page["session"] == session["id"]
    assert [row["operation"] for row in rows] == ["list", "create_session"]
    assert (status, answer["error"]["message"]) == (400, "An unknown error occurred.")


@pytest.mark.parametrize("since", [0, 1, 5, 9, 10, 11, 10**9])
@pytest.mark.parametrize("limit", [1, 3, 100])
async def test_a_part_of_the_ledger_is_a_part_of_the_whole(
    sandbox: Sandbox, since: int, limit: int
) -> None:
    """From whichever end it is read, also when the oldest rows are gone."""
    for longest in (100, 4):
        ledger = Ledger(longest)
        for _ in range(10):
            ledger.add({**dict.fromkeys(ROW), "time": 1.0})
        kept = [row for row in ledger.rows if row["number"] > since]
        assert ledger.since(since, limit) == kept[:limit]
        assert ledger.since(since) == kept


async def test_the_kinds_of_fault_are_explained(http: Http) -> None:
    """Each has a sentence, and those that have a status have a usual one."""
    choices = await http.control("choices")

    assert all(choices["summaries"][kind] for kind in choices["kinds"])
    assert choices["statuses"] == {"status": 500, "redirect": 307}
    assert choices["kinds"]["reset_before"] == []
