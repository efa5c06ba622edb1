"""Lines of a file or a pipe, each as soon as it is there."""

import asyncio
import io
import os
import sys
import threading
from collections.abc import AsyncGenerator
from contextlib import aclosing, suppress
from pathlib import Path
from typing import BinaryIO

from fcasync.cli._common import USAGE, Failure

CHUNK = 65_536
"""Most bytes read at a time."""


async def read_lines(name: str) -> AsyncGenerator[str, None]:
    """Yield the lines of file *name* (``-`` is standard input), without their ends.

    Bytes that are not UTF-8 are replaced: such a line is an id that is refused, which is one
    outcome and not the end of the job.

    Raises:
        Failure: The file cannot be read.
    """
    rest = b""
    async with aclosing(_chunks(name)) as chunks:
        async for chunk in chunks:
            *lines, rest = (rest + chunk).split(b"\n")
            for line in lines:
                yield _text(line)
    if rest:
        yield _text(rest)


def _text(line: bytes) -> str:
    return line.decode(errors="replace").removeprefix("\N{ZERO WIDTH NO-BREAK SPACE}")


async def _chunks(name: str) -> AsyncGenerator[bytes, None]:
    try:
        with _open(name) as file:
            # A thread of our own, and not one that the end of the program waits for: a quiet pipe
            # may keep it for ever. One chunk at a time, so that nothing is read ahead.
            loop = asyncio.get_running_loop()
            chunks: asyncio.Queue[bytes | OSError] = asyncio.Queue()
            wanted = threading.Semaphore(0)
            arguments = (file.fileno(), wanted, loop, chunks)
            threading.Thread(
                target=_read, args=arguments, name="fcasync.cli.lines", daemon=True
            ).start()
            while True:
                wanted.release()
                chunk = await chunks.get()
                if isinstance(chunk, OSError):
                    raise chunk
                if not chunk:
                    return
                yield chunk
    except io.UnsupportedOperation:
        yield sys.stdin.read().encode()  # a test's standard input is not a file
    except OSError as error:
        raise Failure(f"cannot read {name}: {error.strerror}", USAGE) from error


def _open(name: str) -> BinaryIO:
    if name != "-":
        return Path(name).open("rb", buffering=0)
    return open(sys.stdin.fileno(), "rb", buffering=0, closefd=False)


def _read(
    file: int,
    wanted: threading.Semaphore,
    loop: asyncio.AbstractEventLoop,
    chunks: "asyncio.Queue[bytes | OSError]",
) -> None:
    found: bytes | OSError = b"?"
    # The loop may be closed by the time that a line comes.
    with suppress(RuntimeError):
        while found and not isinstance(found, OSError):
            wanted.acquire()
            try:
                found = os.read(file, CHUNK)
            except OSError as error:
                found = error
            loop.call_soon_threadsafe(chunks.put_nowait, found)
