"""Inserts the rows of a mirror into a new SQLite file, and does nothing else: all is prepared.

The table, the pragmas, the statement and the size of a database transaction are the mirror's; the
driver is the standard library's, in the thread that calls it.
"""

import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy.dialects.sqlite.aiosqlite import dialect
from sqlalchemy.schema import CreateTable

from benchmarks import data
from fcasync.mirror import _pages as pages
from fcasync.mirror import _upserts as upserts
from fcasync.mirror._database import _prepare
from fcasync.mirror._store import LARGEST
from fcasync.mirror._tables import transactions


class Peer:
    def __init__(self) -> None:
        self._dialect = dialect()
        read = pages.reader(upserts.Instants(as_text=True).of)
        self._page = read(orjson.loads(data.transactions()))

    async def walk(self, customer: str) -> int:
        accounts = int(customer[4:]) // data.PAGE
        with (
            tempfile.TemporaryDirectory() as folder,
            closing(sqlite3.connect(Path(folder) / "bank.db")) as connection,
        ):
            _prepare(connection, None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute(str(CreateTable(transactions).compile(dialect=self._dialect)))
            for first in range(0, accounts, LARGEST):
                self._insert(connection, range(first, min(first + LARGEST, accounts)))
        return accounts * data.PAGE

    def _insert(self, connection: sqlite3.Connection, accounts: range) -> None:
        connection.execute("BEGIN IMMEDIATE")
        steps = upserts.FIRST_TRANSACTIONS.write_packed(self._dialect, self._rows(accounts))
        try:
            statement, values = next(steps)
            while True:
                found = connection.execute(statement, values).fetchall()
                statement, values = steps.send(found)
        except StopIteration:
            connection.execute("COMMIT")

    def _rows(self, accounts: range) -> Iterator[Any]:
        page = self._page.rows
        return (
            page.with_shared(stripe_account="", account=data.account_id(number))
            for number in accounts
        )

    async def aclose(self) -> None:
        pass


async def connect(url: str) -> Peer:
    return Peer()
