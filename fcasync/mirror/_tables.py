"""The tables of a mirror, as SQLAlchemy metadata for your own queries.

Every table is keyed by the connected account first (``stripe_account``; the empty string is the
account of the API key), so that the tenants of a platform fit into one database. Amounts are
integers in the minor unit of the currency beside them; instants are UTC.
"""

from datetime import UTC, datetime
from typing import Any, Final

from sqlalchemy import BigInteger, Column, DateTime, Index, Integer, MetaData, Table, Text
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

SCHEMA_VERSION: Final = 1
metadata: Final = MetaData()


class Instant(TypeDecorator[datetime]):
    """An aware UTC datetime of whole seconds; in SQLite the text ``YYYY-MM-DD HH:MM:SS``."""

    impl = DateTime
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        """Return the type of the database."""
        if dialect.name == "sqlite":
            kind: Any = sqlite.DATETIME
            found: TypeEngine[Any] = kind(truncate_microseconds=True)
            return found
        return DateTime(timezone=True)

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return *value* as the database takes it."""
        if value is None or dialect.name != "sqlite":
            return value
        return value.astimezone(UTC).replace(tzinfo=None)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return what the database had, as an aware datetime."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _raw() -> Column[Any]:
    kind = JSON().with_variant(postgresql.JSONB(), "postgresql")
    return Column("raw", kind, nullable=False, comment="Stripe's JSON, without account numbers")


def _key(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, primary_key=True) for name in ("stripe_account", *names)]


accounts = Table(
    "accounts",
    metadata,
    *_key("id"),
    Column("status", Text),
    Column("institution_name", Text),
    Column("display_name", Text),
    Column("last4", Text),
    Column("category", Text),
    Column("subcategory", Text),
    Column("holder", Text, comment="id of the customer or the account that holds it"),
    Column("created", Instant),
    Column("ownership", Text, comment="id of the latest ownership object"),
    Column("balance_refresh_status", Text),
    Column("balance_refreshed_at", Instant),
    Column("transaction_refresh_status", Text),
    Column("transaction_refreshed_at", Instant),
    Column("refreshed_at", Instant, nullable=False, comment="latest attempt of any refresh"),
    Column("read_at", Instant, nullable=False, comment="when this row was read from Stripe"),
    _raw(),
)
balances = Table(
    "balances",
    metadata,
    *_key("account"),
    Column("as_of", Instant, primary_key=True, comment="by the bank's clock"),
    Column("kind", Text, primary_key=True, comment="current, available or used"),
    Column("currency", Text, primary_key=True),
    Column("amount", BigInteger, nullable=False, comment="minor units"),
    Column("refreshed_at", Instant, nullable=False, comment="the refresh that brought it"),
)
owners = Table(
    "owners",
    metadata,
    *_key("account", "id"),
    Column("ownership", Text, nullable=False, comment="the latest one has the current owners"),
    Column("name", Text),
    Column("email", Text),
    Column("phone", Text),
    Column("raw_address", Text),
    Column("refreshed_at", Instant),
    comment="filled only by Mirror(url, owners=True)",
)
transactions = Table(
    "transactions",
    metadata,
    # The account comes before the id, so that the rows of an account lie together: one index
    # finds them, and a page is written in one place.
    *_key("account", "id"),
    Column("amount", BigInteger, comment="minor units; negative is money out"),
    Column("currency", Text),
    Column("description", Text),
    Column("status", Text, comment="pending, posted or void"),
    Column("transacted_at", Instant),
    Column("posted_at", Instant),
    Column("void_at", Instant),
    Column("transaction_refresh", Text, comment="the refresh that last changed it"),
    Column("updated", Instant, nullable=False),
    Column("revision", Integer, nullable=False, comment="1 when new, one more with each change"),
    _raw(),
)
sync_state = Table(
    "sync_state",
    metadata,
    *_key("account"),
    Column("cursor", Text, comment="everything up to this refresh is in the tables"),
    Column("cursor_at", Instant, comment="when that refresh was attempted"),
    Column("refresh", Text, comment="the latest refresh when the account was last synced"),
    Column("refresh_status", Text),
    Column("ownership", Text, comment="the ownership whose owners are in the tables"),
    Column("synced_at", Instant, comment="when it was last synced to the end"),
    Column("claim", Text, comment="who syncs the account now, or did last"),
)
schema_version = Table(
    "fcasync_schema",
    metadata,
    Column("version", Integer, primary_key=True, autoincrement=False),
)
seen_events = Table(
    "seen_events",
    metadata,
    Column("id", Text, primary_key=True),
    Column("at", Instant, nullable=False),
    Column("handled_at", Instant, comment="null while the event is being handled"),
)
inbox = Table(
    "inbox",
    metadata,
    Column("id", Text, primary_key=True, comment="of the event"),
    Column("stripe_account", Text, nullable=False),
    Column("account", Text, nullable=False),
    Column("received_at", Instant, nullable=False),
    Column("taken_at", Instant, comment="when a job took it; null before that"),
    _raw(),
    Index("inbox_by_received_at", "received_at"),
)
