"""Which events were handled: in a file, for the workers of one machine and across restarts."""

import asyncio
import os
import sqlite3
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Final, TypeVar

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._facts.files import create_private
from fcasync._rules import checks
from fcasync.errors import FCError
from fcasync.webhooks._seen import in_progress

T = TypeVar("T")

APPLICATION_ID: Final = 0x46435345
"""Marks the file as ours ("FCSE"), so that no other database is taken for one."""

BUSY_TIMEOUT: Final = 10.0
"""Seconds that an access waits for those of other processes."""

_SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS seen (
    id TEXT PRIMARY KEY,
    at REAL NOT NULL,
    handled INTEGER NOT NULL
) WITHOUT ROWID
"""


class SqliteSeenEvents:
    """The ids of events in a SQLite file: processes may share it, and it survives restarts.

    The file is made with the first event, readable by its owner only. It is opened for each
    access, in a thread, so that nothing has to be closed and nothing crosses a fork.

    Args:
        path: The file.
        keep: Seconds for which an id is remembered. Stripe delivers for up to three days.
        lease: Seconds after which a claim that was neither confirmed nor released counts as that
            of a process that died. It must be longer than any handler takes.
        clock: The source of the current time.

    Raises:
        InvalidArgumentError: *keep* or *lease* is not a number of seconds above zero.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        keep: float = 30 * 86_400.0,
        lease: float = 600.0,
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self._path = Path(path)
        self._keep = checks.seconds(keep, "keep")
        self._lease = checks.seconds(lease, "lease")
        self._clock = clock
        self._claimed_at: dict[str, float] = {}  # the claims of this object, to release no other

    def __repr__(self) -> str:
        return f"<SqliteSeenEvents {self._path}>"

    async def claim(self, event_id: str) -> bool:
        """Claim *event_id*; return False if it was handled already.

        Raises:
            EventInProgress: It is claimed by somebody who has neither confirmed nor released it.
            FCError: The file cannot be used.
        """
        return await asyncio.to_thread(self._in_transaction, self._claim, event_id)

    async def confirm(self, event_id: str) -> None:
        """Remember that *event_id*, which was claimed, is handled.

        Raises:
            FCError: The file cannot be used.
        """
        await asyncio.to_thread(self._in_transaction, self._confirm, event_id)

    async def release(self, event_id: str) -> None:
        """Forget *event_id*: its handler failed, and Stripe will deliver the event again.

        Raises:
            FCError: The file cannot be used.
        """
        await asyncio.to_thread(self._in_transaction, self._release, event_id)

    def _claim(self, database: sqlite3.Connection, event_id: str) -> bool:
        now = self._clock.time()
        database.execute("DELETE FROM seen WHERE at < ?", (now - self._keep,))
        found = database.execute("SELECT at, handled FROM seen WHERE id = ?", (event_id,))
        for at, is_handled in found:
            if is_handled:
                return False
            if abs(now - at) < self._lease:
                raise in_progress(event_id)
        database.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, 0)", (event_id, now))
        self._claimed_at[event_id] = now
        return True

    def _confirm(self, database: sqlite3.Connection, event_id: str) -> None:
        row = (event_id, self._clock.time())
        database.execute("INSERT OR REPLACE INTO seen VALUES (?, ?, 1)", row)
        self._claimed_at.pop(event_id, None)

    def _release(self, database: sqlite3.Connection, event_id: str) -> None:
        claim = (event_id, self._claimed_at.pop(event_id, None))
        database.execute("DELETE FROM seen WHERE id = ? AND at = ?", claim)

    def _in_transaction(self, step: Callable[[sqlite3.Connection, str], T], event_id: str) -> T:
        with self._errors(), closing(self._open()) as database:
            database.execute("BEGIN IMMEDIATE")
            with database:  # commits, or rolls back
                return step(database, event_id)

    def _open(self) -> sqlite3.Connection:
        create_private(self._path)
        database = sqlite3.connect(self._path, timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            (mark,) = database.execute("PRAGMA application_id").fetchone()
            if mark != APPLICATION_ID:
                self._create(database)
        except BaseException:
            database.close()
            raise
        return database

    def _create(self, database: sqlite3.Connection) -> None:
        (tables,) = database.execute("SELECT COUNT(*) FROM sqlite_schema").fetchone()
        (mark,) = database.execute("PRAGMA application_id").fetchone()
        if mark != APPLICATION_ID and tables:
            raise FCError(f"{self._path} is another program's database; name another file")
        database.execute("BEGIN IMMEDIATE")
        with database:
            database.execute(_SCHEMA)
            database.execute(f"PRAGMA application_id = {APPLICATION_ID}")

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            yield
        except (OSError, sqlite3.Error) as error:
            raise FCError(f"{self._path} cannot remember events: {error}") from error
