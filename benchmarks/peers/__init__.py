"""Who is compared: each peer refreshes an account, and walks through the accounts of a customer."""

from importlib import import_module
from typing import Any, Protocol, cast

NAMES = {
    "fcasync": "fcasync",
    "raw": "aiohttp + orjson, all prepared",
    "plain": "aiohttp, as people write it",
    "stripe_aiohttp": "stripe SDK on aiohttp",
    "stripe_httpx": "stripe SDK on httpx",
}
"""Module of each peer, and what tables and charts call it."""


class Peer(Protocol):
    """A client, opened once and used for every round."""

    async def refresh(self, account: str) -> str:
        """Refresh *account* and return its status."""

    async def walk(self, customer: str) -> int:
        """Return how many of the accounts of *customer* are active."""

    async def aclose(self) -> None:
        """Close the connections."""


async def connect(name: str, url: str) -> Peer:
    """Open the peer *name* on the server at *url*.

    Raises:
        ModuleNotFoundError: Its library is not installed.
    """
    module: Any = import_module(f"benchmarks.peers.{name}")
    return cast(Peer, await module.connect(url))
