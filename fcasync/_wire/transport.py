"""Requests over real sockets: the only file of the client that imports aiohttp."""

import asyncio
import os
import ssl as _ssl
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextvars import ContextVar
from functools import cache
from typing import Any, Literal, Protocol
from weakref import WeakSet

import aiohttp
from yarl import URL

from fcasync._facts.redact import printable
from fcasync._rules.request import Answer, Request
from fcasync._wire.timeouts import Limit, Watch
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

# What the request that runs in this context goes over: nothing as yet, a connection that had been
# idle in the pool, or one of its own.
_connection: ContextVar[Literal["none", "kept", "new"]] = ContextVar("fcasync_connection")


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
        self._places: dict[asyncio.AbstractEventLoop, _Place] = {}
        _transports.add(self)

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Send *request* once; a kept connection that turns out dead is replaced at once."""
        place = self._places.get(asyncio.get_running_loop())
        if place is None or place.session.closed:
            place = await self._open()
        was_sent = False
        try:
            with Limit(place.watch, timeout):
                try:
                    return await self._exchange(request, place.session)
                except _StaleConnectionError:
                    # The server had closed it before our bytes arrived, and the idempotency
                    # key covers the case in which it had not.
                    was_sent = True
                    return await self._exchange(request, place.session)
        except (TimeoutError, _LostConnectionError, aiohttp.ClientError) as error:
            failure, cause = _explain(error, request, timeout)
            if isinstance(failure, APIConnectionError | ProtocolError):
                was_sent = was_sent or _may_have_been_sent(error)
                # Whoever closed the session wants no new one to be opened for a retry.
                failure.retryable = failure.retryable and not place.session.closed
                failure.may_have_executed = request.has_effect and was_sent
        # Raised out here to have no context: aiohttp's error may hold the headers, and so the key.
        raise failure from cause

    async def _exchange(self, request: Request[Any], session: aiohttp.ClientSession) -> Answer:
        # The connector of a session that was passed in tells us nothing: assume the worse.
        _connection.set("none" if self._session is None else "new")
        try:
            response = await self._request(session, request)
        except aiohttp.ClientConnectorError:
            raise
        except _BROKEN as error:
            raise _broken() from error
        except (asyncio.CancelledError, RuntimeError):
            # Closing a pool cancels those who wait in it, although nobody cancelled their call.
            if session.closed and not _is_cancelled():
                raise _closed() from None
            raise
        try:
            body = await self._read(response, request)
        except BaseException:
            response.close()
            raise
        return Answer(response.status, response.headers, body)

    def _request(
        self, session: aiohttp.ClientSession, request: Request[Any]
    ) -> Awaitable[aiohttp.ClientResponse]:
        method = request.operation.method
        return session.request(
            method,
            _url(request),
            data=request.body,
            headers=request.headers,
            allow_redirects=False,
            raise_for_status=False,
            proxy=self._proxy,
            ssl=self._ssl,
            timeout=NO_TIMEOUT,  # the watch covers connecting and reading alike
            middlewares=_MIDDLEWARES.get(method, ()),
        )

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
        self._forget_closed()
        loop, given = asyncio.get_running_loop(), self._session
        place = _Place(loop, given) if given else await _Place.open(loop, self._new_session)
        self._places[loop] = place
        return place

    def _forget_closed(self) -> None:
        """Let go of loops that are over: a session holds its loop, so no weak key would."""
        for loop, place in list(self._places.items()):
            if place.session.closed or loop.is_closed():
                self._places.pop(loop, None)

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
        _inherited.extend(self._places.values())
        self._places = {}


_transports: WeakSet[AiohttpTransport] = WeakSet()

# Kept for ever on purpose: collecting them would shut down the parent's TLS streams, and take its
# sockets out of the epoll set that the two processes share.
_inherited: "list[_Place]" = []


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
    """Notes what a request is sent over."""

    async def connect(self, *args: Any, **kwargs: Any) -> Any:
        connection = await super().connect(*args, **kwargs)
        if _connection.get() == "none":
            _connection.set("kept")
        return connection

    async def _create_connection(self, *args: Any, **kwargs: Any) -> Any:
        protocol = await super()._create_connection(*args, **kwargs)
        _connection.set("new")
        return protocol


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
        raise _broken() from error


_MIDDLEWARES = {"GET": (_no_hidden_retry,)}  # it sends nothing else twice


def _broken() -> _LostConnectionError:
    is_stale = _connection.get() == "kept"
    return _StaleConnectionError() if is_stale else _LostConnectionError()


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0


def _may_have_been_sent(error: BaseException) -> bool:
    is_unconnected = isinstance(error, aiohttp.ClientConnectorError | aiohttp.ClientHttpProxyError)
    return not is_unconnected and _connection.get() != "none"


def _explain(
    error: BaseException, request: Request[Any], timeout: float
) -> tuple[FCError, BaseException | None]:
    """Return the error to raise and what may be shown as its cause."""
    match error:
        case TimeoutError():
            sentence = f"no whole answer from {request.operation.route} within {timeout:g} s"
            return APITimeoutError(sentence), error
        case _LostConnectionError():
            return _lost(error.__cause__ or error), error.__cause__
        case aiohttp.ClientResponseError():
            return _not_http(error), None  # its own error holds the headers, and so the key
        case _:
            return _translate(error, request), error


def _closed() -> APIConnectionError:
    failure = APIConnectionError("the client's session was closed before this request was sent")
    failure.retryable = False
    return failure


def _lost(reason: BaseException) -> APIConnectionError:
    return APIConnectionError(
        f"the connection broke before a whole answer arrived: {_name(reason)}"
    )


def _not_http(error: aiohttp.ClientResponseError) -> FCError:
    if not isinstance(error, aiohttp.ClientHttpProxyError):
        return ProtocolError(f"the answer is not HTTP: {printable(error.message, 120)}")
    reason = f"{error.status} {printable(error.message, 60)}"
    failure = APIConnectionError(f"the proxy does not let us through: {reason}")
    failure.retryable = error.status >= 500
    return failure


def _translate(error: BaseException, request: Request[Any]) -> FCError:
    match error:
        case aiohttp.ClientConnectorCertificateError():
            failure = APIConnectionError(f"no trusted TLS connection to {_origin(request)}")
            failure.retryable = False
            return failure
        case aiohttp.ClientProxyConnectionError():
            return APIConnectionError(f"cannot connect to the proxy: {error.strerror}")
        case aiohttp.ClientConnectorError():
            reason = error.strerror or _name(error)
            return APIConnectionError(f"cannot connect to {_origin(request)}: {reason}")
        case aiohttp.InvalidURL():
            return InvalidArgumentError("base_url or proxy is not a URL that can be connected to")
        case _:
            return _lost(error)


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
