"""What cannot be a mirror is refused with one sentence, and nothing is written."""

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import event, make_url, text
from sqlalchemy.ext.asyncio import create_async_engine

import fcasync
from fcasync.mirror import Mirror, MirrorError
from fcasync.mirror import _location as location
from fcasync.mirror._location import locate
from tests._bank import Bank
from tests.mirror._look import listed, transactions
from tests.mirror.test_mirror import refreshed_bank


async def opened(url: str) -> None:
    async with Mirror(url):
        pass


async def execute(url: str, *statements: str) -> None:
    engine = create_async_engine(locate(url))
    try:
        async with engine.begin() as connection:
            for statement in statements:
                await connection.execute(text(statement))
    finally:
        await engine.dispose()


@pytest.mark.parametrize(
    "url",
    ["", "bank.db", 7, None, "mysql://jo:hunter2@db/x", "sqlite+pysqlite:///x.db", "://hunter2@"],
)
def test_a_url_of_something_else_is_refused(url: Any) -> None:
    """The message says what is expected, and never echoes a password."""
    with pytest.raises(fcasync.InvalidArgumentError, match=r"sqlite:///bank\.db") as caught:
        Mirror(url)
    assert "hunter2" not in str(caught.value)


def test_a_missing_driver_names_the_command(monkeypatch: pytest.MonkeyPatch) -> None:
    """One line in a shell mends it."""
    monkeypatch.setattr(location, "find_spec", lambda name: None)
    with pytest.raises(MirrorError, match=r"pip install 'fcasync\[postgres\]'") as caught:
        Mirror("postgresql://jo:hunter2@db/x")
    assert "hunter2" not in f"{caught.value} {caught.value.url}"


@pytest.mark.parametrize("name", ["password", "passfile", "sslpassword"])
def test_a_password_in_the_query_of_a_url_is_never_shown(name: str) -> None:
    """It is as secret as one before the host, whatever a driver then says of it."""
    url = make_url(f"postgresql://jo@db/x?{name}=hunter2&application_name=job")
    assert "hunter2" not in location.shown(url)
    assert "application_name=job" in location.shown(url)
    assert location.passwords(url) == ["hunter2"]


async def test_a_server_that_is_not_there_is_one_sentence() -> None:
    """Neither the message nor the repr has the password."""
    pytest.importorskip("asyncpg", reason="asyncpg is not installed")
    mirror = Mirror("postgresql://jo:hunter2@127.0.0.1:1/x")
    with pytest.raises(MirrorError) as caught:
        await mirror.__aenter__()
    assert "\n" not in str(caught.value)
    assert "hunter2" not in f"{caught.value} {caught.value.url} {mirror!r}"
    assert "***" in str(caught.value)


@pytest.mark.parametrize(
    ("statements", "words"),
    [
        (("UPDATE fcasync_schema SET version = 2",), "upgrade fcasync"),
        (("UPDATE fcasync_schema SET version = 0",), "name another database"),
        (("DELETE FROM fcasync_schema",), "have version none"),
        (("DROP TABLE balances",), "'balances' is missing"),
        (("ALTER TABLE transactions DROP COLUMN amount",), "lacks the column 'amount'"),
        (("DROP TABLE balances", "CREATE TABLE balances (amount INTEGER)"), "lacks the column"),
    ],
)
async def test_tables_that_are_not_ours_any_more_are_refused(
    url: str, statements: tuple[str, ...], words: str
) -> None:
    """Another version and a changed table are named, and what to do."""
    await opened(url)
    await execute(url, *statements)
    with pytest.raises(MirrorError, match=words):
        await opened(url)


async def test_tables_of_somebody_else_are_left_alone(url: str) -> None:
    """A database that has a table of one of our names, and no version, is not ours."""
    await execute(url, "CREATE TABLE transactions (id INTEGER)")
    with pytest.raises(MirrorError, match="'transactions' that no mirror created"):
        await opened(url)
    with pytest.raises(Exception, match="fcasync_schema"):
        await execute(url, "SELECT * FROM fcasync_schema")


