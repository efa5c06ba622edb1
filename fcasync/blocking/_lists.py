"""Lists and syncs that are iterated without ``await``: each page is fetched when it is needed."""

from collections.abc import AsyncGenerator, Callable, Generator
from functools import partial
from typing import Generic, TypeVar

import fcasync
from fcasync.blocking._loops import Loops
from fcasync.errors import FCError
from fcasync.models import Account, ItemList, Page, Transaction

T = TypeVar("T")


class Paginator(Generic[T]):
    """A list at Stripe. Nothing is sent until it is iterated or asked for a page.

    * ``for item in paginator`` walks all pages, of 100 items unless ``limit`` says less.
    * ``paginator.page()`` fetches one :class:`fcasync.Page` (10 items unless ``limit`` or
      ``max_items`` says otherwise).
    * ``for page in paginator.pages()`` walks page by page.
    * ``paginator.collect(max_items=1000)`` returns a list.

    While you process one page, the next one is fetched, as by :class:`fcasync.Paginator`. Every
    error in the middle of a walk has a ``cursor``: pass it as ``starting_after`` (or
    ``ending_before``) to continue without missing or repeating an item.
    """

    def __init__(self, loops: Loops, wrapped: "fcasync.Paginator[T]") -> None:
        self._loops = loops
        self._async = wrapped

    def __repr__(self) -> str:
        return f"{repr(self._async).partition(';')[0]}; iterate over it or use page()>"

    def __iter__(self) -> Generator[T]:
        wrapped = self._async
        chunks = partial(wrapped._chunks, wrapped._max_items)
        for items in _walk(self._loops, chunks, _last, self._start):
            yield from items

    def page(self) -> Page[T]:
        """Fetch one page."""
        return self._loops.run(lambda: self._async)

    def pages(self) -> Generator[Page[T]]:
        """Walk page by page; each page is in Stripe's order, even if the walk runs backwards."""
        backwards = self._async._is_backwards
        return _walk(
            self._loops,
            self._async.pages,
            lambda page: _last(page.data[::-1] if backwards else page.data),
            self._start,
        )

    def collect(self, max_items: int | None = None) -> ItemList[T]:
        """Return the items as a list that data frames can read.

        Args:
            max_items: The most items to return; None uses the paginator's own ``max_items``.
        """
        return self._loops.run(self._async.collect, max_items)

    @property
    def _start(self) -> str | None:
        return next(filter(None, self._async._start.values()), None)


class TransactionSync:
    """What is new or changed on one account. Nothing is sent until it is iterated.

    ::

        sync = client.transactions.sync("fca_...", after=saved_cursor)
        for transaction in sync:
            ...  # insert it, or replace the row with the same id; a void one stays a row
        save(sync.cursor)  # together with the rows, in one database transaction

    ``for page in sync.pages()`` walks page by page. After an error, iterate over the same object
    again. All the rest is as in :class:`fcasync.TransactionSync`.
    """

    def __init__(self, loops: Loops, wrapped: "fcasync.TransactionSync") -> None:
        self._loops = loops
        self._async = wrapped

    def __repr__(self) -> str:
        return repr(self._async)

    @property
    def account_id(self) -> str:
        """The id of the account."""
        return self._async.account_id

    @property
    def after(self) -> str | None:
        """The cursor with which it began."""
        return self._async.after

    @property
    def account(self) -> Account | None:
        """The account as it was read before the list; None before the start."""
        return self._async.account

    @property
    def cursor(self) -> str | None:
        """The *after* of the next sync: store it in one transaction with the rows.

        It is *after* itself until every page was processed, and also then if the latest refresh
        had not succeeded when the account was read.
        """
        return self._async.cursor

    def __iter__(self) -> Generator[Transaction]:
        for page in self.pages():
            yield from page.data

    def pages(self) -> Generator[Page[Transaction]]:
        """Walk page by page; a page counts as processed when the next one is asked for.

        Raises:
            UnknownCursorError: Stripe does not know the refresh *after*.
            FCError: A request failed; iterate again to continue.
        """
        return _walk(self._loops, self._async.pages, lambda page: _last(page.data))


def _walk(
    loops: Loops,
    begin: Callable[[], AsyncGenerator[T]],
    position: Callable[[T], str | None],
    start: str | None = None,
) -> Generator[T]:
    """Yield what an asynchronous generator yields.

    Args:
        loops: Where it runs. It must stay on the loop on which it began.
        begin: Makes it.
        position: Returns the cursor behind what was yielded, for errors.
        start: The cursor of the first page.
    """
    loop, steps, cursor = loops.current(), begin(), start
    try:
        while (step := loop.step(steps)) is not None:
            yield step
            cursor = position(step) or cursor
    except BaseException as error:
        loop.discard(steps)
        if isinstance(error, FCError) and error.cursor is None:
            error.cursor = cursor
        raise


def _last(items: "list[T]") -> str | None:
    return getattr(items[-1], "id", None) if items else None
