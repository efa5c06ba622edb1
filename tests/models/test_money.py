"""Amounts: exact in every currency, and never mixed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync import InvalidArgumentError, Money
from fcasync.models import Account, Balance, CashBalance, Transaction
from fcasync.models._convert import decoder

CURRENCIES = st.sampled_from(["usd", "JPY", "bhd"])
AMOUNTS = st.integers(-(10**40), 10**40)


@pytest.mark.parametrize(
    ("amount", "currency", "decimal", "shown"),
    [
        (123_456, "usd", "1234.56", "1,234.56 USD"),
        (-5, "USD", "-0.05", "-0.05 USD"),
        (500, "jpy", "500", "500 JPY"),
        (1_234, "bhd", "1.234", "1.234 BHD"),
        (0, "eur", "0.00", "0.00 EUR"),
    ],
)
def test_the_currency_decides_where_the_point_is(
    amount: int, currency: str, decimal: str, shown: str
) -> None:
    """Yen have no minor unit, Bahraini dinars have thousandths, most currencies have cents."""
    money = Money(amount, currency)
    assert str(money.decimal) == decimal
    assert str(money) == shown


@given(AMOUNTS, CURRENCIES)
def test_an_amount_survives_the_way_through_a_decimal(amount: int, currency: str) -> None:
    """Nothing is rounded, however large the amount is."""
    money = Money(amount, currency)
    sign, digits, _ = money.decimal.as_tuple()
    assert int("".join(map(str, digits))) * (-1 if sign else 1) == amount
    if abs(amount) < 10**28:
        assert Money.of(money.decimal, currency) == money
        assert Money.of(str(money.decimal), currency) == money


@given(AMOUNTS, AMOUNTS, CURRENCIES)
def test_arithmetic_is_that_of_whole_numbers(one: int, two: int, currency: str) -> None:
    """Sums, differences and comparisons of one currency are those of the minor units."""
    a, b = Money(one, currency), Money(two, currency)
    assert a + b - b == a
    assert -a == Money(-one, currency)
    assert (a < b, a <= b, a > b, a >= b, a == b) == (
        one < two,
        one <= two,
        one > two,
        one >= two,
        one == two,
    )


@pytest.mark.parametrize(
    "value", ["abc", "", "1.234", 1.5, True, None, "nan", "-inf", "1e999999999"]
)
def test_what_is_not_an_exact_amount_is_refused(value: Any) -> None:
    """Floats, fractions of a cent, infinities and absurd exponents fail with one sentence."""
    with pytest.raises(InvalidArgumentError, match="an amount in USD must be"):
        Money.of(value, "usd")


@pytest.mark.parametrize("amount", ["12", 1.0, True, None])
def test_minor_units_are_whole(amount: Any) -> None:
    """A float as an amount of cents is a mistake by a factor of a hundred."""
    with pytest.raises(InvalidArgumentError, match="whole minor units"):
        Money(amount, "usd")


@pytest.mark.parametrize("currency", ["", "us", "dollars", "u$d", None, "üsd"])
def test_a_currency_is_a_code_of_letters(currency: Any) -> None:
    """Anything else cannot be counted in."""
    with pytest.raises(InvalidArgumentError, match="a code of letters"):
        Money(1, currency)


def test_currencies_do_not_mix() -> None:
    """Neither sums nor comparisons of two currencies have a meaning; they are only not equal."""
    dollars, yen = Money(1, "usd"), Money(1, "jpy")
    assert dollars != yen
    for mistake in (lambda: dollars + yen, lambda: dollars - yen, lambda: dollars < yen):
        with pytest.raises(TypeError, match="USD and JPY cannot be"):
            mistake()
    with pytest.raises(TypeError):
        dollars + 1


def test_a_transaction_knows_its_money() -> None:
    """It needs both an amount and a currency."""
    assert Transaction(id="fctxn_1", amount=-1250, currency="usd").money == Money(-1250, "usd")
    assert Transaction(id="fctxn_1", amount=-1250).money is None


@pytest.mark.parametrize(
    ("balance", "basis", "shown"),
    [
        (
            Balance(current={"usd": 6}, cash=CashBalance(available={"usd": 4})),
            "available",
            {"usd": Money(4, "usd")},
        ),
        (Balance(current={"usd": 6}), "current", {"usd": Money(6, "usd")}),
        (Balance(current={"usd": 6}, cash=CashBalance()), "current", {"usd": Money(6, "usd")}),
        (Balance(type="credit", current={"usd": -9}), "current", {"usd": Money(-9, "usd")}),
        (Balance(), None, {}),
    ],
)
def test_a_balance_shows_what_can_be_spent_if_the_bank_says_so(
    balance: Balance, basis: str | None, shown: dict[str, Money]
) -> None:
    """Small banks report only what was booked; debts are negative."""
    assert (balance.basis, balance.available_or_current) == (basis, shown)


def account(status: str, **details: Any) -> Account:
    return decoder(Account)(
        {
            "id": "fca_1",
            "object": "financial_connections.account",
            "status": status,
            "status_details": details,
        }
    )


@pytest.mark.parametrize(
    ("seen", "action", "by"),
    [
        (account("active"), "none", None),
        (account("active", active={"action": "none"}), "none", None),
        (account("active", active={"action": "relink_required"}), "relink", "account_holder"),
        (account("inactive"), "relink", "account_holder"),
        (account("inactive", inactive={"action": "relink_required"}), "relink", "account_holder"),
        (account("inactive", inactive={"action": "none"}), "wait", "institution"),
        (account("inactive", inactive="odd"), "relink", "account_holder"),
        (account("disconnected"), "relink", "account_holder"),
        (Account(id="fca_1"), "none", None),
    ],
)
def test_an_account_says_what_has_to_be_done(seen: Account, action: str, by: str | None) -> None:
    """The status, its details and the preview's details together decide who must act."""
    assert (seen.action, seen.action.by) == (action, by)


def test_money_can_be_summed_and_laid_out() -> None:
    """What tables of money need: a sum, an absolute amount, a width."""
    amounts = [Money(100, "usd"), Money(-250, "usd")]
    assert sum(amounts) == Money(-150, "usd")
    assert abs(amounts[1]) == Money(250, "usd")
    assert f"{amounts[1]:>12}" == "   -2.50 USD"
    with pytest.raises(TypeError):
        1 + amounts[0]
