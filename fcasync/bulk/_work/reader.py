"""From the source into the journal."""

import asyncio
from collections.abc import Callable
from contextlib import aclosing
from functools import partial
from typing import Any

from fcasync._facts.redact import printable
from fcasync._rules import checks
from fcasync.bulk._journal.record import Record
from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._plan.events import Admitted, Event
from fcasync.bulk._plan.task import OVER, Row, Task
from fcasync.bulk._work import sources
from fcasync.bulk._work.lane import Lane
from fcasync.bulk._work.outbox import Outbox
from fcasync.bulk._work.settler import CAPACITY
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.turns import Turns
from fcasync.bulk._work.window import Place
from fcasync.errors import InvalidArgumentError
from fcasync.models import Account


class Reader:
    """Reads the source only as fast as there is room, and has the journal admit each account."""

    def __init__(
        self,
        source: Any,
        lane: Lane,
        *,
        record: Record,
        outbox: Outbox,
        tally: Tally,
        sent_at: Callable[[], int],
        step: Callable[[Task, Event], None],
        is_suspect: bool,
    ) -> None:
        """Make a reader.

        Args:
            source: Ids or Accounts.
            lane: Where each account needs a place, unless it waits for its bank.
            record: Where accounts are admitted.
            outbox: Where what is not an id ends.
            tally: Counts.
            sent_at: Returns the server's time at which a new account may first be sent.
            step: Called with each account when the journal has answered.
            is_suspect: Whether the journal may have lost what it knew.
        """
        self._source = source
        self._lane, self._live = lane, lane.live
        self._record, self._outbox, self._tally = record, outbox, tally
        self._clock, self._sent_at, self._step = lane.network.clock, sent_at, step
        self._is_suspect = is_suspect
        self._reads = lane.network.reads

    async def run(self) -> None:
        """Read the source to its end.

        Raises:
            Exception: What the source raised.
            RuntimeError: It raised CancelledError of its own.
        """
        try:
            with self._reads.counting():
                await self._read()
        except asyncio.CancelledError as error:
            task = asyncio.current_task()
            if task is None or task.cancelling():
                raise
            raise RuntimeError(
                "the source raised CancelledError, though nothing cancelled the run"
            ) from error

    async def _read(self) -> None:
        turns = Turns()
        async with aclosing(sources.read(self._source)) as items:
            # Room first: an account that was read and has no place would be known to nobody.
            place = await self._room()
            async for item in items:
                self._take(item, place)
                # A source that is not asynchronous may name for ever what is in work already.
                await turns.step()
                place = await self._room()

    async def _room(self) -> Place:
        place = await self._lane.window.enter()
        while len(self._lane.settler) >= CAPACITY:
            await self._clock.sleep(1.0)
        return place

    def _take(self, item: object, place: Place) -> None:
        try:
            account_id = checks.object_id(item, "account")
        except InvalidArgumentError as error:
            self._reject(item, error, place)
            return
        if account_id in self._live:
            place.leave()
            return
        account = item if isinstance(item, Account) else None
        tenant = self._lane.stripe_account
        task = Task(account_id, self._sent_at(), account, self._is_suspect, stripe_account=tenant)
        self._live.add(task, place)
        self._tally.arrive()
        self._record.admit(task, partial(self._admitted, task))

    def _reject(self, item: object, error: InvalidArgumentError, place: Place) -> None:
        self._tally.unfinished += 1
        outcome = Outcome(
            account_id=printable(item, 80),
            status=OutcomeStatus.FAILED,
            error=error,
            reason="invalid_id",
            stripe_account=self._lane.stripe_account or None,
        )
        self._tally.finish(outcome)
        self._outbox.put(outcome, place=place)

    def _admitted(self, task: Task, row: Row | None) -> None:
        self._tally.look_up(is_new=row is None)
        if row is OVER:
            self._live.remove(task).leave()
        else:
            self._step(task, Admitted(row))
