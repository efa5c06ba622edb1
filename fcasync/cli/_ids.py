"""Account ids from a file or from standard input: plain, or as JSON lines."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import TextIO

import orjson

from fcasync.cli._common import Failure

CHUNK = 1000
"""The number of lines that a thread reads at once: a slow pipe must not block the loop."""


async def read_ids(name: str) -> AsyncIterator[str]:
    """Yield the ids in file *name*, one per line; ``-`` is standard input, blank lines are skipped.

    A line that begins with ``{`` is JSON with the id in ``id`` or ``account_id``.

    Raises:
        Failure: The file cannot be read, or a line holds no id.
    """
    with ExitStack() as stack:
        file = sys.stdin if name == "-" else stack.enter_context(_open(name))
        number = 0
        while lines := await asyncio.to_thread(_read, file):
            for line in lines:
                number += 1
                if text := line.strip():
                    yield _id(text, f"{'stdin' if name == '-' else name}:{number}")


def _open(name: str) -> TextIO:
    try:
        # A line that is not UTF-8 becomes an id that is refused: the job goes on.
        return Path(name).open(encoding="utf-8-sig", errors="replace")
    except OSError as error:
        raise Failure(f"cannot read {name}: {error.strerror}") from error


def _read(file: TextIO) -> list[str]:
    return list(islice(file, CHUNK))


def _id(text: str, where: str) -> str:
    if not text.startswith("{"):
        return text
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"{where}: not JSON: {error}") from error
    account_id = row.get("account_id") or row.get("id")
    if not isinstance(account_id, str):
        raise Failure(f"{where}: neither 'id' nor 'account_id' in this line")
    return account_id
