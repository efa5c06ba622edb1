"""Servers for the example services, and a check for leaks after they stop."""

import asyncio
import gc
import os
import socket
import stat
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from aiohttp import web


def listening() -> socket.socket:
    """Return a socket that listens on a free local port."""
    return socket.create_server(("127.0.0.1", 0), backlog=512)


@asynccontextmanager
async def uvicorn_server(app: Any, listener: socket.socket) -> AsyncIterator[None]:
    """Serve an ASGI application until the block ends, then shut down as SIGTERM would."""
    config = uvicorn.Config(app, log_level="warning", lifespan="on", timeout_graceful_shutdown=5)
    server = uvicorn.Server(config)
    running = asyncio.create_task(server.serve(sockets=[listener]))
    try:
        while not server.started and not running.done():
            await asyncio.sleep(0.001)
        yield
    finally:
        server.should_exit = True
        await running


@asynccontextmanager
async def aiohttp_server(
    app: web.Application, listener: socket.socket, *, cancels: bool = True
) -> AsyncIterator[None]:
    """Serve an aiohttp.web application; a disconnect cancels the handler if it *cancels*."""
    runner = web.AppRunner(
        app,
        handler_cancellation=cancels,
        access_log=None,
        shutdown_timeout=5,
        lingering_time=0.2,  # for what a caller still sends after its answer; 10 s by default
    )
    await runner.setup()
    try:
        await web.SockSite(runner, listener).start()
        yield
    finally:
        await runner.cleanup()


@asynccontextmanager
async def nothing_left() -> AsyncIterator[None]:
    """Fail if the block leaves a task, an open socket, or an error reported to the loop."""
    loop = asyncio.get_running_loop()
    complaints: list[dict[str, Any]] = []
    loop.set_exception_handler(lambda _, context: complaints.append(context))
    tasks, sockets = asyncio.all_tasks(), _open_sockets()
    yield
    for _ in range(200):
        # Closing a socket takes the loop a few rounds; a leaked one never closes.
        if _open_sockets() <= sockets and asyncio.all_tasks() <= tasks:
            break
        await asyncio.sleep(0.01)
    else:
        gc.collect()  # what is garbage is closed with a ResourceWarning, which is an error here
    assert asyncio.all_tasks() - tasks == set()
    assert _open_sockets() - sockets == set()
    assert complaints == []


def _open_sockets() -> set[tuple[str, int]]:
    """Return the sockets of this process, by descriptor and inode."""
    found = set()
    for each in Path("/dev/fd").iterdir():
        try:
            status = os.fstat(int(each.name))
        except OSError:
            continue  # that of the listing itself
        if stat.S_ISSOCK(status.st_mode):
            found.add((each.name, status.st_ino))
    return found
