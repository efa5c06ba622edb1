"""The exchange by ``ClientSession.request``: for sessions of the caller, proxies and mocks."""

from collections.abc import Awaitable, Callable
from functools import cache
from typing import Any

import aiohttp
from yarl import URL

from fcasync._rules.request import Answer, Request
from fcasync._wire import body
from fcasync._wire.failures import BROKEN, LostConnectionError
from fcasync._wire.proxy import NO_PROXY, Proxy

NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)
"""The watch of the transport covers connecting and reading alike."""


class DocumentedExchange:
    """Sends requests by aiohttp's documented interface.

    Args:
        session: Sends them.
        is_own: Whether the session is fcasync's, which leaves decompression to us.
        proxy: An HTTP proxy.
        ssl: Checks of the server's certificate.
        most: Largest answer in bytes, after decompression.
    """

    def __init__(
        self,
        session: aiohttp.ClientSession,
        *,
        is_own: bool,
        proxy: Proxy | None,
        ssl: Any,
        most: int,
    ) -> None:
        self._session = session
        self._is_own = is_own
        self._proxy = NO_PROXY if proxy is None else proxy
        self._ssl = ssl
        self._most = most

    async def send(self, request: Request[Any], flight: Any) -> Answer:
        """Send *request* and return the whole answer."""
        # aiohttp does not report what happens on the way: assume the worse, that it was sent.
        flight.was_sent = True
        try:
            response = await self._request(request)
        except aiohttp.ClientConnectorError:
            flight.was_sent = False
            raise
        except BROKEN as error:
            raise LostConnectionError from error
        try:
            encoding = response.headers.get("Content-Encoding") if self._is_own else None
            content = await body.read(response.content, body.known(encoding), self._most)
        except BaseException:
            response.close()
            raise
        if response.status == 101:
            response.close()  # there is no end of the answer that would release it
        return Answer(response.status, response.headers, content, _closing(response))

    def _request(self, request: Request[Any]) -> Awaitable[aiohttp.ClientResponse]:
        method = request.operation.method
        return self._session.request(
            method,
            _url(request),
            data=request.body,
            headers={**request.headers, **self._proxy.headers_for_request(request)},
            allow_redirects=False,
            raise_for_status=False,
            proxy=self._proxy.url,
            proxy_headers=self._proxy.headers_for_tunnel(request),
            ssl=self._ssl,
            timeout=NO_TIMEOUT,
            middlewares=_MIDDLEWARES.get(method, ()),
        )


def _closing(response: aiohttp.ClientResponse) -> Callable[[], None]:
    # A whole answer has given its connection back to the pool already; aiohttp has no public way
    # to close it there. Without the attribute it stays open, and only the error is raised.
    protocol = getattr(response, "_protocol", None)
    close: Callable[[], None] = getattr(protocol, "close", _nothing)
    return close


def _nothing() -> None:
    """Do nothing: there is no connection to close."""


async def _no_hidden_retry(
    request: aiohttp.ClientRequest,
    send: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET twice behind the back of the retry quota."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except BROKEN as error:
        raise LostConnectionError from error


_MIDDLEWARES = {"GET": (_no_hidden_retry,)}  # it sends nothing else twice


@cache
def _base(url: str) -> URL:
    return URL(url, encoded=True)


def _url(request: Request[Any]) -> URL:
    """Return the URL, put together from a base that is parsed once."""
    base = _base(request.options.base_url)
    return URL.build(
        scheme=base.scheme,
        authority=base.raw_authority,
        path=base.raw_path.rstrip("/") + request.path,
        query_string=request.query,
        encoded=True,
    )
