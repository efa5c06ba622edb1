"""The official SDK on aiohttp."""

import stripe

from benchmarks.peers import _stripe


async def connect(url: str) -> _stripe.Peer:
    return _stripe.Peer(url, stripe.AIOHTTPClient())
