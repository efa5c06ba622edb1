"""Requests over real sockets: the only file of the client that imports aiohttp."""

import asyncio
import os
import ssl as _ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from functools import cache
from typing import Any, Protocol
from weakref import WeakKeyDictionary, WeakSet

import aiohttp
from yarl import URL

from fcasync._redact import printable
from fcasync._watch import Watch
from fcasync._wire import Answer, Request
from fcasync.errors import (
    APIConnectionError,
    APITimeoutError,
    FCError,
    InvalidArgumentError,
    ProtocolError,
)

KEEPALIVE = 55.0
"""Seconds an idle connection is kept; load balancers commonly drop theirs after 60."""
DNS_TTL = 60
"""Seconds an address is remembered, so that a failover at Stripe's side is followed."""

NO_TIMEOUT = aiohttp.ClientTimeout(total=None, sock_connect=None)

# Set when the request that runs in this context had to open a connection of its own.
_opened: ContextVar[bool] = ContextVar("fcasync_opened_a_connection", default=False)


ClientSession = aiohttp.ClientSession


class Transport(Protocol):
    """What the engine needs to know of the network."""

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Send *request* once and return the whole answer.

        Raises:
            APIConnectionError: No whole answer arrived within *timeout* seconds.
            ProtocolError: The answer is no HTTP, or larger than is allowed.
        """

    async def aclose(self) -> None:
        """Close what belongs to the running loop."""


class AiohttpTransport:
    """One aiohttp session per running loop, opened by the first request on it.

    A session closes with :meth:`aclose`, or by itself when its loop shuts down its asynchronous
    generators, as ``asyncio.run`` does. A forked child starts with none and leaves its parent's
    connections alone.
    """

    def __init__(
        self,
        *,
        max_connections: int,
        max_response_bytes: int,
        proxy: str | None = None,
        ssl: _ssl.SSLContext | None = None,
        session: aiohttp.ClientSession | None = None,
    ) -> None:
        self._max_connections = max_connections
        self._max_response_bytes = max_response_bytes
        self._proxy = proxy
        self._ssl: _ssl.SSLContext | bool = True if ssl is None else ssl
        self._session = session
        self._places: WeakKeyDictionary[asyncio.AbstractEventLoop, _Place] = WeakKeyDictionary()
        self._inherited: list[_Place] = []
        _transports.add(self)

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Send *request* once; a kept connection that turns out dead is replaced at once."""
        place = self._places.get(asyncio.get_running_loop())
        if place is None or place.session.closed:
            place = await self._open()
        try:
            with place.watch.limit(timeout):
                try:
                    return await self._exchange(request, place.session)
                except _StaleConnectionError:
                    # The server had closed it before our bytes arrived, and the idempotency
                    # key covers the case in which it had not.
                    return await self._exchange(request, place.session)
        except TimeoutError as error:
            raise APITimeoutError(
                f"no whole answer from {request.operation.route} within {timeout:g} s",
                may_have_executed=request.has_effect,
            ) from error
        except _LostConnectionError as error:
            raise _connection_error(error, request) from error.__cause__
        except aiohttp.ClientResponseError as error:
            failure = _not_http(error, request)
        except aiohttp.ClientError as error:
            raise _translate(error, request) from error
        # Raised out here to have no context: aiohttp's error holds the headers, and so the key.
        raise failure

    async def _exchange(self, request: Request[Any], session: aiohttp.ClientSession) -> Answer:
        # The connector of a session that was passed in tells us nothing: assume the worse.
        _opened.set(self._session is not None)
        method = request.operation.method
        try:
            response = await session.request(
                method,
                _url(request),
                data=request.body,
                headers=request.headers,
                allow_redirects=False,
                proxy=self._proxy,
                ssl=self._ssl,
                timeout=NO_TIMEOUT,  # the watch covers connecting and reading alike
                middlewares=_MIDDLEWARES.get(method, ()),
            )
        except aiohttp.ClientConnectorError:
            raise
        except _BROKEN as error:
            raise _lost() from error
        try:
            body = await self._read(response, request)
        except BaseException:
            response.close()
            raise
        return Answer(response.status, response.headers, body)

    async def _read(self, response: aiohttp.ClientResponse, request: Request[Any]) -> bytes:
        content = response.content
        body = await content.readany()
        if content.at_eof():
            self._check_size(len(body), response, request)
            return body
        chunks, size = [body], len(body)
        while not content.at_eof():
            self._check_size(size, response, request)
            chunk = await content.readany()
            chunks.append(chunk)
            size += len(chunk)
        self._check_size(size, response, request)
        return b"".join(chunks)

    def _check_size(
        self, size: int, response: aiohttp.ClientResponse, request: Request[Any]
    ) -> None:
        if size > self._max_response_bytes:
            raise ProtocolError(
                f"the answer is larger than {self._max_response_bytes} bytes "
                "(max_response_bytes, after decompression)",
                status=response.status,
                request_id=response.headers.get("Request-Id"),
                may_have_executed=request.has_effect,
            )

    async def _open(self) -> "_Place":
        loop = asyncio.get_running_loop()
        given = self._session
        place = _Place(loop, given) if given else await _Place.open(loop, self._new_session)
        self._places[loop] = place
        return place

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=_Connector(
                limit=self._max_connections,
                ttl_dns_cache=DNS_TTL,
                keepalive_timeout=KEEPALIVE,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # neither .netrc nor proxy variables decide where a key is sent
        )

    async def aclose(self) -> None:
        """Close the session of the running loop; one that was passed in stays open."""
        place = self._places.pop(asyncio.get_running_loop(), None)
        if place is not None:
            await place.aclose()

    @property
    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The loops on which requests were sent, and which are not closed since."""
        return list(self._places)

    def forget_inherited(self) -> None:
        """Let go of sessions without closing them: after a fork they are the parent's."""
        # Kept alive on purpose: collecting them would shut down the parent's TLS streams.
        self._inherited.extend(self._places.values())
        self._places = WeakKeyDictionary()


