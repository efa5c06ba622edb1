"""Requests over real sockets, each within its time."""

import asyncio
import ssl as _ssl
from typing import Any

import aiohttp

from fcasync._rules.request import Answer, Request
from fcasync._wire import exchange
from fcasync._wire.documented import DocumentedExchange
from fcasync._wire.failures import FAILURES, closed, explain
from fcasync._wire.proxy import Proxy
from fcasync._wire.sessions import LoopSession, Sessions
from fcasync._wire.timeouts import Timeout
from fcasync.errors import APIConnectionError

KEEPALIVE = 55.0
"""Seconds an idle connection is kept; load balancers commonly drop theirs after 60."""
DNS_TTL = 60
"""Seconds an address is remembered, so that a failover at Stripe's side is followed."""

ClientSession = aiohttp.ClientSession


class Flight:
    """How far a request got."""

    __slots__ = ("was_sent",)

    def __init__(self) -> None:
        self.was_sent = False


class AiohttpTransport:
    """One aiohttp session per running loop, opened by the first request on it.

    A session closes with :meth:`aclose`, or by itself when its loop shuts down its asynchronous
    generators, as ``asyncio.run`` does.
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
        self.max_connections = max_connections
        """The most open connections per loop."""
        self._max_response_bytes = max_response_bytes
        self._proxy = None if proxy is None else Proxy.at(proxy)
        self._ssl: _ssl.SSLContext | bool = True if ssl is None else ssl
        self._may_be_lean = session is None and proxy is None
        self._has_own_session = session is None
        self._sessions = Sessions(self._new_session, session)

    async def send(self, request: Request[Any], timeout: float) -> Answer:
        """Send *request* once."""
        opened = self._sessions.get() or await self._open()
        flight = Flight()
        try:
            with Timeout(opened.watch, timeout):
                return await self._exchange(opened, request, flight)
        except FAILURES as error:
            failure, cause = explain(
                error,
                request,
                timeout=timeout,
                most=self._max_response_bytes,
                was_sent=flight.was_sent,
            )
            if opened.session.closed and isinstance(failure, APIConnectionError):
                # Whoever closed the session wants no new one to be opened for a retry.
                failure.retryable = failure.is_stale = False
        except (asyncio.CancelledError, RuntimeError):
            # Closing a pool cancels those who wait in it, although nobody cancelled their call.
            if not opened.session.closed or _is_cancelled():
                raise
            failure, cause = closed(), None
        # Raised out here to have no context: aiohttp's error may hold the headers, and so the key.
        raise failure from cause

    async def _open(self) -> LoopSession:
        opened = await self._sessions.open()
        # Whoever traces the requests of a session would not hear of those that bypass it.
        if self._may_be_lean and not opened.session.trace_configs:
            opened.lean = exchange.LeanExchange(
                opened.session, ssl=self._ssl, most=self._max_response_bytes
            )
        return opened

    async def is_traced(self) -> bool:
        """Return whether OpenTelemetry's instrumentation of aiohttp records a span per request."""
        opened = self._sessions.get() or await self._open()
        return opened.lean is None and any(map(_is_of_otel, opened.session.trace_configs))

    async def _exchange(self, opened: LoopSession, request: Request[Any], flight: Flight) -> Answer:
        if (lean := opened.lean) is not None and exchange.is_possible():
            try:
                answer: Answer = await lean.send(request, flight)
            except exchange.UnsupportedError:
                opened.lean, self._may_be_lean = None, False
            else:
                return answer
        documented = DocumentedExchange(
            opened.session,
            is_own=self._has_own_session,
            proxy=self._proxy,
            ssl=self._ssl,
            most=self._max_response_bytes,
        )
        return await documented.send(request, flight)

    def _new_session(self) -> aiohttp.ClientSession:
        return aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(
                limit=self.max_connections,
                ttl_dns_cache=DNS_TTL,
                keepalive_timeout=KEEPALIVE,
            ),
            cookie_jar=aiohttp.DummyCookieJar(),
            trust_env=False,  # neither .netrc nor proxy variables decide where a key is sent
            auto_decompress=False,  # see fcasync._wire.body
        )

    async def aclose(self) -> None:
        """Close the session of the running loop; one that was passed in stays open."""
        await self._sessions.aclose()

    @property
    def loops(self) -> list[asyncio.AbstractEventLoop]:
        """The loops on which requests were sent, and which are not closed since."""
        return self._sessions.loops


def _is_of_otel(traces: aiohttp.TraceConfig) -> bool:
    handlers = [getattr(handler, "__module__", None) or "" for handler in traces.on_request_start]
    return any(module.startswith("opentelemetry.") for module in handlers)


def _is_cancelled() -> bool:
    task = asyncio.current_task()
    return task is not None and task.cancelling() > 0
