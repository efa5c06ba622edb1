"""A process that refreshes the accounts named in a file, to be killed."""

import asyncio
import json
import sys
from pathlib import Path

from fcasync.client import Client
from fcasync.errors import JournalError

START_RATE = 400.0
"""Slow start is not what is tested here."""


REFUSED = 5
"""The exit code when the journal cannot be gone on with."""


async def main(url: str, api_key: str, journal: str, ids: str, *flags: str) -> None:
    async with Client(api_key, base_url=url, timeout=5.0) as client:
        client._engine.limiter.pace(None, "refresh").learn(START_RATE)
        run = client.bulk.refresh(
            Path(ids).read_text().split(),
            features=["balance"],
            journal=journal,
            retry_failed="retry_failed" in flags,
        )
        async with run:
            report = await run.finish()
    sys.stdout.write(json.dumps(report.to_dict()))


if __name__ == "__main__":
    try:
        asyncio.run(main(*sys.argv[1:]))
    except JournalError:
        sys.exit(REFUSED)
