"""The connections of a mirror, and its errors as one sentence each."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any, Final, TypeVar

from sqlalchemy import URL, Connection, event
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine, create_async_engine
from sqlalchemy.pool import StaticPool

from fcasync._facts.files import create_private
from fcasync._facts.redact import printable
from fcasync._wire.uninterrupted import to_its_end
from fcasync.mirror._errors import MirrorError
from fcasync.mirror._location import passwords, shown
from fcasync.mirror._steps import SteppedConnection, Steps, Whole, carry_out, carry_out_in_sqlite

T = TypeVar("T")

LOCK_TIMEOUT: Final = 10
"""Seconds that a statement waits for the locks of others."""

_READS: Final = "fcasync_reads"
"""The execution option of a transaction that only reads."""

# Whoever begins by reading would fail, without any wait, where another writes meanwhile.
_BEGIN: Final = {False: "BEGIN", True: "BEGIN IMMEDIATE"}
"""How a transaction of SQLite begins, by whether it writes."""


class Database:
    """The database of a mirror. Nothing is opened before the first transaction."""

    def __init__(self, url: URL) -> None:
        self.shown: str = shown(url)
        """Its URL, without the password."""
        self.is_sqlite: bool = url.get_backend_name() == "sqlite"
        self._passwords = passwords(url)
        self._file = _file(url) if self.is_sqlite else None
        """The path of a SQLite file; None for one in memory, and for PostgreSQL."""
        self.engine: AsyncEngine = self._make(url)
        self._turn = asyncio.Lock() if isinstance(self.engine.pool, StaticPool) else None
        """Held during each transaction in memory, where all have one connection."""

    def __repr__(self) -> str:
        return f"<Database {self.shown}>"

    def _make(self, url: URL) -> AsyncEngine:
        if not self.is_sqlite:
            settings = {"application_name": "fcasync", "lock_timeout": f"{LOCK_TIMEOUT}s"}
            return create_async_engine(
                url,
                hide_parameters=True,
                pool_pre_ping=True,
                connect_args={"server_settings": settings, "timeout": LOCK_TIMEOUT},
            )
        options: dict[str, Any] = {"timeout": LOCK_TIMEOUT, **url.query}
        query = {name: value for name, value in url.query.items() if name != "timeout"}
        engine = create_async_engine(
            url.set(query=query),
            hide_parameters=True,
            connect_args={
                "timeout": float(options["timeout"]),
                "factory": SteppedConnection,
                "async_creator_fn": _connect,
            },
            # Each sync that runs has a connection of its own.
            **({"max_overflow": -1} if self._file or "uri" in query else {"poolclass": StaticPool}),
        )
        event.listen(engine.sync_engine, "connect", _prepare)
        event.listen(engine.sync_engine, "begin", _begin)
        return engine

    def create_file(self) -> None:
        """Make the file of a new SQLite database, readable by its owner only."""
        if self._file is not None:
            with self.errors():
                create_private(self._file)

    @asynccontextmanager
    async def reading(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that only reads.

        Raises:
            MirrorError: The database cannot be used.
        """
        with self.errors():
            async with self.alone(), self._connected() as connection:
                reads = await connection.execution_options(**{_READS: True})
                async with reads.begin():
                    yield reads

    @asynccontextmanager
    async def writing(self) -> AsyncIterator[AsyncConnection]:
        """Open a transaction that is committed at the end of the block.

        Raises:
            MirrorError: The database cannot be used; nothing of the block is stored.
        """
        with self.errors():
            async with self.alone(), self._connected() as connection, connection.begin():
                yield connection

    @asynccontextmanager
    async def _connected(self) -> AsyncIterator[AsyncConnection]:
        """Lend a connection. SQLAlchemy 2.0's own block leaves a task if it is cancelled twice."""
        connection = await self.engine.connect()
        try:
            yield connection
        finally:
            await to_its_end(connection.close())

    @asynccontextmanager
    async def alone(self) -> AsyncIterator[None]:
        """Wait until nobody else uses the connection, where there is only one."""
        async with AsyncExitStack() as stack:
            if self._turn is not None:
                await stack.enter_async_context(self._turn)
            yield

    @asynccontextmanager
    async def session(self) -> AsyncIterator["Session"]:
        """Open a session; it has its own connection to SQLite from the first transaction on."""
        session = Session(self)
        try:
            yield session
        finally:
            await session.aclose()

    @contextmanager
    def errors(self) -> Iterator[None]:
        """Turn what a driver raises into a MirrorError."""
        try:
            yield
        except DBAPIError as error:
            what = str(error.orig)
        except (SQLAlchemyError, OSError, OverflowError) as error:
            what = str(error)
        except Exception as error:
            if not _is_of_driver(error):
                raise
            what = str(error)
        else:
            return
        # Raised outside of the handlers: the frames of a driver hold the password.
        raise self.error(what)

    def error(self, what: str) -> MirrorError:
        """Return the error that says *what* is wrong with this database."""
        lines = [line for line in what.splitlines() if line.strip()] or ["no reason was given"]
        line = lines[0].removeprefix("<class 'asyncpg.exceptions.").replace("Error'>:", ":")
        for password in self._passwords:
            line = line.replace(password, "***")
        return MirrorError(f"the mirror {self.shown}: {printable(line)}", url=self.shown)

    async def use_write_ahead_log(self) -> None:
        """Let readers of a SQLite file read while the mirror writes; the file remembers it."""
        if self.is_sqlite:
            with self.errors():
                async with self._connected() as connection:
                    raw: Any = await connection.get_raw_connection()
                    cursor = await raw.driver_connection.execute("PRAGMA journal_mode = WAL")
                    await cursor.close()

    async def aclose(self) -> None:
        """Close all connections, however often the caller is cancelled meanwhile."""
        await to_its_end(self.engine.dispose())


