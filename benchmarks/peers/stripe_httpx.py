"""The official SDK on httpx, which it picks by itself when httpx is installed."""

import stripe

from benchmarks.peers import _stripe


async def connect(url: str) -> _stripe.Peer:
    return _stripe.Peer(url, stripe.HTTPXClient())
