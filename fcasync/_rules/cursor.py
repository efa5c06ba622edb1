"""Walking a list by its cursors: which page to ask for next, and when the walk is over."""

from collections.abc import Sequence
from typing import Any, Protocol

from fcasync._rules import checks
from fcasync.errors import InvalidArgumentError, PaginationError


class ListPage(Protocol):
    """What the walk needs to know of a page."""

    @property
    def data(self) -> Sequence[Any]:
        """The objects, in Stripe's order; each has an id, which serves as a cursor."""

    @property
    def has_more(self) -> bool:
        """Whether there are more in the direction of the walk."""

    @property
    def next_cursor(self) -> str | None:
        """What the next page is asked for by, walking forwards; None on the last one."""


class Cursor:
    """Where a walk stands.

    Forwards it asks for what comes after the last id seen. Backwards (``ending_before``) it asks
    for what comes before the first id of the page, and each page is read from its end, as the
    official SDKs do, so that the walk as a whole runs against Stripe's order.
    """

    def __init__(self, starting_after: object = None, ending_before: object = None) -> None:
        if starting_after is not None and ending_before is not None:
            raise InvalidArgumentError("give only one of starting_after and ending_before")
        self.is_backwards = ending_before is not None
        self._parameter = "ending_before" if self.is_backwards else "starting_after"
        start = ending_before if self.is_backwards else starting_after
        self.position = None if start is None else checks.object_id(start, self._parameter)
        """The id that the next page is relative to; None for the first page."""
        self._mark, self._steps, self._limit = self.position, 0, 1

    @property
    def params(self) -> dict[str, str]:
        """The parameter that asks for the next page."""
        return {} if self.position is None else {self._parameter: self.position}

    def advance(self, page: ListPage) -> bool:
        """Move past *page*; return whether another one follows.

        Raises:
            PaginationError: The page promises more but leads nowhere new.
        """
        if not page.has_more:
            return False
        position = self._place(page)
        if position in (self.position, self._mark):
            raise self._stuck("Stripe sent a page that ends where an earlier one ended")
        self.position = position
        self._remember(position)
        return True

    def _place(self, page: ListPage) -> str:
        """Return the position behind *page*."""
        if not page.data:
            raise self._stuck("Stripe sent an empty page that promises more")
        position: str = page.data[0 if self.is_backwards else -1].id
        return position

    def _remember(self, position: str) -> None:
        # Brent's algorithm finds a cycle of any length while it remembers a single place.
        self._steps += 1
        if self._steps == self._limit:
            self._mark, self._steps, self._limit = position, 0, 2 * self._limit

    def _stuck(self, what: str) -> PaginationError:
        return PaginationError(f"{what} ({self._parameter}={self.position})", cursor=self.position)


class TokenCursor(Cursor):
    """Where a walk through a list of the v2 API stands: its pages are named by tokens, not by ids.

    Such a page may be empty: what follows it does not depend on what it holds.
    """

    def __init__(self, page: object = None) -> None:
        super().__init__()
        self._parameter = "page"
        self.position = self._mark = None if page is None else checks.page_token(page)

    def _place(self, page: ListPage) -> str:
        if page.next_cursor is None:
            raise self._stuck("Stripe sent a next_page_url without a page")
        return page.next_cursor
