"""An HTTP proxy, and the credentials that are sent to it."""

from base64 import b64encode
from collections.abc import Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import attrs

from fcasync._facts.redact import Hidden
from fcasync._rules.request import Request


@attrs.frozen
class Proxy:
    """Where a proxy is, and the password for it apart from its URL, which tracebacks show."""

    url: str | None
    """Without user info; None stands for no proxy."""
    authorization: Hidden | None = None
    """The value of ``Proxy-Authorization``."""

    @classmethod
    def at(cls, url: str) -> "Proxy":
        """Return the proxy at *url*, which was checked."""
        parts = urlsplit(url)
        user_info, at, address = parts.netloc.rpartition("@")
        if not at:
            return cls(url)
        user, _, password = user_info.partition(":")
        # RFC 7617: base64 of user and password, in UTF-8.
        token = b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()
        return cls(parts._replace(netloc=address).geturl(), Hidden(f"Basic {token}"))

    def headers_for_request(self, request: Request[Any]) -> Mapping[str, str]:
        """Return what is added to *request* itself, which a proxy sees only in plain HTTP."""
        return {} if self._is_tunnelled(request) else self._headers

    def headers_for_tunnel(self, request: Request[Any]) -> Mapping[str, str] | None:
        """Return the headers of the CONNECT that opens the tunnel for *request*, if it has one."""
        return (self._headers or None) if self._is_tunnelled(request) else None

    @property
    def _headers(self) -> Mapping[str, str]:
        return {} if self.authorization is None else {"Proxy-Authorization": self.authorization}

    def _is_tunnelled(self, request: Request[Any]) -> bool:
        return request.options.base_url.startswith("https:")


NO_PROXY = Proxy(None)
