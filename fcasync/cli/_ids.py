"""Account ids, or whole accounts, from a file or from standard input."""

import re
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Final

import orjson

from fcasync.cli._common import USAGE, Failure
from fcasync.cli._csv import cells, id_column, is_open
from fcasync.cli._keys import refuse_keys
from fcasync.cli._lines import read_lines
from fcasync.errors import ProtocolError
from fcasync.models import Account
from fcasync.models._convert import decoder

_account = decoder(Account)
_ID: Final = re.compile(r"[A-Za-z0-9_-]{1,255}", re.ASCII)
_EXPECTED: Final = "fca_... on each line, JSON lines, or a CSV with a column id or account_id"


async def read_ids(name: str) -> AsyncIterator[str | Account]:
    """Yield what is in file *name* (``-`` is standard input), one a line.

    Blank lines are skipped, and comments, which begin with ``#``; in a CSV only those before its
    header, because a cell may begin with one.

    A line that begins with ``{`` is JSON: an account as ``accounts list --output jsonl`` prints it,
    or anything with an id in ``id`` or ``account_id``. If the first line is the header of a CSV
    with one of these columns, the rest is CSV. A first line that holds none of these ends the job;
    a later one is an account that fails. What looks like a key ends it anywhere.

    Raises:
        Failure: The file cannot be read, or a line holds no id.
    """
    number, is_first, column, row = 0, True, None, list[str]()
    async with aclosing(read_lines(name)) as lines:
        async for line in lines:
            number += 1
            where = f"{'stdin' if name == '-' else name}:{number}"
            if column is None:
                text = line.strip()
                if not text or text.startswith("#"):
                    continue
                if is_first and (column := id_column(line)) is not None:
                    continue
                yield _checked(_parse(text, where), where, is_first=is_first)
                is_first = False
                continue
            # A line break inside of quotes: the row began in an earlier line, or goes on.
            if is_open(line) == (not row):
                row.append(line)
                continue
            whole = "\n".join([*row, line])
            row.clear()
            if whole.strip():
                yield _checked(_cell(whole, column, where), where)
    if row:
        began = f"{'stdin' if name == '-' else name}:{number - len(row) + 1}"
        raise Failure(f"{began}: the quoted cell that begins in this line has no end", USAGE)


def _cell(row: str, column: int, where: str) -> str:
    found = cells(row)
    if len(found) <= column or not found[column].strip():
        raise Failure(f"{where}: there is no id in column {column + 1} of this line", USAGE)
    return found[column].strip()


def _checked(found: str | Account, where: str, *, is_first: bool = False) -> str | Account:
    name = found if isinstance(found, str) else found.id
    refuse_keys([name], where)
    if is_first and not _ID.fullmatch(name):
        raise Failure(f"{where}: not an id; expected {_EXPECTED}", USAGE)
    return found


def _parse(text: str, where: str) -> str | Account:
    if text.startswith("["):
        raise Failure(
            f"{where}: a JSON list; print one object a line instead: --output jsonl", USAGE
        )
    if not text.startswith("{"):
        return text
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise Failure(f"{where}: not JSON: {error}", USAGE) from error
    if row.get("object") == "financial_connections.account":
        try:
            return _account(row)
        except ProtocolError as error:
            raise Failure(f"{where}: {error}", USAGE) from error
    found = row.get("account_id") or row.get("id")
    if not isinstance(found, str):
        raise Failure(f"{where}: neither 'id' nor 'account_id' in this line", USAGE)
    return found