_transports: WeakSet[AiohttpTransport] = WeakSet()


def _forget_inherited() -> None:
    for transport in _transports:
        transport.forget_inherited()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_inherited)


class _Place:
    """What a transport has on one loop."""

    def __init__(self, loop: asyncio.AbstractEventLoop, session: aiohttp.ClientSession) -> None:
        self.session = session
        self.watch = Watch(loop)
        self._holder: AsyncGenerator[aiohttp.ClientSession] | None = None

    @classmethod
    async def open(
        cls, loop: asyncio.AbstractEventLoop, factory: Callable[[], aiohttp.ClientSession]
    ) -> "_Place":
        """Make a session, and see to it that the loop closes it at the latest."""
        holder = _hold(factory)
        place = cls(loop, await anext(holder))
        place._holder = holder
        return place

    async def aclose(self) -> None:
        if self._holder is not None:
            await self._holder.aclose()


async def _hold(
    factory: Callable[[], aiohttp.ClientSession],
) -> AsyncGenerator[aiohttp.ClientSession]:
    async with factory() as session:
        yield session


class _Connector(aiohttp.TCPConnector):
    """Notes when a request could not be served by a connection from the pool."""

    async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:
        _opened.set(True)
        return await super()._create_connection(*args, **kwargs)


class _LostConnectionError(Exception):
    """The connection broke after the request was, or may have been, sent."""


class _StaleConnectionError(_LostConnectionError):
    """The same on a connection that had been idle in the pool."""


_BROKEN = (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError)


async def _no_hidden_retry(
    request: aiohttp.ClientRequest,
    send: Callable[[aiohttp.ClientRequest], Awaitable[aiohttp.ClientResponse]],
) -> aiohttp.ClientResponse:
    """Keep aiohttp from sending a GET twice behind the back of the retry quota."""
    try:
        return await send(request)
    except aiohttp.ClientConnectorError:
        raise
    except _BROKEN as error:
        raise _lost() from error


_MIDDLEWARES = {"GET": (_no_hidden_retry,)}  # it sends nothing else twice


def _lost() -> _LostConnectionError:
    return _LostConnectionError() if _opened.get() else _StaleConnectionError()


def _connection_error(error: BaseException, request: Request[Any]) -> APIConnectionError:
    reason = error.__cause__ or error
    return APIConnectionError(
        f"the connection broke before a whole answer arrived: {_name(reason)}",
        may_have_executed=request.has_effect,
    )


def _not_http(error: aiohttp.ClientResponseError, request: Request[Any]) -> ProtocolError:
    return ProtocolError(
        f"the answer is not HTTP: {printable(error.message, 120)}",
        may_have_executed=request.has_effect,
    )


def _translate(error: aiohttp.ClientError, request: Request[Any]) -> FCError:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            failure = APIConnectionError(f"no trusted TLS connection to {_origin(request)}")
            failure.retryable = False
            return failure
        case aiohttp.ClientConnectorError() | aiohttp.ClientProxyConnectionError():
            return APIConnectionError(
                f"cannot connect to {_origin(request)}: {error.strerror or _name(error)}"
            )
        case aiohttp.InvalidURL():
            return InvalidArgumentError("base_url or proxy is not a URL that can be connected to")
        case _:
            return _connection_error(error, request)


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


def _name(error: BaseException) -> str:
    return type(error).__name__


def _origin(request: Request[Any]) -> str:
    return "/".join(request.url.split("/", 3)[:3])
