"""Tables for notebooks."""

import pytest

from fcasync import _html


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
    """The five characters that mean something in HTML are replaced, each once."""
    assert _html.escape(text) == escaped


def test_a_card_has_a_row_for_each_field() -> None:
    """Names are row headers, so that screen readers read them with their values."""
    html = _html.card("Account", [("id", "fca_1"), ("last4", "6789")])
    assert html.count("<tr>") == html.count('scope="row"') == 2
    assert ">fca_1</td>" in html
    assert ">Account</caption>" in html


def test_a_table_has_a_column_for_each_field() -> None:
    """Names are column headers, and every row has its cells in their order."""
    html = _html.table("Accounts", ["id", "last4"], [["fca_1", "1"], ["fca_2", "2"]])
    assert html.count('scope="col"') == 2
    assert html.index("fca_1") < html.index(">1<") < html.index("fca_2") < html.index(">2<")


def test_everything_is_escaped() -> None:
    """Titles, names and values are text, whoever wrote them."""
    html = _html.card("<t>", [("<n>", "<v>")]) + _html.table("<t>", ["<n>"], [["<v>"]])
    assert not any(tag in html for tag in ("<t>", "<n>", "<v>"))
