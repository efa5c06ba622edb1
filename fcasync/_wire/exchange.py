"""The lean exchange: aiohttp's connections and parser, and our own bytes in one write.

``ClientSession.request`` builds some fifteen objects for each request (a URL, a ClientRequest with
its headers and payload, a writer and its task, a response parser, a ClientResponse), and throws
them away. That is half of what a call costs, and a request of fcasync needs none of them: its
head is the same text each time but for the target and the key, and its body is in memory.

So this takes from aiohttp what is hard (the pool, DNS with its cache, happy eyeballs, TLS,
keep-alive, the C parser with its bounds) and writes the request itself:

* ``connector.connect(request, traces, timeout)``, with one ClientRequest per loop and origin that
  serves as the key of the pool;
* ``ResponseHandler.set_response_params`` once per *connection*: without a timer of its own the
  parser is good for every answer that follows;
* ``transport.write(head + key + body)``, ``ResponseHandler.read()``, ``StreamReader.readany()``;
* ``Connection.release()`` after a whole answer, ``Connection.close()`` after anything else.

Of these names aiohttp documents only ``connect``, ``release``, ``close`` and ``readany``. The
others are public, but not promised. So the documented way is taken instead whenever it could
matter: with a session of the caller, with a proxy, when anybody has patched
``ClientSession._request`` (aioresponses, vcr, tracing), and when the names are not as expected,
which is tested once, on the first connection. A future aiohttp makes this slower, never wrong.

A connection on which anything arrived while it was idle is not used: those bytes would be taken
for the answer to the next request, and every answer after it would be the neighbour's.
"""

import inspect
from typing import Any
from weakref import WeakSet

import aiohttp
from aiohttp.http_exceptions import HttpProcessingError
from yarl import URL

from fcasync._rules.request import Answer, Request
from fcasync._wire import body
from fcasync._wire.documented import NO_TIMEOUT
from fcasync._wire.failures import (
    BROKEN,
    LostConnectionError,
    NotHttpError,
    StaleConnectionError,
)

RECEIVE = 64 * 1024
"""Most bytes received at once. asyncio's 256 KiB are mapped and unmapped for every answer."""

_REQUEST = aiohttp.ClientSession._request
_IS_OURS = _REQUEST.__code__.co_filename == inspect.getsourcefile(aiohttp.client)


class UnsupportedError(Exception):
    """This aiohttp does not have what the lean exchange uses."""


def is_possible() -> bool:
    """Return whether ``ClientSession._request`` is aiohttp's own: not patched by anybody."""
    return _IS_OURS and aiohttp.ClientSession._request is _REQUEST


class Origin(aiohttp.ClientRequest):
    """The request that connections to one origin are asked for with; it is never sent."""

    key: Any = None
    target: str = ""

    @property
    def connection_key(self) -> Any:
        """What the pool finds connections by, made once."""
        if self.key is None:
            self.key = super().connection_key
        return self.key


class LeanExchange:
    """Sends requests over the connections of one session.

    Args:
        session: Whose connector is used.
        ssl: Checks of the server's certificate.
        most: Largest answer in bytes, after decompression.
    """

    def __init__(self, session: aiohttp.ClientSession, *, ssl: Any, most: int) -> None:
        self._session = session
        self._connector: Any = session.connector
        self._ssl = ssl
        self._most = most
        self._origins: dict[str, Origin] = {}
        self._prepared: WeakSet[Any] = WeakSet()  # protocols that have their parser
        self._is_tested = False

    async def send(self, request: Request[Any], flight: Any) -> Answer:
        """Send *request* and return the whole answer.

        Raises:
            UnsupportedError: This aiohttp lacks something; nothing was sent.
        """
        base_url = request.options.base_url
        origin = self._origins.get(base_url) or self._add_origin(base_url)
        connection, is_kept = await self._connect(origin)
        protocol = connection.protocol
        try:
            flight.was_sent = True
            if request.body is None:
                protocol.transport.write(
                    f"GET {origin.target}{request.target}{request.options.get_head!s}".encode()
                )
            else:
                protocol.transport.write(
                    f"POST {origin.target}{request.path}{request.options.post_head!s}"
                    f"{request.idempotency_key}\r\nContent-Length: {len(request.body)}\r\n\r\n"
                    "".encode()
                    + request.body
                )
            message, payload = await protocol.read()
            while 100 <= message.code < 200 and message.code != 101:
                message, payload = await protocol.read()
            encoding = body.known(message.compression)
            if encoding is None and payload.is_eof():
                content = payload.read_nowait()
                if len(content) > self._most:
                    raise body.TooLargeError
            else:
                content = await body.read(payload, encoding, self._most)
        except HttpProcessingError as error:
            connection.close()
            raise NotHttpError(error.message) from None
        except BROKEN as error:
            connection.close()
            raise (StaleConnectionError if is_kept else LostConnectionError) from error
        except BaseException:
            connection.close()
            raise
        connection.release()
        return Answer(message.code, message.headers, content, protocol.close)

    async def _connect(self, origin: Origin) -> tuple[Any, bool]:
        """Return a connection without anything unread, and whether it was idle in the pool."""
        while True:
            connection = await self._connector.connect(origin, [], NO_TIMEOUT)
            protocol = connection.protocol
            if protocol not in self._prepared:
                self._prepare(connection)
                return connection, False
            if not protocol.should_close:
                return connection, True
            connection.close()

    def _prepare(self, connection: Any) -> None:
        protocol = connection.protocol
        try:
            if not self._is_tested:
                _test(protocol)
                self._is_tested = True
            protocol.set_response_params(read_until_eof=True, auto_decompress=False)
        except BaseException:
            connection.close()
            raise
        self._prepared.add(protocol)
        if hasattr(protocol.transport, "max_size"):
            protocol.transport.max_size = RECEIVE

    def _add_origin(self, base_url: str) -> Origin:
        url = URL(base_url, encoded=True)
        origin = Origin(
            "GET", url, loop=self._connector._loop, session=self._session, ssl=self._ssl
        )
        origin.target = url.raw_path.rstrip("/")
        self._origins[base_url] = origin
        return origin


def _test(protocol: Any) -> None:
    """Look once whether *protocol* has the names and parameters that are used here.

    Raises:
        UnsupportedError: It does not.
    """
    parameters = inspect.signature(protocol.set_response_params).parameters
    wanted = {"read_until_eof", "auto_decompress"}
    names = ("read", "should_close", "transport", "close")
    if not wanted <= parameters.keys() or not all(hasattr(protocol, name) for name in names):
        raise UnsupportedError