async def test_a_column_that_somebody_added_does_no_harm(url: str) -> None:
    """Teams add columns of their own; a sync leaves them."""
    await opened(url)
    await execute(url, "ALTER TABLE transactions ADD COLUMN note TEXT")
    bank = refreshed_bank(1)
    client = bank.client()
    async with Mirror(url) as mirror:
        assert (await mirror.sync(client, client.accounts.list())).new == 3


async def test_a_file_that_is_not_a_database_is_left_alone(tmp_path: Path) -> None:
    """Its bytes stay as they are."""
    path = tmp_path / "letter.txt"
    path.write_text("Dear Sir or Madam, " * 400)
    with pytest.raises(MirrorError, match="not a database"):
        await opened(f"sqlite:///{path}")
    assert path.read_text() == "Dear Sir or Madam, " * 400


async def test_a_read_only_file_is_refused(tmp_path: Path) -> None:
    """Before anything is sent."""
    path = tmp_path / "bank.db"
    await opened(f"sqlite:///{path}")
    with pytest.raises(MirrorError, match="readonly"):
        await opened(f"sqlite:///file:{path}?mode=ro&uri=true")


async def test_a_lock_that_others_hold_ends_the_run(tmp_path: Path) -> None:
    """After the busy timeout; the next run goes on."""
    path = tmp_path / "bank.db"
    bank = refreshed_bank(2)
    client = bank.client()
    url = f"sqlite:///{path}?timeout=0.05"
    async with Mirror(url) as mirror:
        with closing(sqlite3.connect(path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            with pytest.raises(MirrorError, match="locked"):
                await mirror.sync(client, client.accounts.list())
        assert (await mirror.sync(client, client.accounts.list())).new == 6


async def test_a_full_disk_ends_the_run(tmp_path: Path) -> None:
    """What was stored is complete, and the next run, with room, goes on."""
    url = f"sqlite:///{tmp_path / 'bank.db'}"
    bank = refreshed_bank(1, rows=300)
    client = bank.client()
    full = Mirror(url)
    limits: Any = full._database.engine.sync_engine

    def limit(connection: Any, _: object) -> None:
        cursor = connection.cursor()
        cursor.execute("PRAGMA max_page_count = 20")
        cursor.close()

    event.listen(limits, "connect", limit)
    async with full:
        with pytest.raises(MirrorError, match="full"):
            await full.sync(client, client.accounts.list())
    async with Mirror(url) as mirror:
        await mirror.sync(client, client.accounts.list())
    assert await transactions(url) == listed(bank)


async def test_a_lost_connection_ends_the_run(cluster: Any) -> None:
    """The same mirror connects again with the next run."""
    url = cluster.database()
    bank = refreshed_bank(2)
    client = bank.client()
    kill = (
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        "WHERE datname = current_database() AND pid <> pg_backend_pid()"
    )
    async with Mirror(url) as mirror:
        async with mirror._database.writing():
            await execute(url, kill)
            with pytest.raises(MirrorError):
                async with mirror._database.writing() as connection:
                    await connection.execute(text(kill))
                    await execute(url, kill)
                    await connection.execute(text("SELECT 1"))
        assert (await mirror.sync(client, client.accounts.list())).new == 6


def test_a_mirror_is_opened_before_it_syncs(tmp_path: Path) -> None:
    """Arguments are checked before anything is sent."""
    mirror = Mirror(f"sqlite:///{tmp_path / 'bank.db'}")
    with pytest.raises(fcasync.InvalidArgumentError, match="open the mirror first"):
        mirror.sync(Bank().client(), [])


@pytest.mark.parametrize(
    "options",
    [{"concurrency": 0}, {"refresh": "balance"}, {"max_age": 5}, {"wait_timeout": -1}],
)
async def test_wrong_arguments_are_refused(tmp_path: Path, options: Any) -> None:
    """Nothing is sent."""
    bank = Bank()
    async with Mirror(f"sqlite:///{tmp_path / 'bank.db'}") as mirror:
        with pytest.raises(fcasync.InvalidArgumentError):
            mirror.sync(bank.client(), [], **options)
        with pytest.raises(fcasync.InvalidArgumentError):
            mirror.sync(bank.client(), "fca_1")
    assert bank.requests == []
