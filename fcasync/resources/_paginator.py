"""Lists: one page when awaited, every item when iterated."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Coroutine, Generator, Mapping
from contextlib import aclosing
from typing import Any, Generic, NoReturn, TypeVar

from fcasync._rules import checks
from fcasync._rules.cursor import Cursor, TokenCursor
from fcasync.errors import FCError, InvalidArgumentError, describe
from fcasync.models.page import ItemList, Page

T = TypeVar("T")
Fetch = Callable[[Mapping[str, Any]], Coroutine[Any, Any, Page[T]]]

LARGEST_PAGE = 100
"""Stripe's largest page; the default of a walk, because it needs the fewest requests."""


class Paginator(Generic[T]):
    """A list at Stripe. Nothing is sent until the paginator is awaited or iterated.

    * ``await paginator`` fetches one :class:`fcasync.Page` (10 items unless ``limit`` or
      ``max_items`` says otherwise).
    * ``async for item in paginator`` walks all pages, of 100 items unless ``limit`` says less.
    * ``async for page in paginator.pages()`` walks page by page.
    * ``await paginator.collect(max_items=1000)`` returns a list.

    While you process one page, the next one is fetched, never more than one page ahead;
    ``prefetch=False`` turns that off. Leaving a loop early cancels the request in flight. Every
    error in the middle of a walk has a ``cursor``: pass it as ``starting_after`` (or
    ``ending_before``; ``page`` in a list of the v2 API) to continue without missing or repeating an
    item.
    """

    def __init__(
        self,
        fetch: Fetch[T],
        *,
        limit: int | None = None,
        max_items: int | None = None,
        starting_after: str | None = None,
        ending_before: str | None = None,
        page: str | None = None,
        prefetch: bool = True,
        of: type[T] | None = None,
        has_tokens: bool = False,
    ) -> None:
        self._fetch = fetch
        self._limit = checks.page_size(limit)
        self._max_items = _max_items(max_items)
        ids = {"starting_after": starting_after, "ending_before": ending_before}
        self._start = {"page": page} if has_tokens else ids
        self._cursor: type[Cursor] = TokenCursor if has_tokens else Cursor
        self._prefetch = prefetch
        self._of = of
        self._cursor(**self._start)  # an invalid one is refused here, not in the middle of a loop

    def __repr__(self) -> str:
        start = ", ".join(f"{name}={value}" for name, value in self._start.items() if value)
        return f"<Paginator {start or 'from the start'}; await it or use `async for`>"

    def __getattr__(self, name: str) -> NoReturn:
        hint = ": await it for one page, or iterate over it" if hasattr(Page, name) else ""
        raise AttributeError(f"a Paginator has no attribute {name!r}{hint}", name=name, obj=self)

    def __await__(self) -> Generator[Any, Any, Page[T]]:
        cursor = self._cursor(**self._start)
        few = min(LARGEST_PAGE, self._max_items) if self._max_items else None
        return self._fetch({**cursor.params, "limit": self._limit or few}).__await__()

    def __aiter__(self) -> AsyncGenerator[T]:
        return self._items(self._max_items)

    async def _items(self, max_items: int | None) -> AsyncGenerator[T]:
        async with aclosing(self._chunks(max_items)) as chunks:
            async for items in chunks:
                for item in items:
                    yield item

    async def _chunks(self, max_items: int | None) -> AsyncGenerator[list[T]]:
        """Walk in the order of the items, with those of one page at a time."""
        left = max_items
        async with aclosing(self._pages(max_items)) as pages:
            async for page in pages:
                items = page.data[::-1] if self._is_backwards else page.data
                yield items[:left]
                if left is not None:
                    left -= len(items)

    def pages(self) -> AsyncGenerator[Page[T]]:
        """Walk page by page; each page is in Stripe's order, even if the walk runs backwards."""
        return self._pages(self._max_items)

    async def collect(self, max_items: int | None = None) -> ItemList[T]:
        """Return the items as a list that notebooks show as a table and data frames can read.

        Args:
            max_items: The most items to return; None uses the paginator's own ``max_items``.
        """
        limit = self._max_items if max_items is None else _max_items(max_items)
        return ItemList([item async for item in self._items(limit)], of=self._of)

    @property
    def _is_backwards(self) -> bool:
        return self._start.get("ending_before") is not None

    async def _pages(self, max_items: int | None) -> AsyncGenerator[Page[T]]:
        if max_items == 0:
            return
        cursor, seen = self._cursor(**self._start), 0
        ahead: asyncio.Task[Page[T]] | None = None
        try:
            while True:
                page = await (ahead or self._next(cursor, max_items))
                ahead = None
                seen += len(page.data)
                is_enough = max_items is not None and seen >= max_items
                has_next = not is_enough and cursor.advance(page)
                if has_next and self._prefetch:
                    ahead = asyncio.create_task(
                        self._next(cursor, max_items), name="fcasync.prefetch"
                    )
                yield page
                if not has_next:
                    return
        finally:
            if ahead is not None:
                await _discard(ahead)

    async def _next(self, cursor: Cursor, max_items: int | None) -> Page[T]:
        size = self._limit or min(LARGEST_PAGE, max_items or LARGEST_PAGE)
        position = cursor.position
        try:
            return await self._fetch({**cursor.params, "limit": size})
        except FCError as error:
            error.cursor = position
            raise


async def _discard(task: asyncio.Task[Any]) -> None:
    """Cancel *task* and wait for its end; its result or error is discarded."""
    task.cancel()
    await asyncio.wait([task])
    if not task.cancelled():
        task.exception()


def _max_items(value: object) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0):
        return value
    raise InvalidArgumentError(
        f"max_items must be a whole number from 0, or None, not {describe(value)}"
    )
