"""The driver's accounts of what lanes do: what they were fed, and what they have written down."""

import asyncio
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import attrs

from fcasync._facts.redact import printable
from fcasync._rules import checks
from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.rows import outcome_of_row
from fcasync.bulk._outcome import Outcome, OutcomeStatus
from fcasync.bulk._plan.task import OVER as NOTHING_TO_DO
from fcasync.bulk._plan.task import Row
from fcasync.bulk._work import sources
from fcasync.bulk._work.outbox import Outbox
from fcasync.bulk._work.tally import Tally
from fcasync.bulk._work.turns import Turns
from fcasync.bulk._work.window import Place, Window
from fcasync.cluster import _wire
from fcasync.errors import InvalidArgumentError

AHEAD = 256
"""Accounts of a tenant that are read and not yet taken by the caller."""
ENDS = frozenset(status.value for status in OutcomeStatus)


@attrs.define
class Entry:
    """An account in work."""

    place: Place
    is_known: bool = False
    """Whether the journal has been asked for it in this run."""
    is_settling: bool = False
    """Whether it waits for its bank."""


class Tenant:
    """What is in work of one connected account, whichever lane has it."""

    def __init__(self, name: str, source: Any) -> None:
        self.name = name
        self.source = source
        """Its accounts; None: the lane lists them."""
        self.is_read = False
        """Whether its source has no more accounts."""
        self.open: dict[str, Entry] = {}
        """Accounts that were read and have no outcome."""
        self.closing: set[str] = set()
        """Accounts whose outcome has arrived and was not acknowledged to the lane yet."""
        self.unfed: list[str] = []
        """Accounts that the lane does not know yet."""
        self.unlisted: set[str] = set()
        """Open accounts that a new lane has not found in the list yet."""
        self.window = Window(AHEAD)
        self._is_end_fed = False  # the lane knows that no more will come

    @property
    def is_done(self) -> bool:
        """Whether all its accounts have outcomes."""
        return self.is_read and not self.open

    def begin(self) -> None:
        """Take note that a lane has it, which knows nothing of it."""
        self._is_end_fed = False
        if self.source is None:
            self.is_read = False  # it is listed again: who is finished, the journal knows
            self.unlisted = set(self.open)
        else:
            self.unfed = list(self.open)

    def end_of_list(self) -> None:
        """Take note that the lane has listed it; who was not listed any more stays unfinished."""
        self.is_read = True
        for account_id in self.unlisted:
            self.open.pop(account_id, None)
        self.unlisted.clear()

    def feed(self) -> list[Any] | None:
        """Return what the lane is to be fed; None if there is nothing."""
        if self._is_end_fed or not (self.source is None or self.unfed or self.is_read):
            return None
        unfed, self.unfed = self.unfed, []
        self._is_end_fed = self.source is None or self.is_read
        return [self.name, None if self.source is None else unfed, self._is_end_fed]

    async def read(self, reject: Callable[["Tenant", object, InvalidArgumentError], None]) -> None:
        """Read the source to its end, only as fast as outcomes are taken."""
        turns = Turns()
        async for item in sources.read(self.source):
            await turns.step()
            try:
                account_id = checks.object_id(item, "account")
            except InvalidArgumentError as error:
                reject(self, item, error)
                continue
            if account_id in self.open or account_id in self.closing:
                continue
            place = await self.window.enter()
            self.open[account_id] = Entry(place)
            self.unfed.append(account_id)
        self.is_read = True


@attrs.define
class Acknowledging:
    """The place of an outcome: when it is taken, the lane may forget the account."""

    place: Place
    then: Callable[[], None]

    def leave(self) -> None:
        """Give the room back."""
        self.place.leave()
        self.then()