class Session:
    """Carries out transactions, one at a time."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._kept: AsyncConnection | None = None
        """The connection to SQLite; None before the first transaction, and with PostgreSQL, whose
        connections may break."""

    async def carry_out(self, steps: Steps[T], *, writes: bool = True) -> T:
        """Carry out *steps* as one transaction, and return their result.

        Raises:
            MirrorError: The database cannot be used; nothing is stored.
        """
        database = self._database
        if not database.is_sqlite:
            async with database.writing() if writes else database.reading() as connection:
                return await carry_out(connection, steps)
        with database.errors():
            async with database.alone():
                if self._kept is None:
                    self._kept = await database.engine.connect()
                found: T = await carry_out_in_sqlite(self._kept, Whole(_BEGIN[writes], steps))
        return found

    async def aclose(self) -> None:
        """Give the connection back."""
        if self._kept is not None:
            with self._database.errors():
                async with self._database.alone():
                    await to_its_end(self._kept.close())


def _file(url: URL) -> Path | None:
    name = url.database
    if not name or name == ":memory:" or name.startswith("file:"):
        return None
    return Path(name)


def _is_of_driver(error: Exception) -> bool:
    return type(error).__module__.split(".")[0] in ("asyncpg", "aiosqlite", "sqlite3")


async def _connect(*args: Any, **options: Any) -> Any:
    """Connect to SQLite; if that is cancelled, close what was opened. It takes milliseconds."""
    import aiosqlite  # noqa: PLC0415 - a mirror in PostgreSQL does not need it

    connection: Any = aiosqlite.connect(*args, **options)
    # As SQLAlchemy does it: whoever forgets to close can still leave the interpreter. Before
    # aiosqlite 0.22 the connection was the thread.
    getattr(connection, "_thread", connection).daemon = True
    try:
        return await to_its_end(connection)
    except asyncio.CancelledError:
        await to_its_end(connection.close())
        raise


def _prepare(connection: Any, _: object) -> None:
    connection.isolation_level = None  # transactions begin with _begin, and no other way
    try:
        cursor = connection.cursor()
        cursor.execute("PRAGMA page_size = 8192")  # of a new file; a row has about 700 bytes
        cursor.execute("PRAGMA cache_size = -16384")  # KiB
        # A power cut may lose the latest commits, rows and cursors alike: the next run repeats
        # them.
        cursor.execute("PRAGMA synchronous = NORMAL")
        cursor.close()
    except BaseException:
        connection.close()  # nobody else will: the pool does not know it yet
        raise


def _begin(connection: Connection) -> None:
    connection.exec_driver_sql(_BEGIN[not connection.get_execution_options().get(_READS)])
