"""Account ids, or whole accounts, from a file or from standard input."""

from collections.abc import AsyncIterator
from contextlib import aclosing

import orjson

from fcasync.cli._common import Failure
from fcasync.cli._csv import cells, id_column, is_open
from fcasync.cli._lines import read_lines
from fcasync.errors import ProtocolError
from fcasync.models import Account
from fcasync.models._convert import decoder

_account = decoder(Account)


async def read_ids(name: str) -> AsyncIterator[str | Account]:
    """Yield what is in file *name* (``-`` is standard input), one a line; blank lines are skipped.

    A line that begins with ``{`` is JSON: an account as ``accounts list --output jsonl`` prints it,
    or anything with an id in ``id`` or ``account_id``. If the first line is the header of a CSV
    with one of these columns, the rest is CSV.

    Raises:
        Failure: The file cannot be read, or a line holds no id.
    """
    number, column, row = 0, None, list[str]()
    async with aclosing(read_lines(name)) as lines:
        async for line in lines:
            number += 1
            where = f"{'stdin' if name == '-' else name}:{number}"
            if number == 1 and (column := id_column(line)) is not None:
                continue
            if column is None:
                if text := line.strip():
                    yield _parse(text, where)
                continue
            # A line break inside of quotes: the row began in an earlier line, or goes on.
            if is_open(line) == (not row):
                row.append(line)
                continue
            whole = "\n".join([*row, line])
            row.clear()
            if whole.strip():
                yield _cell(whole, column, where)
    if row:
        began = f"{'stdin' if name == '-' else name}:{number - len(row) + 1}"
        raise Failure(f"{began}: the quoted cell that begins in this line has no end")


def _cell(row: str, column: int, where: str) -> str:
    found = cells(row)
    if len(found) <= column or not found[column].strip():
        raise Failure(f"{where}: there is no id in column {column + 1} of this line")
    return found[column].strip()


def _parse(text: str, where: str) -> str | Account:
    if text.startswith("["):
        raise Failure(f"{where}: a JSON list; print one object a line instead: --output jsonl")
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
