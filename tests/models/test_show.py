"""What reprs and notebooks show and what they hide."""

from datetime import UTC, datetime
from html.parser import HTMLParser
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from fcasync.models import (
    Account,
    AccountOwner,
    Balance,
    BalanceRefresh,
    BankAccountToken,
    Event,
    ExpandedObject,
    Page,
    Session,
    Transaction,
)
from fcasync.models._convert import decoder
from tests.models.samples import account_page
from tests.models.strategies import json_of

SECRET = "fcsess_1Pgc_secret_AbCdEf0123456789"


def test_a_repr_shows_the_fields_that_are_set() -> None:
    """A repr shows the class and its fields except those that are None."""
    refresh = BalanceRefresh(status="pending", last_attempted_at=datetime(2025, 1, 1, tzinfo=UTC))
    shown = "BalanceRefresh(last_attempted_at=2025-01-01T00:00:00Z, status='pending')"
    assert repr(refresh) == shown
    assert repr(Account(id="fca_1", last4="6789")) == "Account(id='fca_1', last4='6789')"
    assert repr(ExpandedObject(id="cus_1", object="customer")) == (
        "ExpandedObject(id='cus_1', object='customer')"
    )


def test_amounts_are_shown_in_full() -> None:
    """A large amount is not mistaken for an account number."""
    assert repr(Balance(current={"usd": 1_234_567_890})) == "Balance(current={'usd': 1234567890})"
    assert (
        repr(Transaction(id="t", amount=-123_456_789)) == "Transaction(id='t', amount=-123456789)"
    )


@pytest.mark.parametrize(
    ("size", "has_more", "shown"),
    [
        (0, False, "<Page of 0 items>"),
        (1, False, "<Page of 1 Account>"),
        (100, True, "<Page of 100 Accounts, more follow>"),
    ],
)
def test_a_page_shows_its_size(size: int, has_more: bool, shown: str) -> None:
    """A page of a hundred accounts does not fill the screen."""
    page = decoder(Page[Account])(account_page(*[{}] * size, has_more=has_more))
    assert repr(page) == shown


def test_long_lists_and_texts_are_shortened() -> None:
    """A repr stays short, whatever Stripe sends."""
    assert "[9 items]" in repr(Account(id="fca_1", permissions=["x"] * 9))
    assert len(repr(Account(id="fca_1", display_name="x" * 5000))) < 150


def leaks() -> list[Any]:
    owner: Any = {
        "email": "jane@example.com",
        "phone": "+1 555 0100",
        "raw_address": "Main Street 1",
    }
    return [
        (Session(id="fcsess_1", client_secret=SECRET), "AbCdEf"),
        (Session(id="fcsess_1", client_secret="not-of-that-shape"), "not-of"),
        (Session(id="fcsess_1", return_url=f"https://x.test/?s={SECRET}"), "AbCdEf"),
        (AccountOwner(id="fcaown_1", **owner), "jane@"),
        (AccountOwner(id="fcaown_1", **owner), "0100"),
        (AccountOwner(id="fcaown_1", **owner), "Main Street"),
        (BankAccountToken(id="btok_1", client_ip="203.0.113.9"), "203."),
        (Account(id="fca_1", display_name="Giro 000123456789"), "0001234"),
        (Account(id="fca_1", display_name="Giro 0001-2345-6789"), "2345"),
        (Transaction(id="fctxn_1", description="to 0001 2345 6789 00"), "2345"),
        (Account(id="fca_1", extra={"account_number": "000123456789"}), "0001234"),
        (Account(id="fca_1", extra={"secret": SECRET}), "AbCdEf"),
        (Account(id="fca_1", ownership="sk_live_0123456789abcdef"), "abcdef"),
        (
            decoder(Event)(
                {
                    "id": "evt_1",
                    "object": "event",
                    "type": "unknown",
                    "data": {"object": {"client_secret": SECRET}},
                }
            ),
            "AbCdEf",
        ),
    ]


@pytest.mark.parametrize(("model", "secret"), leaks())
def test_no_repr_shows_a_secret(model: Any, secret: str) -> None:
    """Account numbers, client secrets, keys and personal data stay out of reprs and notebooks."""
    assert secret not in repr(model)
    assert secret not in model._repr_html_()
    assert secret not in Page(data=[model])._repr_html_()


@pytest.mark.parametrize(("model", "secret"), leaks())
def test_rich_shows_no_secret_either(model: Any, secret: str) -> None:
    """Rich prints attrs classes field by field unless they define what to print."""
    pretty = pytest.importorskip("rich.pretty")
    assert secret not in pretty.pretty_repr(model)


def test_the_last_four_digits_of_an_account_number_stay() -> None:
    """The digits by which its holder identifies an account are shown."""
    assert "Giro ••••6789" in repr(Account(id="fca_1", display_name="Giro 000123456789"))


def test_control_characters_are_escaped() -> None:
    """A name cannot control the terminal."""
    shown = repr(Account(id="fca_1", display_name="\x1b[31mred\n\u202e"))
    assert shown.isprintable()


class Tags(HTMLParser):
    """Checks that tags are balanced, and collects the tags and the text between them."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.text = ""

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.open.append(tag)
        self.tags.add(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def parse(html: str) -> Tags:
    tags = Tags()
    tags.feed(html)
    assert tags.open == []
    return tags


TABLE = {"div", "style", "table", "caption", "thead", "tbody", "tr", "th", "td"}


@pytest.mark.parametrize("cls", [Account, Session, AccountOwner, Page[Account]], ids=str)
def test_every_model_becomes_a_valid_table(cls: Any) -> None:
    """No value breaks out of its cell: tags are balanced, and only those of a table occur."""

    @settings(max_examples=25, suppress_health_check=list(HealthCheck), deadline=None)
    @given(json_of(cls))
    def check(value: dict[str, Any]) -> None:
        assert parse(decoder(cls)(value)._repr_html_()).tags <= TABLE

    check()


def test_markup_from_stripe_is_text() -> None:
    """A bank whose name is a script does not run it."""
    html = Account(id="fca_1", institution_name="<script>alert('1')</script>")._repr_html_()
    assert "<script" not in html
    assert "<script>alert('1')</script>" in parse(html).text


def test_a_page_is_a_table_with_a_row_for_each_account() -> None:
    """It has the columns that are worth comparing; amounts are in major units."""
    page = decoder(Page[Account])(account_page({}, {"id": "fca_2", "balance": None}))
    html = page._repr_html_()
    assert html.count("<tr>") == 3
    assert "12,345,678.90 USD" in html
    assert "fca_2" in html


def test_tables_follow_the_theme() -> None:
    """Neither a background nor a text colour is fixed, so dark and light pages both work."""
    html = decoder(Page[Account])(account_page({}))._repr_html_()
    assert "background:transparent" in html
    assert "color:inherit" in html
    assert "#" not in html.replace("&#x27;", "")


def test_digits_stand_in_line() -> None:
    """Amounts are aligned to the right, words to the left."""
    html = decoder(Page[Account])(account_page({}))._repr_html_()
    assert '<td class="number">12,345,678.90 USD</td>' in html
