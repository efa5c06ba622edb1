"""The API key stays in the environment of the workers."""

import asyncio
import gc
import logging
import os
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("distributed", reason="needs pip install 'fcasync[cluster]'")

from fcasync.cluster import _lane, _wire
from fcasync.cluster._dask import Hub
from fcasync.cluster._settings import Place
from tests.cluster._job import make, tenants
from tests.cluster._stripe import KEY, serving

SECRET = KEY[8:]


def _names_and_words() -> str:
    """Return the names of all tasks of this process, and the words that started it."""
    names = [task.get_name() for task in gc.get_objects() if isinstance(task, asyncio.Task)]
    return f"{names} {Path('/proc/self/cmdline').read_bytes()!r}"


def _events(dask_scheduler: Any) -> str:
    found = [repr(dask_scheduler._broker._topics) if hasattr(dask_scheduler, "_broker") else ""]
    return repr([*found, dask_scheduler.tasks, dask_scheduler.get_logs(start=0, n=None)])


async def test_the_key_is_in_no_payload_log_name_or_argument(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """Also when exchanges fail: what they return and what Dask logs about them holds no key."""
    caplog.set_level(logging.DEBUG)
    payloads = list[bytes]()
    call = Hub.call

    async def recorded(self: Hub, *args: Any) -> bytes:
        payloads.append(args[2])
        payloads.append(await call(self, *args))
        return payloads[-1]

    monkeypatch.setattr(Hub, "call", recorded)
    with serving(tmp_path, tenants=2, each=20) as stripe:
        run = make(stripe.url, tmp_path / "j", tenants(2, 20), workers=1)
        async with run:
            client: Any = run._hub._client
            await anext(aiter(run))
            names = repr(await client.run(_names_and_words))
            await run.finish()
            (address,) = await run._hub.members()
            bad = _wire.Hello(operation="refresh", client={"timeout": "soon", "base_url": KEY})
            for data in (b"not a message", _wire.encode(bad), b'{"is": "Exchange"}'):
                await call(run._hub, address, _lane.exchange, data, 10.0)
            seen = [
                repr(await client.get_worker_logs(n=None)),
                repr(await client.get_worker_logs(n=None, nanny=True)),
                repr(await client.get_scheduler_logs(n=None)),
                names,
                repr(await client.run_on_scheduler(_events)),
                repr(await client.scheduler.identity(n_workers=-1)),
                repr(run),
                caplog.text,
                *map(repr, payloads),
            ]
            assert (await client.run(os.getenv, "STRIPE_API_KEY"))[address] == KEY
    assert len(payloads) > 6
    assert "fcasync.cluster.lane" in names
    assert [text[:200] for text in seen if SECRET in text] == []
    assert SECRET.encode() not in (tmp_path / "j").read_bytes()


async def test_what_goes_wrong_in_an_exchange_is_returned() -> None:
    """A function that raises would have its arguments logged by Dask."""
    for data in (b"", b"{}", b"\xff", b'{"is": "Gone"}'):
        assert isinstance(_wire.decode(await _lane.exchange(data)), _wire.Failed)
    gone = _wire.Exchange(lane="other", job="none", number=1)
    assert _wire.decode(await _lane.exchange(_wire.encode(gone))) == _wire.Gone()


def test_a_place_hides_its_key() -> None:
    """It is what messages and tracebacks may show."""
    from fcasync._facts.redact import Secret

    place = Place(api_key=Secret(KEY))
    assert SECRET not in repr(place)
