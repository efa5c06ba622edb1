"""Tables for notebooks."""

import pytest

from fcasync._facts import html


@pytest.mark.parametrize(
    ("text", "escaped"),
    [
        ("plain", "plain"),
        ("<b>", "&lt;b&gt;"),
        ("a & b", "a &amp; b"),
        ("&lt;", "&amp;lt;"),
        ("\"'", "&quot;&#x27;"),
    ],
)
def test_escape(text: str, escaped: str) -> None:
    """The five special characters of HTML are replaced, each once."""
    assert html.escape(text) == escaped


def test_a_card_has_a_row_for_each_field() -> None:
    """Names are row headers, so that screen readers read them with their values."""
    text = html.card("Account", [("id", "fca_1"), ("last4", "6789")])
    assert text.count("<tr>") == text.count('scope="row"') == 2
    assert ">fca_1</td>" in text
    assert ">Account</caption>" in text


def test_a_table_has_a_column_for_each_field() -> None:
    """Names are column headers, and every row has its cells in their order."""
    text = html.table("Accounts", ["id", "last4"], [["fca_1", "1"], ["fca_2", "2"]])
    assert text.count('scope="col"') == 2
    assert text.index("fca_1") < text.index(">1<") < text.index("fca_2") < text.index(">2<")


def test_everything_is_escaped() -> None:
    """Titles, names and values are always text."""
    text = html.card("<t>", [("<n>", "<v>")]) + html.table("<t>", ["<n>"], [["<v>"]])
    assert not any(tag in text for tag in ("<t>", "<n>", "<v>"))
