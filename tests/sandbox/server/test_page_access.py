"""Who cannot see much, or has no mouse, or a small screen: what the pages owe to them."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from fcasync.sandbox import Sandbox
from tests.sandbox.server._browser import (
    NARROW,
    QUIET,
    WIDE,
    css,
    open_page,
    prefer,
    press,
    resize,
    send,
    text,
    until,
)
from tests.sandbox.worlds import ACCOUNTS, SESSIONS

pytestmark = QUIET
CONTROLS = {"button", "link", "textbox", "searchbox", "spinbutton", "combobox", "checkbox"}
CONTRASTS = """
const parts = (colour) => {
  const [red, green, blue, alpha = 1] = colour.match(/[0-9.]+/g).map(Number);
  return { light: [red, green, blue].map((part) => {
    const share = part / 255;
    return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, part, index) => sum + part * [0.2126, 0.7152, 0.0722][index], 0), alpha };
};
const ground = (node) => {
  for (let each = node; each; each = each.parentElement) {
    const found = parts(getComputedStyle(each).backgroundColor);
    if (found.alpha === 1) return found.light;
  }
  return 1;
};
const low = [];
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const node = walker.currentNode.parentElement;
  const isSeen = walker.currentNode.data.trim() && node.checkVisibility();
  if (!isSeen || node.closest(":disabled, option")) continue;
  const lights = [parts(getComputedStyle(node).color).light, ground(node)];
  const contrast = (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
  if (contrast < 4.5) low.push(`${walker.currentNode.data.trim()}: ${contrast}`);
}
return low;
"""
CUT_OFF = """
const wide = document.documentElement.scrollWidth > innerWidth ? ["page"] : [];
const cells = [...document.querySelectorAll(".row td, .row .cell, .detail td, .facts, li")];
const cut = cells.filter((cell) => cell.scrollWidth > cell.clientWidth + 1);
return wide.concat(cut.map((cell) => cell.textContent));
"""


@pytest.fixture
def busy(served: Sandbox) -> Sandbox:
    """A world in which much has gone wrong."""
    path = f"{ACCOUNTS}/{{}}/refresh"
    ids = [served.world.store.seed.account_ids.encode(index) for index in range(25)]
    served.add_faults(
        {"kind": "status", "status": 503, "executed": True, "times": 1},
        {"kind": "status", "status": 429, "times": 1},
        {"kind": "delay", "seconds": 0.01, "probability": 0.5},
    )
    for number, account_id in enumerate(ids[-6:]):
        key = f"refresh-{number}-0b5f8f6e-3f3c-4f6b-8a51-7c1e6f0d2b9a"
        send(
            served, "POST", path.format(account_id), ("features[]", "balance"), Idempotency_Key=key
        )
    send(served, "GET", "/v1/financial_connections/" + "x" * 200)
    served.scenario(ids[-1], "relink_required")
    served.scenario(ids[-2], "deactivated")
    served.advance(86_400)
    return served


def show_world(browser: Any, sandbox: Sandbox) -> None:
    open_page(browser, sandbox)
    for table in ("#ledger", "#accounts", "#events"):
        press(browser, f"{table} .toggle")
    until(browser, lambda: "Answer" in text(browser, "#ledger .panel"))


def show_link(browser: Any, sandbox: Sandbox) -> None:
    form = {"account_holder[type]": "customer", "account_holder[customer]": "cus_1"}
    session = send(sandbox, "POST", SESSIONS, *form.items(), ("permissions[]", "balances"))
    browser.get(f"{sandbox.url}/link/{session['client_secret']}")
    until(browser, lambda: css(browser, "#form").is_displayed())


def show_lost_link(browser: Any, sandbox: Sandbox) -> None:
    browser.get(f"{sandbox.url}/link/fcsess_1_secret_1")
    until(browser, lambda: text(browser, "#outcome"))


def show_guide(browser: Any, sandbox: Sandbox) -> None:
    browser.get(f"{sandbox.url}/guide/errors")


def show_operations(browser: Any, sandbox: Sandbox) -> None:
    browser.get(f"{sandbox.url}/openapi")
    browser.execute_script(
        "document.querySelectorAll('details').forEach((each) => each.open = true)"
    )


Show = Callable[[Any, Sandbox], None]
PAGES = [show_world, show_link, show_lost_link, show_guide, show_operations]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("show", PAGES)
def test_text_can_be_read_in_light_and_dark(
    browser: Any, busy: Sandbox, show: Show, scheme: str
) -> None:
    """Text and what is behind it differ by at least 4.5 to 1 (WCAG AA)."""
    prefer(browser, scheme)
    show(browser, busy)

    assert browser.execute_script(CONTRASTS) == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("show", PAGES)
def test_nothing_is_cut_off(browser: Any, busy: Sandbox, show: Show, width: int) -> None:
    """On a laptop columns fit, on a telephone rows are cards, and no value is out of sight."""
    resize(browser, width)
    show(browser, busy)

    assert browser.execute_script(CUT_OFF) == []


def test_failed_deliveries_are_not_cut_off(browser: Any) -> None:
    """An endpoint that nobody listens at: each attempt is on the page, with what went wrong."""
    with Sandbox(threaded=True, webhook_url="http://127.0.0.1:9/hooks") as sandbox:
        sandbox.scenario(sandbox.world.store.seed.account_ids.encode(24), "deactivated")
        open_page(browser, sandbox)
        until(browser, lambda: "attempt 2: ClientConnectorError" in text(browser, "#webhooks"))
        until(browser, lambda: "not delivered" in text(browser, "#events"))

        assert browser.execute_script(CUT_OFF) == []


@pytest.mark.parametrize("width", [WIDE, NARROW])
@pytest.mark.parametrize("show", PAGES)
def test_a_screen_reader_finds_names_headings_and_tables(
    browser: Any, busy: Sandbox, show: Show, width: int
) -> None:
    """Every control says what it is, also where a table is drawn as cards."""
    resize(browser, width)
    show(browser, busy)
    tree = browser.execute_cdp_cmd("Accessibility.getFullAXTree", {})["nodes"]
    nodes = [
        (node["role"]["value"], node.get("name", {}).get("value", ""), node)
        for node in tree
        if not node["ignored"]
    ]
    roles = [role for role, _, _ in nodes]
    nameless = [node for role, name, node in nodes if role in CONTROLS and not name.strip()]
    levels = [
        next(each["value"]["value"] for each in node["properties"] if each["name"] == "level")
        for role, _, node in nodes
        if role == "heading"
    ]

    assert nameless == []
    assert roles.count("main") == 1
    assert levels[0] == 1
    assert levels.count(1) == 1
    assert all(below - above <= 1 for above, below in pairwise(levels))
    if show is show_world:
        assert roles.count("table") == 3
        assert [name for role, name, _ in nodes if role == "columnheader"] == [
            "Time (UTC)", "Request", "Answer", "Idempotency key",
            "Account", "Status", "Balance", "Refreshed",
            "Time (UTC)", "Type", "About",
        ]  # fmt: skip


def test_messages_are_announced(browser: Any, served: Sandbox) -> None:
    """Success waits for its turn, an error does not; both are there before they are filled."""
    for path in ("/", "/link/x"):
        browser.get(served.url + path)
        assert css(browser, "#message").get_attribute("role") == "status"
        assert css(browser, "#error").get_attribute("role") == "alert"


@pytest.mark.parametrize("show", PAGES)
def test_the_keyboard_goes_everywhere_in_order(browser: Any, busy: Sandbox, show: Show) -> None:
    """Tab walks through all controls in the order of the page, and each shows its focus."""
    show(browser, busy)
    browser.execute_script(
        "window.walked = []; addEventListener('focusin', ({ target }) => walked.push(target));"
        "document.activeElement.blur();"
        "[...document.querySelectorAll('a[href], button, input, select')]"
        ".find((each) => each.checkVisibility()).focus()"
    )
    wanted = browser.execute_script(
        "return [...document.querySelectorAll("
        "'a[href], button, input, select, summary, [tabindex=\"0\"]')]"
        ".filter((each) => !each.disabled && each.checkVisibility()).length"
    )
    wanted = min(wanted, 60)
    outlines = []
    for _ in range(wanted - 1):
        browser.switch_to.active_element.send_keys("\ue004")  # Tab
        outlines.append(
            browser.execute_script("return getComputedStyle(document.activeElement).outlineStyle")
        )
    unordered = browser.execute_script(
        "return walked.slice(1).filter((each, index) => each.isConnected"
        " && walked[index].isConnected && !(walked[index].compareDocumentPosition(each) & 4))"
        ".map((each) => each.outerHTML)"
    )

    assert unordered == []
    assert set(outlines) <= {"solid"}
    assert browser.execute_script("return new Set(walked).size") == wanted
