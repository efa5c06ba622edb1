"""The page at ``/`` in a real browser: what a person sees and does with a keyboard."""

import re
from functools import partial
from typing import Any

from fcasync.sandbox import SCENARIOS, Sandbox
from tests.sandbox.server._browser import (
    QUIET,
    all_css,
    choose,
    complaints,
    css,
    open_page,
    press,
    send,
    text,
    until,
)
from tests.sandbox.worlds import ACCOUNTS, SESSIONS

pytestmark = QUIET
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2} [0-9]{2}:[0-9]{2}:[0-9]{2}")
MINE = "sk_test_0123456789abcdefMINE"


def account_path(sandbox: Sandbox, index: int = 24) -> str:
    return f"{ACCOUNTS}/{sandbox.world.store.seed.account_ids.encode(index)}"


def refresh(sandbox: Sandbox, index: int = 24, **headers: str) -> Any:
    path = f"{account_path(sandbox, index)}/refresh"
    return send(sandbox, "POST", path, ("features[]", "balance"), **headers)


def test_the_page_shows_the_world_and_changes_it(browser: Any, served: Sandbox) -> None:
    """Accounts, clock, faults and limits are on the page, and its buttons change them."""
    open_page(browser, served)
    assert text(browser, "#range").endswith("of 25")
    press(browser, "[data-advance='86400']")
    until(browser, lambda: text(browser, "#advanced") == "1 d ahead")
    press(browser, "#fault button[type=submit]")
    until(browser, lambda: "status 500" in text(browser, "#faults"))
    assert [fault.kind for fault in served.faults] == ["status"]
    press(browser, "#faults button")
    until(browser, lambda: not css(browser, "#faults").is_displayed())
    press(browser, "[data-rate*=sandbox]")
    until(browser, lambda: "25/s" in text(browser, "#rate"))

    assert served.faults == []
    assert served.world.offset == 86_400
    assert complaints(browser) == []


def test_looking_is_neither_a_request_nor_a_load(browser: Any, served: Sandbox) -> None:
    """While nothing happens, the page asks for a few figures and not for its tables."""
    asked = (
        "return performance.getEntriesByType('resource')"
        ".filter((entry) => entry.name.includes('/_sandbox/' + arguments[0])).length"
    )
    open_page(browser, served)
    until(browser, lambda: browser.execute_script(asked, "state") >= 6)

    assert browser.execute_script(asked, "accounts") <= 3
    assert browser.execute_script(asked, "ledger") == 0
    assert served.ledger == []


def test_an_empty_page_says_which_keys_have_sent_requests(browser: Any, served: Sandbox) -> None:
    """Whoever uses a key of their own finds its world by one press, and no key is in the page."""
    send(served, "GET", ACCOUNTS, key=MINE)
    open_page(browser, served)
    until(browser, lambda: "sk_test_…MINE 1 request" in text(browser, "#others"))
    assert f"STRIPE_API_KEY={served.api_key}" in text(browser, "#export")
    press(browser, "#other-worlds button")
    until(browser, lambda: "GET list" in text(browser, "#ledger"))

    assert text(browser, "#connect") == "sk_test_…MINE"
    assert css(browser, "#world").get_attribute("value") in browser.current_url
    assert MINE not in browser.page_source + browser.current_url
    press(browser, "[data-advance='60']")
    until(browser, lambda: text(browser, "#advanced") == "1 min ahead")
    assert served.world.offset == 0
    browser.refresh()
    until(browser, lambda: text(browser, "#advanced") == "1 min ahead")
    assert complaints(browser) == []


def test_a_world_can_be_chosen_from_a_list(browser: Any, served: Sandbox) -> None:
    """Keys and connected accounts are in it, also one that appears while the page is open."""
    open_page(browser, served)
    refresh(served, Stripe_Account="acct_1")
    until(browser, lambda: "acct_1" in text(browser, "#world"))
    choose(
        browser,
        "#world",
        browser.execute_script("return document.querySelectorAll('#world option')[1].value"),
    )
    until(browser, lambda: "POST refresh" in text(browser, "#ledger"))
    choose(
        browser,
        "#world",
        browser.execute_script("return document.querySelector('#world option').value"),
    )
    until(browser, lambda: "No requests yet" in text(browser, "#no-requests"))
    assert text(browser, "#key") == served.api_key


