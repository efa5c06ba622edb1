"""What is in a mirror's database, read by SQLAlchemy as a user would."""

from typing import Any

from sqlalchemy import select
from sqlalchemy.ext.asyncio import create_async_engine

from fcasync.mirror import metadata
from fcasync.mirror._location import locate
from tests._bank import Bank, Json

COLUMNS = ("account", "amount", "currency", "description", "status", "transaction_refresh")


async def table(url: str, name: str) -> list[dict[str, Any]]:
    """Return the rows of a table, in the order of its key."""
    engine = create_async_engine(locate(url))
    chosen = metadata.tables[name]
    try:
        async with engine.connect() as connection:
            found = await connection.execute(select(chosen).order_by(*chosen.primary_key))
            return [dict(row) for row in found.mappings()]
    finally:
        await engine.dispose()


async def transactions(url: str) -> dict[str, Json]:
    """Return what the table says of each transaction."""
    rows = await table(url, "transactions")
    return {row["id"]: {name: row[name] for name in COLUMNS} for row in rows}


def listed(bank: Bank) -> dict[str, Json]:
    """Return what Stripe says of each transaction."""
    return {
        name: {column: row[column] for column in COLUMNS}
        for account in bank.accounts.values()
        for name, row in account.transactions.items()
    }


async def cursors(url: str) -> dict[str, str | None]:
    """Return the cursor of each account."""
    return {row["account"]: row["cursor"] for row in await table(url, "sync_state")}
