"""Webhooks that reach one process and are worked off by another, through the mirror's database."""

from collections.abc import AsyncGenerator
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from sqlalchemy import delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from fcasync._facts.clock import SYSTEM_CLOCK, Clock
from fcasync._rules import checks
from fcasync.mirror import _rows as rows
from fcasync.mirror._database import Database
from fcasync.mirror._nudges import Nudges
from fcasync.mirror._tables import inbox, seen_events
from fcasync.mirror._upserts import instant
from fcasync.models import AnyEvent
from fcasync.models._about import account_named
from fcasync.models._convert import to_dict
from fcasync.webhooks._read import parse_event
from fcasync.webhooks._seen import in_progress

_KEEP: Final = timedelta(days=30)
"""For how long handled events are remembered; Stripe delivers for up to three days."""


class Inbox:
    """Remembers webhook events, and hands them to whoever syncs.

    In the web service it is the seen-store of an `EventRouter`, and takes the events::

        events = EventRouter(seen=mirror.inbox)

        @events.on("financial_connections.account.refreshed_transactions")
        async def refreshed(event: Event[Account]) -> None:
            await mirror.inbox.put(event)

    A job in another process works them off::

        await mirror.sync(client, mirror.inbox.accounts())

    An event is only a nudge: the account is read anew, so that events which come late, twice or out
    of order are harmless.

    Args:
        database: The mirror's.
        lease: Seconds after which an event that was taken, and not done, is handed out again, and
            an event that is being handled counts as that of a process that died.
        clock: The source of the current time.
    """

    def __init__(
        self, database: Database, *, lease: float = 600.0, clock: Clock = SYSTEM_CLOCK
    ) -> None:
        self._database = database
        self._lease = timedelta(seconds=checks.seconds(lease, "lease"))
        self._clock = clock

    def __repr__(self) -> str:
        return f"<Inbox of {self._database.shown}>"

    async def put(self, event: AnyEvent) -> bool:
        """Store *event* until a job takes it.

        Returns:
            Whether it is new, and about an account.

        Raises:
            MirrorError: The database cannot be used.
        """
        if (named := account_named(event)) is None:
            return False
        values = {
            "id": event.id,
            "stripe_account": named[0],
            "account": named[1],
            "received_at": self._now(),
            "raw": orjson.loads(rows.raw(to_dict(event))),
        }
        statement = self._insert(inbox).values(**values).on_conflict_do_nothing()
        async with self._database.writing() as connection:
            return (await connection.execute(statement)).rowcount == 1

    async def events(self) -> AsyncGenerator[AnyEvent]:
        """Take events, oldest first, until none is left.

        An event is removed when the next one is asked for. If the loop ends before that, by an
        error or a kill, it is handed out again, at the latest after the lease.

        Raises:
            MirrorError: The database cannot be used.
        """
        while (taken := await self._take()) is not None:
            event_id, event = taken
            is_done = False
            try:
                yield event
                is_done = True
            finally:
                await self._settle(event_id, is_done=is_done)

    def accounts(self) -> Nudges:
        """Return the accounts of the events, for ``mirror.sync``, which takes them one by one.

        Each is read, and with ``refresh`` refreshed, under the connected account of its event. The
        event is removed when the account was synced, or has failed by an answer of Stripe's.
        """
        return Nudges(self._take, self._settle)

    async def _take(self) -> tuple[str, AnyEvent] | None:
        free = or_(inbox.c.taken_at.is_(None), inbox.c.taken_at < self._now() - self._lease)
        oldest = (
            select(inbox.c.id)
            .where(free)
            .order_by(inbox.c.received_at, inbox.c.id)
            .limit(1)
            .with_for_update(skip_locked=True)
        )
        statement = (
            update(inbox)
            .where(inbox.c.id == oldest.scalar_subquery())
            .values(taken_at=self._now())
            .returning(inbox.c.id, inbox.c.raw)
        )
        async with self._database.writing() as connection:
            found = (await connection.execute(statement)).first()
        return None if found is None else (found[0], parse_event(found[1]))

    async def _settle(self, event_id: str, *, is_done: bool) -> None:
        statement: Any = delete(inbox) if is_done else update(inbox).values(taken_at=None)
        async with self._database.writing() as connection:
            await connection.execute(statement.where(inbox.c.id == event_id))

    async def claim(self, event_id: str) -> bool:
        """Claim *event_id*; return False if it was handled already.

        Raises:
            EventInProgress: It is claimed by somebody who has neither confirmed nor released it.
            MirrorError: The database cannot be used.
        """
        now = self._now()
        old = seen_events.c
        forget = delete(seen_events).where(
            or_(old.at < now - _KEEP, (old.id == event_id) & self._is_abandoned(now))
        )
        insert = self._insert(seen_events).values(id=event_id, at=now).on_conflict_do_nothing()
        async with self._database.writing() as connection:
            await connection.execute(forget)
            if (await connection.execute(insert)).rowcount == 1:
                return True
            found = await connection.execute(select(old.handled_at).where(old.id == event_id))
            handled_at = found.scalar()
        if handled_at is None:
            raise in_progress(event_id)
        return False

    async def confirm(self, event_id: str) -> None:
        """Remember that *event_id*, which was claimed, is handled."""
        statement = update(seen_events).where(seen_events.c.id == event_id)
        async with self._database.writing() as connection:
            await connection.execute(statement.values(handled_at=self._now()))

    async def release(self, event_id: str) -> None:
        """Forget *event_id*: its handler failed, and Stripe will deliver the event again."""
        pending = (seen_events.c.id == event_id) & seen_events.c.handled_at.is_(None)
        async with self._database.writing() as connection:
            await connection.execute(delete(seen_events).where(pending))

    def _is_abandoned(self, now: datetime) -> Any:
        return seen_events.c.handled_at.is_(None) & (seen_events.c.at < now - self._lease)

    def _now(self) -> datetime:
        return instant(self._clock.time())

    def _insert(self, table: Any) -> Any:
        return (sqlite if self._database.is_sqlite else postgresql).insert(table)