def test_a_world_is_found_among_many(browser: Any, served: Sandbox) -> None:
    """With many connected accounts, a few letters of one lead to it."""
    for number in range(10):
        refresh(served, Stripe_Account=f"acct_{number}x")
    open_page(browser, served)
    until(browser, lambda: "11 worlds" in text(browser, "#world-count"))
    css(browser, "#world-find").send_keys("acct_7")
    until(browser, lambda: len(all_css(browser, "#world option")) == 2)  # with the one shown now
    option = css(browser, "#world option")
    assert option.text.endswith("acct_7x")
    option.click()
    until(browser, lambda: "POST refresh" in text(browser, "#ledger"))

    assert text(browser, "#connect").endswith("acct_7x")


def test_a_world_that_is_gone_is_left(browser: Any, served: Sandbox) -> None:
    """An address of yesterday leads to the sandbox's own world, and says so."""
    open_page(browser, served, f"/#world={'0' * 32}")
    until(browser, lambda: "has not sent a request" in text(browser, "#error"))

    assert text(browser, "#key") == served.api_key
    assert "world=" not in browser.current_url


def test_a_request_opens_and_stays_open(browser: Any, served: Sandbox) -> None:
    """Parameters, answer, request id and curl are in it; what comes later does not close it."""
    account = refresh(served, Idempotency_Key="<b>k</b>")
    open_page(browser, served)
    press(browser, "#ledger .toggle")
    until(browser, lambda: "Send it again" in text(browser, "#ledger .detail"))
    shown = text(browser, "#ledger .detail")
    for part in (
        served.ledger[0]["request_id"], "features[]", "balance", "<b>k</b>", "It took effect",
        f'"id": "{account["id"]}"', '"$STRIPE_API_BASE"/v1/', '-u "$STRIPE_API_KEY:"',
    ):  # fmt: skip
        assert part in shown
    assert served.api_key not in shown
    send(served, "GET", ACCOUNTS)
    until(browser, lambda: "GET list" in text(browser, "#ledger tr"))

    assert text(browser, "#ledger .detail:not([hidden])") == shown
    assert browser.switch_to.active_element.get_attribute("aria-expanded") == "true"
    press(browser, "#ledger [aria-expanded=true]")
    until(browser, lambda: not all_css(browser, "#ledger .detail:not([hidden])"))
    assert complaints(browser) == []


def test_older_requests_are_a_press_away(browser: Any, served: Sandbox) -> None:
    """The list can be leafed through and stand still, while more requests arrive."""
    for number in range(40):
        send(served, "GET", ACCOUNTS, ("limit", str(number + 1)))
    open_page(browser, served)
    until(browser, lambda: text(browser, "#requests") == "40\u201326 of 40")
    press(browser, "#earlier")
    until(browser, lambda: text(browser, "#requests") == "25\u201311 of 40")
    send(served, "GET", ACCOUNTS)
    until(browser, lambda: text(browser, "#requests") == "25\u201311 of 41")
    press(browser, "#earlier")
    until(browser, lambda: text(browser, "#requests") == "15\u20131 of 41")
    assert not css(browser, "#earlier").is_enabled()
    press(browser, "#pause")
    until(browser, lambda: text(browser, "#requests") == "41\u201327 of 41")
    assert not css(browser, "#later").is_enabled()


def test_only_what_is_not_ordinary_has_a_colour(browser: Any, served: Sandbox) -> None:
    """A healthy world has no coloured mark at all; failures and replays have."""
    refresh(served, Idempotency_Key="k")
    open_page(browser, served)
    until(browser, lambda: "200 executed" in text(browser, "#ledger"))
    until(browser, lambda: "refreshed_balance" in text(browser, "#events"))
    assert all_css(browser, "main .tag") == []
    refresh(served, Idempotency_Key="k")
    served.add_faults({"kind": "status", "status": 503, "executed": True, "times": 1})
    refresh(served, 20)
    until(browser, lambda: len(all_css(browser, "#ledger .row")) == 3)

    marks = [(mark.text, mark.get_attribute("class")) for mark in all_css(browser, "#ledger .tag")]
    assert marks == [
        ("503", "tag bad"),
        ("executed", "tag wait"),
        ("status", "tag bad"),
        ("replayed", "tag wait"),
    ]


