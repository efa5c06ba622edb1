"""Creates the tables of a mirror, or checks that they are what this version expects."""

from typing import Any

from sqlalchemy import Connection, Inspector, Table, insert, inspect, select, text, update

from fcasync.mirror._database import Database
from fcasync.mirror._tables import SCHEMA_VERSION, metadata, schema_version

_LOCK = 0x46436D69
"""The advisory lock of PostgreSQL under which tables are created ("FCmi")."""

OLDEST_SQLITE = (3, 35)
"""The first that returns rows from an upsert."""


async def prepare(database: Database) -> None:
    """Create the tables in an empty database; check them in any other.

    Raises:
        MirrorError: The tables are of another version, were changed, or belong to something else;
            nothing was written.
    """
    database.create_file()
    async with database.writing() as connection:
        if not database.is_sqlite:
            await connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK})"))
        problem = await connection.run_sync(_prepare)
        if problem is not None:
            raise database.error(problem)
    await database.use_write_ahead_log()


def _prepare(connection: Connection) -> str | None:
    """Return what is wrong with the tables; None after they were checked or created."""
    version = connection.dialect.server_version_info
    if connection.dialect.name == "sqlite" and version and version < OLDEST_SQLITE:
        return f"SQLite {'.'.join(map(str, version))} is too old; a mirror needs 3.35 or later"
    inspector = inspect(connection)
    present = set(inspector.get_table_names())
    if schema_version.name in present:
        problem = _wrong_version(connection) or _changed(inspector, present)
        if problem is None:
            # Changes nothing, and shows before a sync whether the database can be written.
            connection.execute(update(schema_version).values(version=SCHEMA_VERSION))
        return problem
    if foreign := sorted(present & set(metadata.tables)):
        return (
            f"it has a table {foreign[0]!r} that no mirror created; name another database, "
            "or another schema"
        )
    metadata.create_all(connection)
    connection.execute(insert(schema_version).values(version=SCHEMA_VERSION))
    return None


def _wrong_version(connection: Connection) -> str | None:
    versions = [row[0] for row in connection.execute(select(schema_version.c.version))]
    if versions == [SCHEMA_VERSION]:
        return None
    found = versions[0] if versions else "none"
    newer = versions and versions[0] > SCHEMA_VERSION
    what_to_do = "upgrade fcasync" if newer else "name another database"
    return f"its tables have version {found}, and this fcasync needs {SCHEMA_VERSION}; {what_to_do}"


def _changed(inspector: Inspector, present: set[str]) -> str | None:
    for table in metadata.sorted_tables:
        if table.name not in present:
            return f"the table {table.name!r} is missing; restore it, or name another database"
        if problem := _columns_changed(inspector, table):
            return problem
    return None


def _columns_changed(inspector: Inspector, table: Table) -> str | None:
    found: dict[str, Any] = {each["name"]: each for each in inspector.get_columns(table.name)}
    repair = "restore it, or name another database"
    for column in table.columns:
        if column.name not in found:
            return f"the table {table.name!r} lacks the column {column.name!r}; {repair}"
    for name in found.keys() - set(table.columns.keys()):
        # A column that somebody added does no harm, unless it demands a value.
        if not found[name]["nullable"] and found[name].get("default") is None:
            return f"the table {table.name!r} has a column {name!r} that must not be null; {repair}"
    key = set(inspector.get_pk_constraint(table.name)["constrained_columns"])
    if key != {column.name for column in table.primary_key}:
        return f"the table {table.name!r} has another primary key; {repair}"
    return None
