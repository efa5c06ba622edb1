"""What faults look like on a real socket."""

import asyncio
import gzip

import aiohttp
import pytest

from fcasync.sandbox import Sandbox
from fcasync.testing import FakeClock
from tests.sandbox.conftest import Http, raw
from tests.sandbox.worlds import ACCOUNTS

FORM = {"features[]": "balance"}


class BriefClock(FakeClock):
    """A clock whose sleeps take a millisecond each."""

    async def sleep(self, seconds: float) -> None:
        await super().sleep(seconds)
        await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "truncate"])
async def test_a_cut_connection_is_an_error_for_the_client(http: Http, kind: str) -> None:
    """The client sees no whole answer; whether there was an effect is in the ledger."""
    account = await http.account()
    http.sandbox.add_faults({"kind": kind, "times": 1})
    with pytest.raises(aiohttp.ClientError):
        await http.send("POST", f"{account}/refresh", data=FORM)

    row = http.sandbox.ledger[-1]
    assert (row["fault"], row["executed"]) == (kind, kind != "reset_before")


async def test_a_reset_is_a_reset(http: Http) -> None:
    """The cut is a RST, the way a dying proxy does it, and not an orderly end."""
    http.sandbox.add_faults({"kind": "reset_after"})
    key = http.sandbox.api_key.encode()
    head = b"GET " + ACCOUNTS.encode() + b" HTTP/1.1\r\nHost: localhost\r\n"
    with pytest.raises(ConnectionResetError):
        await raw(http.sandbox, head + b"Authorization: Bearer " + key + b"\r\n\r\n")


async def test_false_answers_arrive_as_scripted(http: Http) -> None:
    """Garbage is not JSON, a redirect leads elsewhere, a bomb grows a thousandfold."""
    http.sandbox.add_faults(*({"kind": kind, "times": 1} for kind in ("garbage", "redirect")))
    async with http.session.get(ACCOUNTS) as answer:
        assert answer.content_type == "text/html"
    async with http.session.get(ACCOUNTS, allow_redirects=False) as answer:
        assert answer.status == 307
        assert answer.headers["Location"].startswith(http.sandbox.url)
    http.sandbox.add_faults({"kind": "gzip_bomb", "times": 1})
    headers = {"Authorization": f"Bearer {http.sandbox.api_key}"}
    async with (
        aiohttp.ClientSession(http.sandbox.url, auto_decompress=False, headers=headers) as session,
        session.get(ACCOUNTS) as answer,
    ):
        packed = await answer.read()
    assert len(gzip.decompress(packed)) > 500 * len(packed)


async def test_delay_and_drip_hold_the_answer_back(http: Http) -> None:
    """Both take their time; a drip then is whole, byte by byte."""
    http.sandbox.add_faults(
        {"kind": "delay", "seconds": 0.02, "times": 1},
        {"kind": "drip", "seconds": 0.02, "times": 1},
    )
    _, plain, _ = await http.send("GET", ACCOUNTS, params={"limit": "1"})

    assert (await http.send("GET", ACCOUNTS, params={"limit": "1"}))[1] == plain


async def test_a_drip_ends_when_its_client_leaves() -> None:
    """No task goes on sending for an hour to nobody."""
    clock = BriefClock()
    async with Sandbox(varied=False, clock=clock) as sandbox:
        sandbox.add_faults({"kind": "drip", "seconds": 3600})
        headers = {"Authorization": f"Bearer {sandbox.api_key}"}
        async with aiohttp.ClientSession(sandbox.url, headers=headers) as session:
            answer = await session.get(ACCOUNTS, params={"limit": "100"})
            answer.close()
        await asyncio.sleep(0.1)
        sleeps = len(clock.sleeps)
        await asyncio.sleep(0.1)

        assert len(clock.sleeps) == sleeps


async def test_a_delay_without_effect_ends_in_a_cut(http: Http) -> None:
    """The request that timed out never ran."""
    account = await http.account()
    http.sandbox.add_faults({"kind": "delay", "seconds": 0.01, "executed": False, "times": 1})
    with pytest.raises(aiohttp.ClientError):
        await http.send("POST", f"{account}/refresh", data=FORM)

    assert http.sandbox.executions("refresh") == {}
