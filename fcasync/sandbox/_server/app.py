"""Routes: which part of the sandbox answers an HTTP request."""

from typing import Any

import orjson
from aiohttp import web

from fcasync._facts.clock import Clock
from fcasync.sandbox._api import error_bodies
from fcasync.sandbox._api.messages import Request
from fcasync.sandbox._api.realm import Realm
from fcasync.sandbox._server import control, inputs, openapi
from fcasync.sandbox._server.desk import Desk, Publish
from fcasync.sandbox._server.pages import HEADERS, page
from fcasync.sandbox._server.replies import JSON, send

LARGEST_BODY = 1 << 20
_LOCAL = {"127.0.0.1", "localhost"}


class App:
    """The API under ``/v1``, the control plane under ``/_sandbox``, and the pages."""

    def __init__(self, realm: Realm, clock: Clock, publish: Publish, desk: Desk) -> None:
        """Make the routes.

        Args:
            realm: Answers API requests.
            clock: Gives the time and the pauses of scripted faults.
            publish: Called with the world in which a request has caused events.
            desk: Does what the control plane is asked for.
        """
        self._realm = realm
        self._clock = clock
        self._publish = publish
        self._desk = desk

    async def handle(self, request: web.BaseRequest) -> web.StreamResponse:
        """Answer any request."""
        if not _is_local(request.headers.get("Host", "")):
            return self._refused(403, "This Host is not the sandbox's own.")
        try:
            body = await request.read() if request.can_read_body else b""
        except web.HTTPRequestEntityTooLarge:
            return self._refused(413, f"A body has at most {LARGEST_BODY} bytes.")
        except web.RequestPayloadError:
            return self._refused(400, "The body does not arrive as the headers promise.")
        path = request.raw_path.partition("?")[0]
        if not path.startswith("/v1/"):
            other = self._beside(request, path, body)
            if other is not None:
                return other
        return await self._api(request, path, body)

    async def _api(self, request: web.BaseRequest, path: str, body: bytes) -> web.StreamResponse:
        query = request.raw_path.partition("?")[2].partition("#")[0]
        call = Request(
            request.method,
            error_bodies.plain(path),
            error_bodies.plain(query),
            body,
            request.headers,
        )
        world, reply, effects = self._realm.apply(call, self._clock.time())
        if effects:
            self._publish(world)
        return await send(request, reply, self._clock)

    def _beside(
        self, request: web.BaseRequest, path: str, body: bytes
    ) -> web.StreamResponse | None:
        """Answer what is not the API; None for an unknown path, which the API refuses."""
        if (request.method, path) in control.ACTIONS:
            return self._controlled(request, path, body)
        if request.method != "GET":
            return None
        if path == "/openapi.json":
            return _json(openapi.document())
        file = page(path)
        if file is None:
            return None
        return web.Response(
            status=file.status,
            body=file.body,
            content_type=file.content_type,
            charset="utf-8",
            headers=HEADERS,
        )

    def _controlled(self, request: web.BaseRequest, path: str, body: bytes) -> web.Response:
        data: Any = request.query
        if request.method == "POST":
            # A web page of another origin cannot send this type unasked (CORS), so that a browser
            # tab elsewhere cannot reset the sandbox.
            if request.content_type != JSON:
                return self._refused(415, "Send application/json.")
            try:
                data = inputs.read_json(body)
            except ValueError as error:
                return self._refused(400, str(error))
        status, answer = control.answer(self._desk, request.method, path, request.headers, data)
        return _json(answer, status)

    def _refused(self, status: int, message: str) -> web.Response:
        body, headers = self.error_body(status, message)
        response = web.Response(status=status, body=body, content_type=JSON, headers=headers)
        response.force_close()
        return response

    def error_body(self, status: int, message: str) -> tuple[bytes, dict[str, str]]:
        """Return body and headers for a request that never gets as far as a world."""
        kind = "api_error" if status >= 500 else "invalid_request_error"
        error = error_bodies.ApiError(status, message, type=kind)
        reply = self._realm.world().refuse(Request("", ""), error, self._clock.time())
        return reply.body, dict(reply.headers)


def _json(body: Any, status: int = 200) -> web.Response:
    return web.Response(
        status=status,
        body=orjson.dumps(body),
        content_type=JSON,
        headers={"Cache-Control": "no-store"},
    )


def _is_local(host: str) -> bool:
    """Return whether a Host header means this machine; a rebound DNS name does not."""
    name, _, port = host.partition(":")
    return name.lower() in _LOCAL and (not port or port.isdigit())
