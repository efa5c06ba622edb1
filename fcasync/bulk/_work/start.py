"""Before a run begins: the server's time, and the journal."""

import asyncio
from collections import Counter

import attrs

from fcasync._wire.uninterrupted import until_done
from fcasync.bulk._journal.connections import as_journal_errors
from fcasync.bulk._journal.header import Header
from fcasync.bulk._journal.journal import Journal
from fcasync.bulk._journal.sqlite import FileJournal, ScratchJournal
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._plan.task import Row
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.settings import Settings
from fcasync.bulk._work.tally import Tally
from fcasync.errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    JournalError,
    ProtocolError,
    ServerError,
)

PATIENCE = (1.0, 4.0)
"""Seconds to wait when the network is down at the start, each after the client's retries."""


async def server_time(network: Network) -> ServerTime:
    """Ask the server for the time, with the smallest request there is.

    Raises:
        FCError: The key is bad, or the network stays down.
    """
    time = ServerTime(network.clock)
    for wait in PATIENCE:
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


@attrs.frozen
class Opened:
    """A journal, and what it says of earlier runs: read by the thread that opened it."""

    journal: Journal
    counts: Counter[tuple[str, str | None]]
    """Accounts by status and reason."""
    unacknowledged: list[Row]
    """Outcomes that the caller has perhaps not seen, in their order."""


def tally(opened: Opened, settings: Settings, now: float) -> Tally:
    """Return the counters of a run that begins *now*, with what earlier runs have done."""
    counts, journal = opened.counts, opened.journal
    reopens = {"deferred"}
    if settings.retry_failed:
        reopens.add("failed")
    if settings.wait:
        reopens |= {"accepted", "pending"}
    tally = Tally(counts, now, frozenset(reopens))
    is_left = any(n for (status, _), n in counts.items() if status in reopens)
    tally.found_finished = journal.finished_at is not None and not is_left
    if tally.found_finished:
        tally.finished_at = journal.finished_at
    return tally


async def open_journal(network: Network, settings: Settings, created: int) -> Opened:
    """Open the journal of the job, or make one that says it was *created* then (Unix time).

    Raises:
        JournalError: It cannot be used.
    """
    header = Header(
        operation=settings.verb.name,
        features=",".join(settings.features),
        api_key=network.api_key,
        stripe_account=network.stripe_account,
        stripe_version=network.stripe_version,
        created=created,
    )
    opening = asyncio.create_task(asyncio.to_thread(_open, settings, header))
    try:
        await until_done([opening])
    except asyncio.CancelledError:
        # A thread cannot be cancelled, and what it opens must not stay locked.
        if opening.exception() is None:
            journal = opening.result().journal
            journal.close(is_complete=True, finished_at=journal.finished_at)
        raise
    return opening.result()


def _open(settings: Settings, header: Header) -> Opened:
    journal = _open_file(settings, header)
    try:
        return Opened(journal, journal.counts(), journal.unacknowledged())
    except BaseException:
        journal.close(is_complete=False)
        raise


def _open_file(settings: Settings, header: Header) -> Journal:
    path = settings.journal
    if path is None:
        return ScratchJournal(header)
    with as_journal_errors(path):
        if not settings.resume and path.exists():
            raise JournalError(f"{path} exists; resume=True goes on with it", path=str(path))
    return FileJournal.open(path, header)
