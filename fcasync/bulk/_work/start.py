"""Before a run begins: the server's time, and the journal."""

import asyncio
from collections import Counter
from pathlib import Path
from uuid import uuid4

import attrs

from fcasync._facts.clock import Clock
from fcasync._wire.uninterrupted import until_done
from fcasync.bulk._journal.commit import GroupCommit
from fcasync.bulk._journal.connections import as_journal_errors
from fcasync.bulk._journal.header import MANY, Header
from fcasync.bulk._journal.memory import Memory
from fcasync.bulk._journal.record import Record
from fcasync.bulk._journal.sqlite import FileJournal
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._plan.task import Job, Row
from fcasync.bulk._work.network import Network, Party
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    InvalidArgumentError,
    JournalError,
    ProtocolError,
    ServerError,
)

WAITS = (1.0, 4.0)
"""Seconds to wait when the network is down at the start, each after the client's retries."""


async def server_time(network: Network) -> ServerTime:
    """Ask the server for the time, with the smallest request there is.

    Raises:
        FCError: The key is bad, or the network stays down.
    """
    time = ServerTime(network.clock)
    for wait in WAITS:
        try:
            await _ask(network, time)
        except (APIConnectionError, ProtocolError, ServerError):
            await network.clock.sleep(wait)
        else:
            return time
    await _ask(network, time)
    return time


async def _ask(network: Network, time: ServerTime) -> None:
    try:
        response = await network.list_page(None, 1)
    except AuthenticationError:
        raise
    except APIStatusError as error:
        # A key may be allowed to refresh and not to list; this response has a date as well.
        time.observe(error.headers)
        if not time.is_known:
            raise
    else:
        time.observe(response.headers)
        if not time.is_known:
            raise ProtocolError("a response without Date or Request-Id; is this Stripe's API?")


@attrs.frozen(kw_only=True)
class Opened:
    """What earlier runs have left, and where this one writes down what it does."""

    header: Header
    record: Record
    last_seq: int = 0
    """Number of the last outcome of earlier runs."""
    was_cut_short: bool = False
    """Whether some run never closed it: something may be missing that nobody can see."""
    finished_at: int | None = None
    """The server's Unix time at which an earlier run found nothing left to do."""
    counts: Counter[tuple[str, str | None]] = attrs.field(factory=Counter)
    """Accounts by status and reason."""
    tenants: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    """Accounts by connected account and status."""
    unacknowledged: list[Row] = attrs.field(factory=list)
    """Outcomes that the caller has perhaps not seen, in their order."""

    def passed(self) -> frozenset[str]:
        """Return the tenants with which a finished job is finished.

        Others may be in the source all the same: of a shard that was cut otherwise, or whose
        journal was not merged.
        """
        return frozenset(tenant for tenant, _ in self.tenants)


def job(opened: Opened, settings: Settings) -> Job:
    """Return what is to be done to every account."""
    return Job(
        id=opened.header.id,
        verb=settings.verb,
        features=settings.features,
        seq=opened.last_seq,
        wait=settings.wait and not settings.dry_run,
        retry_failed=settings.retry_failed,
        max_age=settings.max_age,
        dry_run=settings.dry_run,
    )


def tally(opened: Opened, settings: Settings, now: float) -> Tally:
    """Return the counters of a run that begins *now*, with what earlier runs have done."""
    counts = opened.counts
    reopens = {"deferred"}
    if settings.retry_failed:
        reopens.add("failed")
    if settings.wait:
        reopens |= {"accepted", "pending"}
    tally = Tally(counts, now, frozenset(reopens), opened.tenants)
    is_left = any(n for (status, _), n in counts.items() if status in reopens)
    tally.found_finished = opened.finished_at is not None and not is_left
    if tally.found_finished:
        tally.finished_at = opened.finished_at
    return tally


async def open_journal(party: Party, settings: Settings, time: ServerTime) -> Opened:
    """Open the journal of the job, or make one that says it was created now.

    A job with a name began when it says so. Whatever its journal does not know may have been sent
    since then by a process that lost its own.

    Raises:
        JournalError: It cannot be used.
        InvalidArgumentError: The job's ``since`` lies in the future.
    """
    if settings.since is not None and settings.since > time.latest():
        raise InvalidArgumentError(
            f"since={settings.since} lies {settings.since - time.latest():.0f} s in the future"
        )
    is_named = settings.job_id is not None
    header = Header(
        id=settings.job_id or uuid4().hex,
        operation=settings.verb.name,
        features=",".join(settings.features),
        api_key=party.api_key,
        stripe_account=MANY if settings.is_for_many else party.stripe_account,
        stripe_version=party.stripe_version,
        created=time.earliest() if settings.since is None else settings.since,
    )
    if settings.journal is None or settings.dry_run:
        return Opened(header=header, record=Memory(), was_cut_short=is_named)
    return await _open_file(settings.journal, header, settings, party.clock)


async def _open_file(path: Path, header: Header, settings: Settings, clock: Clock) -> Opened:
    opening = asyncio.create_task(
        asyncio.to_thread(_read, path, header, settings, clock), name="fcasync.bulk.open_journal"
    )
    try:
        await until_done([opening])
    except asyncio.CancelledError:
        # A thread cannot be cancelled, and what it opens must not stay locked.
        if opening.exception() is None:
            opened = opening.result()
            opened.record.finished_at = opened.finished_at
            opened.record.close()
        raise
    return opening.result()


def _read(path: Path, header: Header, settings: Settings, clock: Clock) -> Opened:
    with as_journal_errors(path):
        if not settings.resume and path.exists():
            raise JournalError(f"{path} exists; resume=True goes on with it", path=str(path))
    journal = FileJournal.open(path, header, is_named=settings.job_id is not None)
    try:
        return Opened(
            header=journal.header,
            record=GroupCommit(journal, clock),
            last_seq=journal.last_seq,
            was_cut_short=journal.was_cut_short,
            finished_at=journal.finished_at,
            counts=journal.counts(),
            tenants=journal.tenants() if settings.is_for_many else Counter(),
            unacknowledged=journal.unacknowledged(),
        )
    except BaseException:
        journal.close(is_complete=False)
        raise
