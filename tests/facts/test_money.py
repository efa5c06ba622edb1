"""Amounts in the form that people read."""

import pytest

from fcasync._facts.money import money


@pytest.mark.parametrize(
    ("amounts", "text"),
    [
        ({"usd": 123456}, "1,234.56 USD"),
        ({"usd": -5}, "-0.05 USD"),
        ({"jpy": 1500}, "1,500 JPY"),
        ({"kwd": 1500}, "1.500 KWD"),
        ({"usd": 0, "eur": 100}, "0.00 USD, 1.00 EUR"),
        ({}, ""),
    ],
)
def test_minor_units_become_an_amount(amounts: dict[str, int], text: str) -> None:
    """The number of decimals is the currency's; amounts are never rounded."""
    assert money(amounts) == text
