"""The lower bound with fcasync's receive buffer, so that the allocator's mood does not decide.

asyncio receives into 256 KiB, which the C library may map and unmap for every answer.
"""

from typing import Any

import aiohttp

from benchmarks.peers import raw

RECEIVE = 64 * 1024


class Connector(aiohttp.TCPConnector):
    async def _create_connection(self, *args: Any, **settings: Any) -> Any:
        protocol = await super()._create_connection(*args, **settings)
        if hasattr(protocol.transport, "max_size"):
            protocol.transport.max_size = RECEIVE
        return protocol


async def connect(url: str) -> raw.Peer:
    return raw.Peer(url, aiohttp.ClientSession(connector=Connector()))
