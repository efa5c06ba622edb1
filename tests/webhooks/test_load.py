"""Many deliveries with repeats, failures and a restart: each event has one effect."""

import asyncio
from collections import Counter
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import aiohttp
import attrs
import pytest
from aiohttp import web

from fcasync.testing import make_event, make_thin_event, signed_webhook
from fcasync.webhooks import EventRouter, SqliteSeenEvents
from tests.apps import _serving

SECRET = "whsec_test_secret"
EVENTS = 120
COPIES = 3


@attrs.define
class Work:
    """What a service does about events; every seventh fails the first time."""

    path: Path
    effects: Counter[str] = attrs.Factory(Counter)
    failed: set[str] = attrs.Factory(set)
    entered: int = 0

    def router(self) -> EventRouter:
        """Return the router of a process that has just started."""
        events = EventRouter(SqliteSeenEvents(self.path))
        events.on("*")(self.handle)
        return events

    async def handle(self, event: Any) -> None:
        self.entered += 1
        await asyncio.sleep(0)
        if int(event.id.rpartition("_")[2]) % 7 == 0 and event.id not in self.failed:
            self.failed.add(event.id)
            raise RuntimeError("the database was away")
        self.effects[event.id] += 1


@attrs.define
class Stripe:
    """Delivers each event several times at once, and again until one delivery is taken."""

    pending: dict[str, tuple[bytes, dict[str, str]]]
    statuses: Counter[int] = attrs.Factory(Counter)

    async def deliver(self, session: aiohttp.ClientSession, url: str) -> None:
        """Make one round of deliveries."""
        async with asyncio.TaskGroup() as group:
            for event_id in [*self.pending] * COPIES:
                group.create_task(self._post(session, url, event_id))

    async def _post(self, session: aiohttp.ClientSession, url: str, event_id: str) -> None:
        if event_id not in self.pending:
            return
        body, headers = self.pending[event_id]
        try:
            async with session.post(url, data=body, headers=headers) as answer:
                self.statuses[answer.status] += 1
                if answer.status == 200:
                    self.pending.pop(event_id, None)
        except (aiohttp.ClientError, ConnectionError):
            self.statuses[0] += 1


def fastapi_service(work: Work, listener: Any) -> AbstractAsyncContextManager[None]:
    app = pytest.importorskip("fastapi", reason="needs fastapi").FastAPI()
    app.add_route("/webhooks", work.router().asgi(SECRET))
    return _serving.uvicorn_server(app, listener)


def aiohttp_service(work: Work, listener: Any) -> AbstractAsyncContextManager[None]:
    app = web.Application()
    app.router.add_post("/webhooks", work.router().aiohttp_handler(SECRET))
    return _serving.aiohttp_server(app, listener)


@pytest.mark.parametrize("service", [fastapi_service, aiohttp_service])
async def test_each_event_has_one_effect(service: Any, tmp_path: Path) -> None:
    """Under load, with three copies of each, failures, and a restart in the middle."""
    made = [
        make_thin_event(id=f"evt_{n}") if n % 2 else make_event(id=f"evt_{n}")
        for n in range(EVENTS)
    ]
    stripe = Stripe({event.id: signed_webhook(event, SECRET) for event in made})
    work = Work(tmp_path / "seen.sqlite")
    rounds = 0
    while stripe.pending:
        rounds += 1
        assert rounds < 10
        listener = _serving.listening()
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/webhooks"
        async with aiohttp.ClientSession() as session:
            async with service(work, listener):
                delivering = asyncio.create_task(stripe.deliver(session, url))
                while rounds == 1 and work.entered < EVENTS // 4:
                    await asyncio.sleep(0)
                if rounds > 1:
                    await delivering
            await delivering  # the first round goes on while the service is away
    assert work.effects == {event.id: 1 for event in made}
    assert rounds > 1
    assert stripe.statuses[200] >= EVENTS
    assert set(stripe.statuses) <= {0, 200, 409, 500, 503}
