"""Routes: which part of the sandbox answers an HTTP request."""

from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from fcasync._clock import Clock
from fcasync.sandbox import _errors
from fcasync.sandbox._control import Control
from fcasync.sandbox._operations import Emit
from fcasync.sandbox._realm import Realm
from fcasync.sandbox._wire import JSON, send
from fcasync.sandbox._world import Request, World

LARGEST_BODY = 1 << 20

Publish = Callable[[World, Sequence[Emit]], None]
Handler = Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]


class App:
    """The API under ``/v1``, the control plane under ``/_sandbox``, and the pages."""

    def __init__(self, realm: Realm, clock: Clock, publish: Publish) -> None:
        """Make the routes.

        Args:
            realm: Answers API requests.
            clock: Gives the time and the pauses of scripted faults.
            publish: Takes the events that a request has caused.
        """
        self._realm = realm
        self._clock = clock
        self._publish = publish
        self._control = Control(realm, clock, publish)

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        if not _is_local(request.headers.get("Host", "")):
            return self._refused(request, 403, "This Host is not the sandbox's own.")
        if (request.content_length or 0) > LARGEST_BODY:
            return self._refused(request, 413, f"A body has at most {LARGEST_BODY} bytes.")
        if request.path.startswith("/v1/") or not self._control.serves(request):
            return await self._api(request)
        return await self._control.handle(request)

    async def _api(self, request: web.BaseRequest) -> web.StreamResponse:
        try:
            body = await request.read() if request.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            return self._refused(request, 413, f"A body has at most {LARGEST_BODY} bytes.")
        asked = Request(
            request.method, _raw_path(request), request.query_string, body, request.headers
        )
        world, reply, effects = self._realm.apply(asked, self._clock.time())
        if effects:
            self._publish(world, effects)
        return await send(request, reply, self._clock)

    def _refused(self, request: web.BaseRequest, status: int, message: str) -> web.Response:
        body, headers = self.error_body(status, message)
        response = web.Response(status=status, body=body, content_type=JSON, headers=headers)
        response.force_close()
        return response

    def error_body(self, status: int, message: str) -> tuple[bytes, dict[str, str]]:
        """Return body and headers for a request that is not fit for the API."""
        asked = Request("", "")
        error = _errors.ApiError(status, message)
        reply = self._realm.world().refuse(asked, error, self._clock.time())
        return reply.body, reply.headers


def _raw_path(request: web.BaseRequest) -> str:
    return request.raw_path.partition("?")[0]


def _is_local(host: str) -> bool:
    """Tell whether a Host header means this machine; a rebound DNS name does not."""
    name = host.rpartition(":")[0] if ":" in host else host
    return name.lower() in {"127.0.0.1", "localhost"}
