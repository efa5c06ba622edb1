"""The same with a journal, which is thrown away afterwards."""

from collections.abc import Iterable
from tempfile import TemporaryDirectory

from benchmarks.peers import bulk


class Peer(bulk.Peer):
    async def refresh_all(
        self, accounts: Iterable[str], concurrency: int, journal: str | None = None
    ) -> int:
        with TemporaryDirectory() as folder:
            return await super().refresh_all(accounts, concurrency, f"{folder}/job.sqlite")


async def connect(url: str) -> Peer:
    return Peer(url)
