"""The pages in a real browser: what a person sees and does with a keyboard."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from fcasync.sandbox import Sandbox

webdriver = pytest.importorskip("selenium.webdriver", reason="selenium drives the browser")
BROWSER = shutil.which("chromium") or shutil.which("google-chrome")
DRIVER = shutil.which("chromedriver")
pytestmark = [
    pytest.mark.skipif(not BROWSER or not DRIVER, reason="needs chromium and chromedriver"),
    # selenium leaves the pipe of its driver to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run",
    "--disable-background-networking", "--disable-component-update", "--disable-sync",
    "--window-size=1300,1000",
)  # fmt: skip


@pytest.fixture(scope="module")
def chromium(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    profile: Path = tmp_path_factory.mktemp("profile")
    for flag in (*FLAGS, f"--user-data-dir={profile}"):
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(DRIVER))
    yield browser
    browser.quit()


@pytest.fixture
def browser(chromium: Any) -> Any:
    chromium.get_log("browser")  # what an earlier test has left
    return chromium


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with Sandbox(threaded=True, varied=False) as sandbox:
        yield sandbox


def css(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def text(browser: Any, selector: str) -> str:
    return str(css(browser, selector).text)


def until(browser: Any, true: Callable[[], Any]) -> None:
    """Wait for the page to draw it; elements that it has just replaced count as not yet."""
    from selenium.common.exceptions import NoSuchElementException, StaleElementReferenceException
    from selenium.webdriver.support.wait import WebDriverWait

    ignored = [NoSuchElementException, StaleElementReferenceException]
    WebDriverWait(browser, 15, 0.05, ignored).until(lambda _: true())


def press(browser: Any, selector: str) -> None:
    """Press a button with the keyboard; the page may just be drawing it anew."""
    until(browser, lambda: css(browser, selector).send_keys("\ue007") is None)


def complaints(browser: Any) -> list[str]:
    return [row["message"] for row in browser.get_log("browser") if row["level"] == "SEVERE"]


def test_the_page_shows_the_world_and_changes_it(browser: Any, sandbox: Sandbox) -> None:
    """Accounts, clock, faults and limits are on the page, and its buttons change them."""
    browser.get(sandbox.url)
    until(browser, lambda: text(browser, "#range").endswith("25 of 25"))
    press(browser, "[data-advance='86400']")
    until(browser, lambda: "86,400" in text(browser, "#advanced"))
    press(browser, "#fault button[type=submit]")
    until(browser, lambda: "status 500" in text(browser, "#faults"))
    assert [fault.kind for fault in sandbox.faults] == ["status"]
    press(browser, "#faults button")
    until(browser, lambda: not text(browser, "#faults"))
    press(browser, "[data-rate*=sandbox]")
    until(browser, lambda: "25/s" in text(browser, "#rate"))
    press(browser, "#accounts button")
    until(browser, lambda: "inactive" in text(browser, "#accounts tr"))

    assert sandbox.faults == []
    assert sandbox.world.offset == 86_400
    assert complaints(browser) == []


def test_a_person_links_accounts_and_sees_the_requests(browser: Any, sandbox: Sandbox) -> None:
    """Session, hosted page, accounts: the flow of a customer, and the ledger shows it live."""
    browser.get(sandbox.url)
    until(browser, lambda: text(browser, "#key"))
    press(browser, "#link")
    until(browser, lambda: "/link/fcsess_" in browser.current_url)
    until(browser, lambda: len(browser.find_elements("css selector", ".choice")) == 5)
    browser.find_elements("css selector", ".choice input")[1].send_keys(" ")
    press(browser, "#submit")
    until(browser, lambda: "Accounts linked" in text(browser, "#done-title"))
    linked = text(browser, "#linked").split()
    browser.get(sandbox.url)
    until(browser, lambda: text(browser, "#range").endswith("27 of 27"))
    until(browser, lambda: "executed" in text(browser, "#ledger tr"))

    assert len(linked) == 2
    assert linked[1] in text(browser, "#accounts tr")
    assert "POST …/sessions" in text(browser, "#ledger tr")
    assert complaints(browser) == []


def test_a_person_cancels_a_session(browser: Any, sandbox: Sandbox) -> None:
    """The session ends without accounts, and its page says so from then on."""
    browser.get(sandbox.url)
    until(browser, lambda: text(browser, "#key"))
    press(browser, "#link")
    until(browser, lambda: "/link/fcsess_" in browser.current_url)
    press(browser, "#cancel")
    until(browser, lambda: "Cancelled" in text(browser, "#done-title"))
    browser.refresh()
    until(browser, lambda: "Cancelled" in text(browser, "#done-title"))

    assert sandbox.world.store.total == 25
    assert not css(browser, "#form").is_displayed()
    assert complaints(browser) == []


def test_a_rare_moment_is_brought_about(browser: Any, sandbox: Sandbox) -> None:
    """The page lists the scenarios and what they do, and lets one befall an account."""
    browser.get(sandbox.url)
    until(browser, lambda: text(browser, "#scenario-summary"))
    account = text(browser, "#accounts code")
    css(browser, "#scenarios [value=deactivated]").click()
    css(browser, "#scenario [name=account]").send_keys(account)
    press(browser, "#scenario button")
    until(browser, lambda: "inactive" in text(browser, "#accounts tr"))
    assert complaints(browser) == []


def test_a_wrong_link_says_so(browser: Any, sandbox: Sandbox) -> None:
    """A made-up client secret leads to a sentence, not to a form."""
    browser.get(f"{sandbox.url}/link/fcsess_1_secret_guess")
    until(browser, lambda: "No such session" in text(browser, "#message"))

    assert not css(browser, "#form").is_displayed()


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_can_be_read_in_light_and_dark(browser: Any, sandbox: Sandbox, scheme: str) -> None:
    """Text and ground differ by at least 4.5 to 1 (WCAG AA), whatever the machine prefers."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})
    browser.get(sandbox.url)
    until(browser, lambda: text(browser, "#range"))
    pairs = (("--text", "--sheet"), ("--quiet", "--sheet"), ("--quiet", "--ground"),
             ("--accent", "--sheet"), ("--on-accent", "--accent"), ("--good", "--good-ground"),
             ("--wait", "--wait-ground"), ("--bad", "--bad-ground"))  # fmt: skip
    read = "return getComputedStyle(document.documentElement).getPropertyValue(arguments[0])"

    for pair in pairs:
        one, other = (luminance(browser.execute_script(read, name)) for name in pair)
        contrast = (max(one, other) + 0.05) / (min(one, other) + 0.05)
        assert contrast >= 4.5, pair


def luminance(colour: str) -> float:
    """Return WCAG's relative luminance of ``#rgb`` or ``#rrggbb``."""
    digits = colour.strip().removeprefix("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    parts = (int(digits[start : start + 2], 16) / 255 for start in (0, 2, 4))
    red, green, blue = (p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue
