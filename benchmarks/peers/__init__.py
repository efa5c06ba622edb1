"""The clients that are compared: each refreshes an account and lists a customer's accounts.

A module of this package has an ``async def connect(url)`` that returns an object with three
coroutines: ``refresh(account_id)`` returns the account's status, ``walk(customer_id)`` returns how
many of the customer's accounts are active, and ``aclose()``.
"""

LABELS = {
    "fcasync": "fcasync",
    "raw": "aiohttp + orjson, all prepared",
    "raw_small": "the same, with a receive buffer of 64 KiB",
    "plain": "aiohttp, as people write it",
    "pyreqwest": "pyreqwest + orjson",
    "minimal": "the bytes alone, on an asyncio.Protocol",
    "stripe_aiohttp": "official SDK on aiohttp",
    "stripe_httpx": "official SDK on httpx",
}
