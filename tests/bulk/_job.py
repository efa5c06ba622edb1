"""A process that refreshes the accounts of a sandbox, to be killed: URL, key, journal, flags."""

import asyncio
import json
import sys

from fcasync.client import Client

START_RATE = 400.0
"""Slow start is not what is tested here."""


async def main(url: str, api_key: str, journal: str, ids: str, *flags: str) -> None:
    async with Client(api_key, base_url=url, timeout=5.0) as client:
        client._engine.limiter.pace(None, "refresh").learn(START_RATE)
        run = client.bulk.refresh(
            ids.split(","),
            features=["balance"],
            journal=journal,
            retry_failed="retry_failed" in flags,
        )
        async with run:
            report = await run.finish()
    sys.stdout.write(json.dumps(report.to_dict()))


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
