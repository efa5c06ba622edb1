"""The proxy in between, and the credentials that are sent to it."""

from typing import Any

import pytest

import tests._calls as calls
from fcasync._wire.proxy import Proxy

PLAIN = calls.request(calls.GET, calls.options("http://127.0.0.1:1"))
SECURE = calls.request(calls.GET, calls.options("https://api.example.test"))
TOLD = {"Proxy-Authorization": "Basic dXNlcjpwQHNz"}  # base64 of user:p@ss


def test_a_proxy_without_a_user_gets_no_credentials() -> None:
    """There is nothing to authorise with, so no header is sent, not even an empty one."""
    proxy = Proxy.at("http://proxy.test:3128")
    assert (proxy.url, proxy.authorization) == ("http://proxy.test:3128", None)
    assert proxy.headers_for_request(PLAIN) == {}
    assert proxy.headers_for_tunnel(SECURE) is None


def test_user_and_password_leave_the_address() -> None:
    """The address is given on without them; they go into a header, decoded, and into no repr."""
    proxy = Proxy.at("http://user:p%40ss@proxy.test:3128")
    assert proxy.url == "http://proxy.test:3128"
    assert proxy.headers_for_request(PLAIN) == proxy.headers_for_tunnel(SECURE) == TOLD
    assert "dXNlcjpwQHNz" not in repr(proxy)


@pytest.mark.parametrize(("request_", "is_tunnelled"), [(PLAIN, False), (SECURE, True)])
def test_only_one_of_request_and_tunnel_is_authorised(request_: Any, is_tunnelled: bool) -> None:
    """Inside a tunnel the header would reach Stripe."""
    proxy = Proxy.at("http://user:p%40ss@proxy.test:3128")
    assert bool(proxy.headers_for_tunnel(request_)) is is_tunnelled
    assert bool(proxy.headers_for_request(request_)) is not is_tunnelled
