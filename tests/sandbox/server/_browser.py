"""What tests do with a browser: look, press, wait, and send requests that a page then shows."""

import json
from collections.abc import Callable
from typing import Any
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

import pytest

from fcasync.sandbox import Sandbox

QUIET = [
    # selenium leaves the pipe of its driver to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
WIDE, NARROW = 1280, 390


def css(browser: Any, selector: str) -> Any:
    return browser.find_element("css selector", selector)


def all_css(browser: Any, selector: str) -> list[Any]:
    return list(browser.find_elements("css selector", selector))


def text(browser: Any, selector: str) -> str:
    """Return the visible text, in one line."""
    return " ".join(css(browser, selector).text.split())


def until(browser: Any, true: Callable[[], Any]) -> None:
    """Wait for the page to draw it; elements that it has just replaced count as not yet."""
    from selenium.common.exceptions import (
        ElementNotInteractableException,
        NoSuchElementException,
        StaleElementReferenceException,
    )
    from selenium.webdriver.support.wait import WebDriverWait

    ignored = [
        NoSuchElementException,
        StaleElementReferenceException,
        ElementNotInteractableException,
    ]
    WebDriverWait(browser, 15, 0.05, ignored).until(lambda _: true())


def press(browser: Any, selector: str) -> None:
    """Press a button with the keyboard; the page may just be drawing it anew."""
    until(browser, lambda: css(browser, selector).send_keys("\ue007") is None)


def choose(browser: Any, selector: str, value: str) -> None:
    """Choose an option of a select."""
    until(browser, lambda: css(browser, f"{selector} [value='{value}']").click() is None)


def open_page(browser: Any, sandbox: Sandbox, path: str = "") -> None:
    """Open the page at ``/``, and wait until it has drawn the accounts."""
    browser.get(sandbox.url + path)
    until(browser, lambda: text(browser, "#range"))


def resize(browser: Any, width: int) -> None:
    metrics = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": width == NARROW}
    browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)


def prefer(browser: Any, scheme: str) -> None:
    """Let the machine prefer "light" or "dark"."""
    features = [{"name": "prefers-color-scheme", "value": scheme}]
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})


def complaints(browser: Any) -> list[str]:
    return [row["message"] for row in browser.get_log("browser") if row["level"] == "SEVERE"]


def send(sandbox: Sandbox, method: str, path: str, *params: tuple[str, str], **headers: str) -> Any:
    """Send a request as some client does, and return the JSON of the answer."""
    key = headers.pop("key", sandbox.api_key)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    body = urlencode(params).encode() if method == "POST" else None
    query = f"?{urlencode(params)}" if params and method == "GET" else ""
    named["Authorization"] = f"Bearer {key}"
    request = Request(sandbox.url + path + query, body, named, method=method)
    try:
        with urlopen(request, timeout=10) as answer:
            return json.load(answer)
    except HTTPError as error:
        with error:
            return json.load(error)
