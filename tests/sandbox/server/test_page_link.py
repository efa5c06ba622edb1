"""The hosted page of a session, in a real browser."""

from typing import Any

import pytest

from fcasync.sandbox import Sandbox
from tests.sandbox.server._browser import QUIET, all_css, complaints, css, press, send, text, until
from tests.sandbox.worlds import SESSIONS

pytestmark = QUIET
HOLDER = (
    ("account_holder[type]", "customer"),
    ("account_holder[customer]", "cus_1"),
    ("permissions[]", "balances"),
)


def open_session(browser: Any, sandbox: Sandbox, *params: tuple[str, str]) -> str:
    """Open the page of a new session, and return its client secret."""
    secret = str(send(sandbox, "POST", SESSIONS, *HOLDER, *params)["client_secret"])
    browser.get(f"{sandbox.url}/link/{secret}")
    until(browser, lambda: css(browser, "#form").is_displayed())
    return secret


def test_a_person_cancels_a_session(browser: Any, served: Sandbox) -> None:
    """The session ends without accounts, and its page says so from then on."""
    open_session(browser, served)
    press(browser, "#cancel")
    until(browser, lambda: "Cancelled" in text(browser, "#title"))
    assert browser.switch_to.active_element.get_attribute("id") == "title"
    browser.refresh()
    until(browser, lambda: "Cancelled" in text(browser, "#title"))

    assert "No accounts were linked" in text(browser, "#outcome")
    assert served.world.store.total == 25
    assert not css(browser, "#form").is_displayed()
    assert not css(browser, "#linked").is_displayed()
    assert complaints(browser) == []


def test_whoever_cancels_is_led_back(browser: Any, served: Sandbox) -> None:
    """A session with an address to return to leads there."""
    open_session(browser, served, ("return_url", f"{served.url}/guide"))
    press(browser, "#cancel")
    until(browser, lambda: browser.current_url == f"{served.url}/guide")


@pytest.mark.parametrize("url", ["javascript:window.hacked=1", "data:text/html,x", "//x.example"])
def test_only_a_web_address_is_led_back_to(browser: Any, served: Sandbox, url: str) -> None:
    """An address that would run code in the page is not a link."""
    secret = send(served, "POST", SESSIONS, *HOLDER)["client_secret"]
    session_id = secret.partition("_secret_")[0]
    served.world.store.sessions[session_id].params["return_url"] = url
    browser.get(f"{served.url}/link/{secret}")
    until(browser, lambda: css(browser, "#form").is_displayed())
    press(browser, "#cancel")
    until(browser, lambda: "Cancelled" in text(browser, "#title"))

    assert not css(browser, "#return").is_displayed()
    assert browser.execute_script("return window.hacked") is None


@pytest.mark.parametrize("secret", ["fcsess_1_secret_%3Cb%3Eguess", "fcsess_1_secret_%guess"])
def test_a_wrong_link_is_an_error_and_not_an_empty_form(
    browser: Any, served: Sandbox, secret: str
) -> None:
    """A made-up client secret leads to a sentence in the colour of errors."""
    browser.get(f"{served.url}/link/{secret}")
    until(browser, lambda: "This link leads nowhere" in text(browser, "#title"))

    assert "No such session: 'fcsess_1'" in text(browser, "#outcome")
    assert "bad" in css(browser, "#outcome").get_attribute("class")
    assert not css(browser, "#form").is_displayed()
    assert "guess" not in text(browser, "body")


def test_a_choice_that_the_session_forbids_is_refused_in_place(
    browser: Any, served: Sandbox
) -> None:
    """The form stays as it is, and the error says what is allowed."""
    open_session(browser, served, ("limits[accounts]", "1"))
    all_css(browser, ".choice input")[1].send_keys(" ")
    press(browser, "#submit")
    until(browser, lambda: "Pick 1 to 1" in text(browser, "#error"))

    assert css(browser, "#form").is_displayed()
    assert all_css(browser, ".choice input")[1].is_selected()
