"""What a transport must do, and a check of it that finds those that do not."""

import asyncio
import zlib
from typing import Any

import httpx
import pytest
from multidict import CIMultiDict

import fcasync
from fcasync import APIConnectionError, APITimeoutError, ProtocolError
from fcasync._wire.transport import AiohttpTransport
from fcasync.sandbox import Sandbox
from fcasync.testing import InstantTransport, check_transport, make_account
from fcasync.testing import _conformance as rules
from tests import _calls as calls

MOST = 300_000


class HttpxTransport:
    """A transport of httpx, in as few lines as the rules allow.

    Args:
        max_response_bytes: The size of the largest accepted body, after decompression.
    """

    def __init__(self, max_response_bytes: int = MOST) -> None:
        self._most = max_response_bytes
        self._clients: dict[asyncio.AbstractEventLoop, httpx.AsyncClient] = {}

    async def send(self, request: fcasync.Request[Any], timeout: float) -> fcasync.Answer:
        failure: fcasync.FCError
        try:
            async with asyncio.timeout(timeout):
                return await self._exchange(request)
        except TimeoutError:
            failure = APITimeoutError(
                f"no whole answer within {timeout:g} s", may_have_executed=request.has_effect
            )
        except (httpx.ConnectError, httpx.UnsupportedProtocol) as error:
            failure = APIConnectionError(f"cannot connect: {type(error).__name__}")
        except httpx.HTTPError as error:
            failure = APIConnectionError(
                f"the connection broke: {type(error).__name__}",
                may_have_executed=request.has_effect,
            )
        # Raised out here to have no context: an error of httpx holds the request with its headers.
        raise failure

    async def _exchange(self, request: fcasync.Request[Any]) -> fcasync.Answer:
        prepared = httpx.Request(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )
        response = await self._client().send(prepared, stream=True, follow_redirects=False)
        try:
            body = await self._read(request, response)
        finally:
            await response.aclose()
        return fcasync.Answer(response.status_code, CIMultiDict(response.headers), body)

    async def _read(self, request: fcasync.Request[Any], response: httpx.Response) -> bytes:
        # httpx takes a gzip stream without its end for a whole one.
        wbits = {"gzip": 31, "deflate": 15}.get(response.headers.get("Content-Encoding", ""))
        stream = None if wbits is None else zlib.decompressobj(wbits)
        body = b""
        async for piece in response.aiter_raw():
            left = self._most + 1 - len(body)
            body += piece if stream is None else stream.decompress(piece, left)
            if len(body) > self._most:
                raise ProtocolError(
                    f"the answer is larger than {self._most} bytes",
                    may_have_executed=request.has_effect,
                )
        if stream is not None and not stream.eof:
            raise httpx.DecodingError("the compressed body is cut short")
        return body

    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        client = self._clients.get(loop)
        if client is None or client.is_closed:
            client = self._clients[loop] = httpx.AsyncClient(
                trust_env=False, timeout=None, cookies=NoCookies()
            )
            client.headers.clear()
        return client

    async def aclose(self) -> None:
        client = self._clients.pop(asyncio.get_running_loop(), None)
        if client is not None:
            await client.aclose()


class NoCookies(httpx.Cookies):
    """A jar that stays empty."""

    def extract_cookies(self, response: httpx.Response) -> None:
        """Keep nothing."""


@pytest.mark.parametrize("way", ["lean", "documented"])
async def test_fcasyncs_own_transport_keeps_every_rule(way: str) -> None:
    """Both ways of it."""

    def make() -> AiohttpTransport:
        transport = calls.real_transport(max_response_bytes=MOST)
        transport._may_be_lean = way == "lean"
        return transport

    await check_transport(make, max_response_bytes=MOST)


async def test_a_transport_of_httpx_can_keep_them() -> None:
    """The contract is not one for aiohttp alone."""
    await check_transport(HttpxTransport, max_response_bytes=MOST)


async def test_a_client_over_another_transport_is_a_client() -> None:
    """Typed results, retries and errors are the same, whoever carries the bytes."""
    fault = {"kind": "status", "status": 503, "times": 1}
    async with (
        Sandbox(3, faults=[fault]) as sandbox,
        fcasync.Client(sandbox.api_key, base_url=sandbox.url, transport=HttpxTransport()) as client,
    ):
        response = await client.accounts.with_raw_response.list()
        assert (len(response.value), response.attempts) == (3, 2)
        account = await client.accounts.refresh(response.value.data[0], features=["balance"])
        assert account.id == response.value.data[0].id
        with pytest.raises(fcasync.NotFoundError):
            await client.accounts.retrieve("fca_missing")


