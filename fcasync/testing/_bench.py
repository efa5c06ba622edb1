"""Where a transport is put to the test: a server, requests, and what must come of them."""

import asyncio
import traceback
from collections.abc import Awaitable, Callable
from typing import Any, Final

from fcasync._facts.redact import Hidden
from fcasync._rules import checks
from fcasync._rules.request import Answer, Operation, Options, Request, build
from fcasync._rules.retry_policy import RetryPolicy
from fcasync._wire.protocol import Transport
from fcasync.errors import APIConnectionError, FCError
from fcasync.testing._raw_server import Peer, RawServer, Received, http

TIMEOUT: Final = 30.0
"""Seconds that a rule may take; none of them needs a second."""
SHORT: Final = 0.5
"""A timeout in seconds that is meant to pass; long enough to connect on a busy machine."""

_KEY: Final = "sk_test_keyOfTheConformanceTest"
_TOKEN: Final = "tokenOfTheConformanceTest"  # noqa: S105 - nobody's
_ROUTE: Final = "/v1/things/{thing}"


def _as_it_is(parsed: object) -> object:
    return parsed


_GET: Final[Operation[Any]] = Operation(
    name="retrieve", method="GET", route=_ROUTE, decode=_as_it_is
)
_POST: Final[Operation[Any]] = Operation(
    name="refresh", method="POST", route=f"{_ROUTE}/refresh", decode=_as_it_is
)


class Bench:
    """One transport, and the server that it talks to.

    Args:
        make: Makes the transport.
        server: Answers; a rule chooses how.
        most: The largest body that the transport takes; None if it has no bound that is known.
    """

    def __init__(self, make: Callable[[], Transport], server: RawServer, most: int | None) -> None:
        self.make = make
        self.server = server
        self.most = most
        self.transport = make()

    def answer(self, *answers: bytes) -> None:
        """Let the server send these, one for each request, and the last one for all that follow."""
        rest = list(answers)

        async def respond(received: Received, peer: Peer) -> None:
            await peer.write(rest.pop(0) if len(rest) > 1 else rest[0])

        self.server.respond = respond

    def break_off(self, data: bytes = b"") -> None:
        """Let the server send *data* and end the connection."""

        async def respond(received: Received, peer: Peer) -> None:
            await peer.write(data)
            await peer.close()

        self.server.respond = respond

    def stall(self, data: bytes = b"") -> None:
        """Let the server send *data* and nothing more."""

        async def respond(received: Received, peer: Peer) -> None:
            await peer.write(data)
            await peer.gone()

        self.server.respond = respond

    def get(self, thing: str = "fca_1", *, base_url: str | None = None) -> Request[Any]:
        """Return a GET with a query."""
        options = self._options(base_url)
        return build(_GET, options, object_id=thing, params={"expand": ["a", "b"], "name": "é +&"})

    def post(self, thing: str = "fca_1", *, base_url: str | None = None) -> Request[Any]:
        """Return a POST with a body."""
        options = self._options(base_url)
        params = {"features": ["balance"], "name": "é +&"}
        return build(_POST, options, object_id=thing, params=params, idempotency_key="key_1")

    def _options(self, base_url: str | None) -> Options:
        return Options(
            api_key=checks.api_key(_KEY),
            base_url=base_url or self.server.url,
            timeout=TIMEOUT,
            deadline=TIMEOUT,
            retry=RetryPolicy(),
            stripe_account="acct_1",
            extra_headers={"X-Gateway-Token": Hidden(_TOKEN)},
        )

    async def send(self, request: Request[Any], timeout: float = TIMEOUT) -> Answer:
        """Send *request*."""
        return await self.transport.send(request, timeout)

    async def fails(
        self,
        request: Request[Any],
        *kinds: type[FCError],
        timeout: float = TIMEOUT,
        was_sent: bool = True,
    ) -> None:
        """Send *request*, which must fail with one of *kinds* and say whether it was sent."""
        names = " or ".join(kind.__name__ for kind in kinds)
        try:
            answer = await self.send(request, timeout)
        except kinds as error:
            failure: FCError = error
        except Exception as error:
            raise AssertionError(f"raised {type(error).__name__} instead of {names}") from error
        else:
            raise AssertionError(f"returned status {answer.status} instead of raising {names}")
        wanted = request.has_effect and was_sent
        says = getattr(failure, "may_have_executed", None)
        expect(says == wanted, f"may_have_executed of a {request.method} is {says}")
        if isinstance(failure, APIConnectionError):
            expect(failure.retryable, "the failure is not retryable")
        shown = "".join(traceback.format_exception(failure)) + repr(failure)
        expect(_KEY not in shown and _TOKEN not in shown, "the error shows a secret header")


def expect(is_so: bool, fault: str) -> None:
    """Raise AssertionError with *fault* unless it *is_so*."""
    if not is_so:
        raise AssertionError(fault)


async def ends(step: Awaitable[object], fault: str) -> None:
    """Wait for *step*, and raise AssertionError with *fault* if that takes too long."""
    try:
        async with asyncio.timeout(TIMEOUT):
            await step
    except TimeoutError:
        raise AssertionError(fault) from None


__all__ = ["SHORT", "TIMEOUT", "Bench", "ends", "expect", "http"]
