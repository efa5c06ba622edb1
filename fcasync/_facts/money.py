"""Amounts in the form that people read; Stripe sends minor units (https://docs.stripe.com/currencies)."""

from collections.abc import Mapping

_NO_MINOR_UNIT = frozenset(
    [
        "bif",
        "clp",
        "djf",
        "gnf",
        "jpy",
        "kmf",
        "krw",
        "mga",
        "pyg",
        "rwf",
        "ugx",
        "vnd",
        "vuv",
        "xaf",
        "xof",
        "xpf",
    ]
)
_THOUSANDTHS = frozenset(["bhd", "jod", "kwd", "omr", "tnd"])


def money(amounts: Mapping[str, int]) -> str:
    """Return amounts by currency as text: ``{"usd": 123456}`` is ``1,234.56 USD``."""
    return ", ".join(f"{_major(amount, name)} {name.upper()}" for name, amount in amounts.items())


def places(currency: str) -> int:
    """Return how many decimal places an amount in *currency* has: 0 for JPY, 3 for BHD, else 2."""
    currency = currency.lower()
    return 0 if currency in _NO_MINOR_UNIT else 3 if currency in _THOUSANDTHS else 2


def _major(amount: int, currency: str) -> str:
    digits = places(currency)
    whole, rest = divmod(abs(amount), 10**digits)
    fraction = f".{rest:0{digits}}" if digits else ""
    return f"{'-' if amount < 0 else ''}{whole:,}{fraction}"
