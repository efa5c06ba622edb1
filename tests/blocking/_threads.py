"""Servers on threads of their own, and a look at what is left on a client's loop."""

import _thread
import asyncio
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from fcasync import blocking
from fcasync.sandbox._server.thread import LoopThread
from tests._server import Behaviour, Server, serving


@contextmanager
def serving_elsewhere(*script: bytes | Behaviour) -> Iterator[Server]:
    """Serve *script* on a thread; see :func:`tests._server.serving`."""
    home = LoopThread()
    manager = serving(*script)
    server = home.run(manager.__aenter__())
    try:
        yield server
    finally:
        home.run(manager.__aexit__(None, None, None))
        home.close()


def interrupting_unnoticed() -> Behaviour:
    """Return a step that has Ctrl-C come in the instant before the main thread falls asleep.

    Python learns of it, and the thread is not woken.
    """

    async def interrupt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        _thread.interrupt_main()
        await reader.read()

    return interrupt


def interrupting(number: int = signal.SIGINT) -> Behaviour:
    """Return a step that sends the main thread a signal, and then nothing until it disconnects."""
    main = threading.main_thread().ident
    assert main is not None

    async def interrupt(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        signal.pthread_kill(main, number)
        await reader.read()

    return interrupt


def tasks(client: blocking.Client) -> list[str]:
    """Return the names of the tasks on the client's loop, besides the one that looks."""

    async def look() -> list[str]:
        others = asyncio.all_tasks() - {asyncio.current_task()}
        return [task.get_name() for task in others]

    return client._loops.run(look)


def later(work: Callable[[], Any]) -> Callable[[], Any]:
    """Run *work* in a thread; return what waits for it and returns its result or error."""
    results: list[Any] = []

    def run() -> None:
        try:
            results.append(work())
        except BaseException as error:
            results.append(error)

    thread = threading.Thread(target=run)
    thread.start()

    def result() -> Any:
        thread.join(20)
        assert not thread.is_alive(), "it hangs"
        return results[0]

    return result
