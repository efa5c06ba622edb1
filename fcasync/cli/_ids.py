"""Account ids, or whole accounts, from a file or from standard input."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import orjson

from fcasync.cli._common import Failure
from fcasync.cli._lines import read_lines
from fcasync.errors import ProtocolError
from fcasync.models import Account
from fcasync.models._convert import decoder

_account = decoder(Account)


async def read_ids(name: str) -> AsyncIterator[str | Account]:
    """Yield what is in file *name* (``-`` is standard input), one a line; blank lines are skipped.

    A line that begins with ``{`` is JSON: an account as ``accounts list --output jsonl`` prints it,
    or anything with an id in ``id`` or ``account_id``.

    Raises:
        Failure: The file cannot be read, or a line holds no id.
    """
    number = 0
    async with aclosing(read_lines(name)) as lines:
        async for line in lines:
            number += 1
            if text := line.strip():
                yield _parse(text, f"{'stdin' if name == '-' else name}:{number}")


def _parse(text: str, where: str) -> str | Account:
    if not text.startswith("{"):
        return text
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"{where}: not JSON: {error}") from error
    if row.get("object") == "financial_connections.account":
        try:
            return _account(row)
        except ProtocolError as error:
            raise Failure(f"{where}: {error}") from error
    found = row.get("account_id") or row.get("id")
    if not isinstance(found, str):
        raise Failure(f"{where}: neither 'id' nor 'account_id' in this line")
    return found