class Books:
    """Writes down what lanes report, and hands out each outcome once.

    An outcome counts only while its account is open, and its account is closed when it arrives:
    a lane that was given up, and one that repeats its work, can both report the same.
    """

    def __init__(self, record: GroupCommit, outbox: Outbox, tally: Tally, last_seq: int) -> None:
        self._record, self._outbox, self._tally = record, outbox, tally
        self._last_seq = last_seq  # of earlier runs
        self.settling = 0
        """Accounts that wait for their banks."""
        self.limit: float | None = None
        """Unknown: rate limits are learnt by the lanes."""

    def reject(self, tenant: Tenant, item: object, error: InvalidArgumentError) -> None:
        """Hand out that *item* names no account."""
        self._tally.unfinished += 1
        outcome = Outcome(
            account_id=printable(item, 80),
            status=OutcomeStatus.FAILED,
            error=error,
            reason="invalid_id",
            stripe_account=tenant.name,
        )
        self._tally.finish(outcome)
        self._outbox.put(outcome)

    def take(
        self,
        tenants: dict[str, Tenant],
        writes: Iterable[list[Any]],
        acknowledge: Callable[[int, Any], None],
    ) -> "asyncio.Future[None]":
        """Have the *writes* of a lane committed.

        Args:
            tenants: Those of the lane.
            writes: What it reports.
            acknowledge: Called with the number of each write when the lane may rely on it.

        Returns:
            Done when all of it is on disk.
        """
        committed = asyncio.get_running_loop().create_future()
        left = Countdown(committed)
        for number, is_admission, values in writes:
            row = _wire.cells_to_row(values)
            tenant = tenants[row.stripe_account]
            write = self._admit if is_admission else self._store
            write(tenant, row, partial(acknowledge, number), left)
        left.down()
        return committed

    def _admit(
        self, tenant: Tenant, row: Row, acknowledge: Callable[[Any], None], left: "Countdown"
    ) -> None:
        account_id = row.account_id
        if account_id in tenant.closing:
            acknowledge(_wire.OVER)
            return
        tenant.unlisted.discard(account_id)
        entry = tenant.open.get(account_id)
        if entry is None:
            entry = tenant.open[account_id] = Entry(Place(Window(0)))

        def admitted(known: Row | None) -> None:
            is_over = known is not None and self._is_over(known)
            if not entry.is_known:
                entry.is_known = True
                self._tally.arriving += 1
                self._tally.look_up(is_new=known is None)
                if known is not None and not is_over:
                    self._tally.reopen(known)
            if is_over:
                tenant.open.pop(account_id, None)
                entry.place.leave()
                acknowledge(_wire.OVER)
            else:
                acknowledge(None if known is None else _wire.row_to_cells(known))
            left.down()

        left.up()
        self._record.put(row, admitted, is_admission=True)

    def _is_over(self, known: Row) -> bool:
        is_from_this_run = known.seq > self._last_seq
        return known is NOTHING_TO_DO or is_from_this_run or known.status in self._record.over

    def _store(
        self, tenant: Tenant, row: Row, acknowledge: Callable[[Any], None], left: "Countdown"
    ) -> None:
        entry = tenant.open.get(row.account_id)
        if entry is None:
            acknowledge(None)  # another lane was faster
            return
        left.up()
        if row.status not in ENDS:
            self._settles(entry, is_settling=row.status == "settling")

            def stored() -> None:
                acknowledge(None)
                left.down()

            self._record.put(row, stored, is_admission=False)
            return
        del tenant.open[row.account_id]
        tenant.closing.add(row.account_id)
        self._settles(entry, is_settling=False)
        row.seq = self._outbox.number()

        def taken() -> None:
            tenant.closing.discard(row.account_id)
            acknowledge(None)

        def finished() -> None:
            outcome = outcome_of_row(row)
            self._tally.finish(outcome)
            self._outbox.put(outcome, row.seq, Acknowledging(entry.place, taken))
            left.down()

        self._record.put(row, finished, is_admission=False)

    def _settles(self, entry: Entry, *, is_settling: bool) -> None:
        self.settling += is_settling - entry.is_settling
        entry.is_settling = is_settling
        if is_settling:
            entry.place.leave()  # banks take minutes; the source is read on meanwhile


class Countdown:
    """Ends a future when as many have counted down as have counted up, and one more."""

    def __init__(self, future: "asyncio.Future[None]") -> None:
        self._future = future
        self._left = 1

    def up(self) -> None:
        """Count one more."""
        self._left += 1

    def down(self) -> None:
        """Count one less."""
        self._left -= 1
        if not self._left and not self._future.done():
            self._future.set_result(None)
