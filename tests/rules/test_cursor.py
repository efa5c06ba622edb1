"""Where a walk stands, and when it goes nowhere."""

import attrs
import pytest

from fcasync._rules.cursor import Cursor
from fcasync.errors import PaginationError


@attrs.frozen
class Item:
    id: str


@attrs.frozen
class Page:
    data: list[Item]
    has_more: bool = True


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
