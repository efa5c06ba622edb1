"""Connected accounts from a file or from standard input."""

from contextlib import aclosing
from typing import Any

import orjson

from fcasync.bulk import Tenants
from fcasync.cli._common import USAGE, Failure
from fcasync.cli._keys import refuse_keys
from fcasync.cli._lines import read_lines
from fcasync.errors import InvalidArgumentError


async def read_tenants(name: str) -> Tenants:
    """Return the tenants in file *name* (``-`` is standard input), one a line.

    A line is ``acct_...``, which stands for all its accounts, or a JSON object
    ``{"stripe_account": "acct_...", "accounts": ["fca_...", ...]}``; blank lines are skipped, and
    comments, which begin with ``#``. The whole file is read before anything is sent.

    Raises:
        Failure: The file cannot be read, or a line names no tenant, or one that was named before.
    """
    number, found = 0, list[Any]()
    async with aclosing(read_lines(name)) as lines:
        async for line in lines:
            number += 1
            if (text := line.strip()) and not text.startswith("#"):
                found.append(_parse(text, f"{'stdin' if name == '-' else name}:{number}"))
    try:
        return Tenants(found)
    except InvalidArgumentError as error:
        raise Failure(f"{name}: {error}", USAGE) from error


def _parse(text: str, where: str) -> Any:
    try:
        tenant = _tenant(text, where)
        Tenants([tenant])
    except (InvalidArgumentError, ValueError) as error:
        raise Failure(f"{where}: {error}", USAGE) from error
    return tenant


def _tenant(text: str, where: str) -> Any:
    if not text.startswith("{"):
        refuse_keys([text], where)
        return text
    try:
        row = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error}") from error
    tenant, accounts = row.get("stripe_account"), row.get("accounts")
    refuse_keys([tenant], where)
    if accounts is None:
        return tenant
    if not isinstance(accounts, list) or not all(isinstance(each, str) for each in accounts):
        raise ValueError('"accounts" must be a list of account ids')
    refuse_keys(accounts, where)
    return tenant, accounts