def test_every_time_has_its_date_and_is_of_one_zone(browser: Any, served: Sandbox) -> None:
    """Rows of two days do not look as if they were a second apart, wherever the browser is."""
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": "Asia/Tokyo"})
    refresh(served)
    served.advance(86_400)
    refresh(served, 20)
    open_page(browser, served)
    until(browser, lambda: len(all_css(browser, "#events .row")) == 2)
    browser.execute_cdp_cmd("Emulation.setTimezoneOverride", {"timezoneId": ""})
    times = [toggle.text for toggle in all_css(browser, "#ledger .toggle, #events .toggle")]
    clock = text(browser, "#now").removesuffix(" UTC")
    days = {time[:10] for time in times}

    assert all(INSTANT.fullmatch(time) for time in (*times, clock))
    assert len(days) == 2
    assert max(times) <= clock
    assert max(days) == clock[:10]


def test_a_person_links_accounts_and_sees_the_requests(browser: Any, served: Sandbox) -> None:
    """Session, hosted page, accounts: the flow of a customer, and the ledger shows it live."""
    open_page(browser, served)
    press(browser, "#link")
    until(browser, lambda: "/link/fcsess_" in browser.current_url)
    until(browser, lambda: len(all_css(browser, ".choice")) == 5)
    all_css(browser, ".choice input")[1].send_keys(" ")
    press(browser, "#submit")
    until(browser, lambda: "Accounts linked" in text(browser, "#title"))
    linked = text(browser, "#linked").split()
    open_page(browser, served)
    until(browser, lambda: text(browser, "#range").endswith("of 27"))
    until(browser, lambda: "executed" in text(browser, "#ledger tr"))

    assert len(linked) == 2
    assert linked[1] in text(browser, "#accounts tr")
    assert "POST create session" in text(browser, "#ledger tr")
    assert complaints(browser) == []


def test_an_account_opens_and_meets_a_rare_moment(browser: Any, served: Sandbox) -> None:
    """Its row lists the scenarios and what they do, and shows afterwards what has become of it."""
    open_page(browser, served)
    press(browser, "#accounts .toggle")
    until(browser, lambda: css(browser, "#accounts select").is_displayed())
    options = [each.get_attribute("value") for each in all_css(browser, "#accounts .detail option")]
    assert options == list(SCENARIOS)
    choose(browser, "#accounts select", "relink_required")
    assert SCENARIOS["relink_required"].summary in text(browser, "#accounts .scenario")
    press(browser, "#accounts .scenario button")
    until(browser, lambda: "relink required" in text(browser, "#accounts tr"))
    until(browser, lambda: "account.upcoming_deactivation" in text(browser, "#events"))

    assert "access expired" in text(browser, "#accounts .detail")
    assert css(browser, "#accounts select").get_attribute("value") == "relink_required"
    assert complaints(browser) == []


def test_an_account_is_found_among_many(browser: Any) -> None:
    """A world of a hundred thousand is shown by pages, and any account is found by its id."""
    with Sandbox(accounts=100_000, threaded=True) as sandbox:
        wanted = sandbox.world.store.seed.account_ids.encode(54_321)
        open_page(browser, sandbox)
        assert len(all_css(browser, "#accounts .row")) == 10
        css(browser, "#find input").send_keys(f"{wanted}\ue007")
        until(browser, lambda: text(browser, "#range") == "45,671\u201345,680 of 100,000")
        until(browser, lambda: wanted in browser.switch_to.active_element.text)
        assert wanted in text(browser, "#accounts .detail:not([hidden]) summary + pre, .row.open")


def test_an_event_opens(browser: Any, served: Sandbox) -> None:
    """Its type is in its row, and its whole JSON below."""
    account = refresh(served)["id"]
    served.advance(5)
    open_page(browser, served)
    until(browser, lambda: "account.refreshed_balance" in text(browser, "#events"))
    press(browser, "#events .toggle")
    until(browser, lambda: '"type": "financial_connections.account' in text(browser, "#events"))
    press(browser, "#events .panel button")
    until(browser, lambda: account in browser.switch_to.active_element.text)
    assert not css(browser, "#hooks").is_displayed()


def is_listed(browser: Any, kind: str) -> bool:
    return kind in text(browser, "#faults")


