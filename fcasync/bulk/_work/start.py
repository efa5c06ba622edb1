"""Before a run begins: the server's time, and the journal."""

import asyncio
from collections.abc import Mapping

from fcasync.bulk._journal.header import Header
from fcasync.bulk._journal.journal import Journal, NoJournal
from fcasync.bulk._journal.sqlite import FileJournal
from fcasync.bulk._plan.server_time import ServerTime
from fcasync.bulk._work.network import Network
from fcasync.bulk._work.settings import Settings
from fcasync.errors import (
    APIConnectionError,
    APIStatusError,
    AuthenticationError,
    JournalError,
    ProtocolError,
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
            time.observe(await _date(network))
        except (APIConnectionError, ProtocolError):
            await network.clock.sleep(wait)
        else:
            return time
    time.observe(await _date(network))
    return time


async def _date(network: Network) -> Mapping[str, str]:
    try:
        return (await network.list_page(None, 1)).headers
    except AuthenticationError:
        raise
    except APIStatusError as error:
        # A key may be allowed to refresh and not to list; this response has a date as well.
        return error.headers


async def open_journal(network: Network, settings: Settings, created: int) -> Journal:
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
        return await asyncio.shield(opening)
    except asyncio.CancelledError:
        # A thread cannot be cancelled, and what it opens must not stay locked.
        (await opening).close(is_complete=True)
        raise


def _open(settings: Settings, header: Header) -> Journal:
    path = settings.journal
    if path is None:
        return NoJournal(header)
    if not settings.resume and path.exists():
        raise JournalError(f"{path} exists; resume=True goes on with it", path=str(path))
    return FileJournal.open(path, header)