class Following(HttpxTransport):
    async def _exchange(self, request: fcasync.Request[Any]) -> fcasync.Answer:
        response = await self._client().request(
            request.method,
            request.url,
            headers=dict(request.headers),
            content=request.body,
            follow_redirects=True,
        )
        return fcasync.Answer(response.status_code, CIMultiDict(response.headers), response.content)


class Trusting(HttpxTransport):
    def _client(self) -> httpx.AsyncClient:
        loop = asyncio.get_running_loop()
        if loop not in self._clients:
            self._clients[loop] = httpx.AsyncClient(timeout=None)
        return self._clients[loop]


class Ordinary(Trusting):
    """Sends requests as everybody does."""

    async def _exchange(self, request: fcasync.Request[Any]) -> fcasync.Answer:
        response = await self._client().request(
            request.method, request.url, headers=dict(request.headers), content=request.body
        )
        return fcasync.Answer(response.status_code, response.headers, response.content)


class Repeating(HttpxTransport):
    async def send(self, request: fcasync.Request[Any], timeout: float) -> fcasync.Answer:
        try:
            return await super().send(request, timeout)
        except APIConnectionError:
            return await super().send(request, timeout)


class Forgetful(HttpxTransport):
    async def send(self, request: fcasync.Request[Any], timeout: float) -> fcasync.Answer:
        try:
            return await super().send(request, timeout)
        except fcasync.FCError as error:
            if isinstance(error, APIConnectionError | ProtocolError):
                error.may_have_executed = False
            raise


class Talkative(HttpxTransport):
    async def send(self, request: fcasync.Request[Any], timeout: float) -> fcasync.Answer:
        try:
            return await super().send(request, timeout)
        except APIConnectionError as error:
            headers = {name: str.__str__(value) for name, value in request.headers.items()}
            cause = RuntimeError(f"with {headers['Authorization']}")
            raise error from cause


class Swallowing(HttpxTransport):
    async def send(self, request: fcasync.Request[Any], timeout: float) -> fcasync.Answer:
        try:
            return await super().send(request, timeout)
        except asyncio.CancelledError:
            raise APIConnectionError("cancelled") from None


class Leaving(HttpxTransport):
    """Lets a task look after each request, and leaves it alone."""

    async def send(self, request: fcasync.Request[Any], timeout: float) -> fcasync.Answer:
        self.last = asyncio.create_task(asyncio.sleep(1000))
        return await super().send(request, timeout)


@pytest.mark.parametrize(
    ("broken", "rule", "fault"),
    [
        (Following, rules._returns_any_status, "raised APIConnectionError"),
        (Following, rules._bounds_the_body, "returned status 200"),
        (Trusting, rules._asks_no_environment, "went to a proxy of the environment"),
        (Ordinary, rules._keeps_no_cookies, "a cookie was kept"),
        (Ordinary, rules._notices_what_is_cut_short, "returned status 200"),
        (Repeating, rules._sends_once, "2 requests came 4 times"),
        (Forgetful, rules._sends_once, "may_have_executed of a POST is False"),
        (Talkative, rules._sends_once, "the error shows a secret header"),
        (Swallowing, rules._keeps_answers_apart, "CancelledError is not passed on"),
        (Leaving, rules._sends_what_is_there, "it leaves tasks behind"),
    ],
)
async def test_the_check_finds_what_is_broken(
    broken: type[HttpxTransport], rule: rules.Rule, fault: str
) -> None:
    """Each rule is one that somebody would break without noticing."""
    made: list[HttpxTransport] = []

    def make() -> HttpxTransport:
        made.append(broken())
        return made[-1]

    found = await rules._fault(rule, make, MOST)
    for transport in made:
        if (task := getattr(transport, "last", None)) is not None:
            task.cancel()
    assert found is not None
    assert fault in found


async def test_all_broken_rules_are_named() -> None:
    """Each with its sentence, so that the message is a list of what to do."""
    broken = [rules._keeps_no_cookies, rules._bounds_the_body]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(rules, "RULES", (*broken, rules._sends_once))
        with pytest.raises(AssertionError) as caught:
            await check_transport(Ordinary, max_response_bytes=MOST)
    _, *lines = str(caught.value).splitlines()
    assert lines[0] == "A cookie is not sent back: a cookie was kept"
    assert lines[1].startswith("A body that is too large after decompression is a ProtocolError")


async def test_a_transport_without_a_network_is_refused() -> None:
    """One for tests answers whatever it was asked: it is not a transport for anything else."""
    with pytest.raises(AssertionError, match="the transport breaks these rules"):
        await check_transport(lambda: InstantTransport(lambda _: make_account(id="fca_1")))
