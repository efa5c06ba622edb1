"""The clients that are compared: each refreshes an account and lists a customer's accounts.

A module of this package has an ``async def connect(url)`` that returns an object with three
coroutines: ``refresh(account_id)`` returns the account's status, ``walk(customer_id)`` returns how
many of the customer's accounts are active, and ``aclose()``.
"""

LABELS = {
    "fcasync": "fcasync",
    "raw": "aiohttp + orjson, all prepared",
    "plain": "aiohttp, as people write it",
    "stripe_aiohttp": "official SDK on aiohttp",
    "stripe_httpx": "official SDK on httpx",
}
