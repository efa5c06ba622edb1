"""The mirror: accounts, balances and transactions in your own database, kept true."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Any, Self

from sqlalchemy import URL

from fcasync._facts.frames import forgets_frames
from fcasync._rules import checks
from fcasync._wire.uninterrupted import cancelled_once
from fcasync.bulk import Tenants
from fcasync.bulk._work.sources import Source
from fcasync.client import Client
from fcasync.errors import InvalidArgumentError, describe
from fcasync.mirror._database import Database
from fcasync.mirror._inbox import Inbox
from fcasync.mirror._intake import Settings
from fcasync.mirror._location import locate
from fcasync.mirror._reading import Reading
from fcasync.mirror._run import SyncRun
from fcasync.mirror._schema import prepare
from fcasync.mirror._store import Store
from fcasync.mirror._upserts import Instants


class Mirror:
    """A copy of accounts, balances and transactions in a database of yours.

    ::

        async with Mirror("sqlite:///bank.db") as mirror:
            report = await mirror.sync(client, client.accounts.list())

    After a sync the tables equal what Stripe lists, however often the syncs before were killed.
    Rows and cursor move in one database transaction; several mirrors may share one database. A
    transaction that was voided, and an account that was disconnected, keep their rows.

    The tables (:data:`fcasync.mirror.metadata`) are for your own SQL. Account numbers and secrets
    are never stored, not even in the column ``raw``, and the contact details of owners only with
    *owners*.

    Args:
        url: ``sqlite:///bank.db``, ``postgresql://user:password@host/name``, or a SQLAlchemy URL.
            An empty database gets its tables; any other must have them.
        owners: Whether to store owners, in the table ``owners``.

    Raises:
        InvalidArgumentError: *url* is not a URL of SQLite or PostgreSQL.
        MirrorError: The driver is not installed.
    """

    @forgets_frames
    def __init__(self, url: str | URL, *, owners: bool = False) -> None:
        self._owners = owners
        self._is_open = False
        self._runs: list[SyncRun] = []
        """The syncs of this object, for :meth:`observe`."""
        self._database = Database(locate(url))
        self._inbox = Inbox(self._database)

    def __repr__(self) -> str:
        if "_database" not in vars(self):
            return "<Mirror without a valid URL>"  # in the traceback of its constructor
        return f"<Mirror {self._database.shown}>"

    async def __aenter__(self) -> Self:
        """Open the database, and create its tables if it is empty.

        Raises:
            MirrorError: The database cannot be used, or is of another version; nothing was written.
        """
        try:
            await cancelled_once(prepare(self._database))
        except BaseException:
            await self._database.aclose()
            raise
        self._is_open = True
        return self

    async def __aexit__(self, *error: object) -> None:
        self._is_open = False
        await self._database.aclose()

    @property
    def inbox(self) -> Inbox:
        """Webhook events that wait for a sync; see :class:`Inbox`."""
        return self._inbox

    def sync(
        self,
        client: Client,
        source: Source | Tenants,
        *,
        refresh: Sequence[str] = (),
        concurrency: int = 64,
        max_age: timedelta | float | None = None,
        wait_timeout: float = 900.0,
        progress: bool = False,
    ) -> SyncRun:
        """Bring the accounts of *source* up to date.

        ``await`` the result for the report, or enter it to see each outcome (see
        :class:`SyncRun`). Accounts at hand, as ``client.accounts.list()`` yields them, save a
        request each; one without news costs nothing more.

        Args:
            client: Whose accounts they are; rows are stored under its ``stripe_account``.
            source: Any iterable or asynchronous iterable of account ids or Accounts, or
                :class:`fcasync.bulk.Tenants`; each row then stands under its connected account.
            refresh: What to refresh first: ``balance``, ``ownership``, ``transactions``. Each
                account is synced as soon as its bank has answered.
            concurrency: The most accounts that are read at a time.
            max_age: With *refresh*: a timedelta, or seconds; what was refreshed more recently is
                synced without another refresh. An account known by its id alone is fetched first.
            wait_timeout: With *refresh*: seconds to wait for each bank.
            progress: Whether to draw a bar, which needs ``pip install 'fcasync[cli]'``.

        Raises:
            InvalidArgumentError: An argument is invalid, or the mirror is not open.
        """
        if not self._is_open:
            raise InvalidArgumentError("open the mirror first: async with Mirror(...) as mirror")
        if not isinstance(client, Client):
            raise InvalidArgumentError(f"client must be a Client, not {describe(client)}")
        features = checks.features(refresh, "refresh") if refresh else []
        if max_age is not None:
            if not features:
                raise InvalidArgumentError("max_age needs refresh: it decides what to refresh")
            checks.age(max_age, "max_age")
        settings = Settings(
            refresh=features,
            max_age=max_age,
            wait_timeout=checks.seconds(wait_timeout, "wait_timeout"),
            concurrency=checks.count(concurrency, "concurrency"),
            progress=progress,
        )
        store = Store(self._database)
        reading = Reading(
            client,
            store,
            tenant=client._options.acting_for or "",
            at=Instants(as_text=self._database.is_sqlite).of,
            owners=self._owners,
        )
        run = SyncRun(client, source, reading, store, settings)
        self._runs = [*(each for each in self._runs if not each.is_over), run]
        return run

    async def observe(self, event: Any) -> bool:
        """Take note of a webhook event: store it in the inbox, and show it to the running syncs.

        ``mirror.sync(client, mirror.inbox.accounts())`` works the inbox off, here or in another
        process. Late and repeated events, and those that are not about an account, are harmless.

        Returns:
            Whether the event is new, and about an account.

        Raises:
            MirrorError: The database cannot be used.
        """
        for run in self._runs:
            run.observe(event)
        return await self._inbox.put(event)
