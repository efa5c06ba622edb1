"""Where a walk stands, and when it goes nowhere."""

import attrs
import pytest

from fcasync._rules.cursor import Cursor, TokenCursor
from fcasync.errors import InvalidArgumentError, PaginationError


@attrs.frozen
class Item:
    id: str


@attrs.frozen
class Page:
    data: list[Item]
    has_more: bool = True
    next_cursor: str | None = None


def page(*ids: str) -> Page:
    return Page([Item(each) for each in ids])


@pytest.mark.parametrize("before", range(12))
def test_one_repeated_cursor_is_enough(before: int) -> None:
    """list-loop: the first page that ends where the one before it ended is an error."""
    cursor = Cursor()
    for number in range(before):
        assert cursor.advance(page("first", f"fca_{number}"))
    assert cursor.advance(page("fca_last"))
    with pytest.raises(PaginationError, match="an earlier one ended") as caught:
        cursor.advance(page("another", "fca_last"))
    assert caught.value.cursor == "fca_last"


@pytest.mark.parametrize("length", range(2, 9))
def test_a_cycle_of_any_length_ends(length: int) -> None:
    """At the latest after three rounds, although one earlier place is remembered."""
    cursor = Cursor("fca_0")
    with pytest.raises(PaginationError):
        for number in range(1, 4 * length + 8):
            cursor.advance(page(f"fca_{number % length}"))


def test_pages_with_tokens_are_walked_by_them() -> None:
    """Whatever is on the page, even nothing; the position is where an error resumes."""
    cursor = TokenCursor()
    assert cursor.params == {}
    assert cursor.advance(Page([], next_cursor="two"))
    assert cursor.params == {"page": "two"}
    assert not cursor.advance(Page([Item("evt_1")], has_more=False))


@pytest.mark.parametrize("token", [None, "start", "two"])
def test_a_token_that_leads_nowhere_new_ends_the_walk(token: str | None) -> None:
    """A page that names itself, one before it, or none at all."""
    cursor = TokenCursor("start")
    if token == "two":
        assert cursor.advance(Page([], next_cursor="two"))
    with pytest.raises(PaginationError, match="page="):
        cursor.advance(Page([], next_cursor=token))


@pytest.mark.parametrize("page", ["", 2, b"two"])
def test_a_page_is_named_by_text(page: object) -> None:
    """Anything else is refused before a request."""
    with pytest.raises(InvalidArgumentError, match="next_cursor"):
        TokenCursor(page)