def test_the_form_asks_for_what_the_kind_of_fault_needs(browser: Any, served: Sandbox) -> None:
    """A reset has no status and no seconds; what is not asked for is not sent."""
    open_page(browser, served)
    always = ["What", "Where", "Share, %", "Times"]
    for kind, asked in (
        ("status", ["Status", "Takes effect", "Kept for repeats"]),
        ("delay", ["Seconds", "Takes effect"]),
        ("drip", ["Seconds"]),
        ("redirect", ["Status"]),
        ("reset_before", []),
    ):
        choose(browser, "#kind", kind)
        labels = [label.text for label in all_css(browser, "#fault label > span")]
        shown = [label for label in labels if label]
        assert shown == [*always[:2], *asked, *always[2:]]
        press(browser, "#fault button[type=submit]")
        name = kind.replace("_", " ")
        until(browser, partial(is_listed, browser, name))

    faults = {fault.kind: fault for fault in served.faults}
    assert (faults["status"].status, faults["redirect"].status) == (500, 307)
    assert (faults["drip"].seconds, faults["reset_before"].seconds) == (5, 0)
    assert faults["reset_before"].status is None


def test_what_clients_send_is_shown_and_not_run(browser: Any, served: Sandbox) -> None:
    """Markup in paths, keys, parameters and names is text on the page."""
    attack = "<img src=x onerror=window.hacked=1>"
    send(served, "GET", "/v1/%3Cscript%3Ewindow.hacked=1%3C/script%3E", (attack, attack))
    form = [("account_holder[type]", "customer"), ("account_holder[customer]", attack)]
    session = send(
        served, "POST", SESSIONS, *form, ("permissions[]", "balances"), ("return_url", "https://x.example"),
        Idempotency_Key=attack, User_Agent=attack,
    )  # fmt: skip
    served.link(session["client_secret"])
    open_page(browser, served)
    until(browser, lambda: len(all_css(browser, "#ledger .toggle")) == 2)
    browser.execute_script("document.querySelectorAll('.toggle').forEach((each) => each.click())")
    until(browser, lambda: text(browser, "#ledger").count("Send it again") == 2)

    assert attack in text(browser, "#ledger")
    assert attack in text(browser, "#accounts")
    assert browser.execute_script("return window.hacked") is None
    assert all_css(browser, "main img, main script") == []


def test_a_message_moves_nothing_and_an_error_looks_like_one(browser: Any, served: Sandbox) -> None:
    """Both float; an error has a colour of its own, is announced, and stays until dismissed."""
    open_page(browser, served)
    place = "return document.querySelector('main').getBoundingClientRect().top"
    before = browser.execute_script(place)
    press(browser, "[data-advance='60']")
    until(browser, lambda: text(browser, "#message"))
    good = css(browser, "#message").value_of_css_property("background-color")
    css(browser, "#find input").send_keys("fca_nope\ue007")
    until(browser, lambda: "No such account: 'fca_nope'" in text(browser, "#error"))

    assert browser.execute_script(place) == before
    assert css(browser, "#error").value_of_css_property("background-color") != good
    assert not text(browser, "#message")
    press(browser, "#error button")
    until(browser, lambda: not text(browser, "#error"))


def test_the_page_says_when_the_sandbox_is_gone_and_back(browser: Any) -> None:
    """It is an error while it lasts, and the page goes on by itself afterwards."""
    sandbox = Sandbox(threaded=True)
    with sandbox:
        open_page(browser, sandbox)
    until(browser, lambda: "does not answer" in text(browser, "#error"))
    with sandbox:
        until(browser, lambda: "is back" in text(browser, "#message"))
        assert not text(browser, "#error")


def test_a_reset_starts_over_on_the_page_too(browser: Any, served: Sandbox) -> None:
    """What was opened belongs to requests that never were."""
    refresh(served)
    open_page(browser, served)
    press(browser, "#ledger .toggle")
    until(browser, lambda: "Send it again" in text(browser, "#ledger"))
    press(browser, "#reset")
    until(browser, lambda: css(browser, "#no-requests").is_displayed())
    send(served, "GET", ACCOUNTS)
    until(browser, lambda: "GET list" in text(browser, "#ledger"))

    assert all_css(browser, "#ledger .detail:not([hidden])") == []
