"""Mirrors each account and its transactions into a new SQLite file."""

import tempfile
from pathlib import Path

import fcasync
from benchmarks import data
from fcasync.mirror import Mirror


class Peer:
    def __init__(self, url: str) -> None:
        self._client = fcasync.Client(data.KEY, base_url=url)

    async def walk(self, customer: str) -> int:
        total = int(customer[4:])
        ids = (data.account_id(number) for number in range(total // data.PAGE))
        with tempfile.TemporaryDirectory() as folder:
            async with Mirror(f"sqlite:///{Path(folder) / 'bank.db'}") as mirror:
                report = await mirror.sync(self._client, ids)
        return report.new

    async def aclose(self) -> None:
        await self._client.aclose()


async def connect(url: str) -> Peer:
    return Peer(url)
