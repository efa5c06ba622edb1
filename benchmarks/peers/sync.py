"""Reads each account and its transactions, as a mirror does, and stores nothing."""

import asyncio

import fcasync
from benchmarks import data

AT_ONCE = 64


class Peer:
    def __init__(self, url: str) -> None:
        self._client = fcasync.Client(data.KEY, base_url=url)

    async def walk(self, customer: str) -> int:
        total = int(customer[4:])
        numbers, found = iter(range(total // data.PAGE)), 0

        async def work() -> None:
            nonlocal found
            for number in numbers:
                async for _ in self._client.transactions.sync(data.account_id(number)):
                    found += 1

        async with asyncio.TaskGroup() as group:
            for _ in range(AT_ONCE):
                group.create_task(work())
        return found

    async def aclose(self) -> None:
        await self._client.aclose()


async def connect(url: str) -> Peer:
    return Peer(url)
