"""Walking lists: one page, all items, both directions, and errors in the middle."""

import asyncio
from collections.abc import Mapping
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fcasync.errors import InvalidArgumentError, PaginationError, ServerError
from fcasync.models import Account, ItemList, Page
from fcasync.resources._paginator import Paginator


@attrs.frozen
class Item:
    id: str


class List:
    """A list on a server, newest first, that records its requests."""

    def __init__(self, total: int) -> None:
        self.items = [Item(f"fca_{n}") for n in range(total)]
        self.requests: list[Mapping[str, Any]] = []
        self.under_way = 0

    async def fetch(self, params: Mapping[str, Any]) -> Page[Item]:
        self.requests.append(params)
        self.under_way += 1
        try:
            await asyncio.sleep(0)
            return self._page(params)
        finally:
            self.under_way -= 1

    def _page(self, params: Mapping[str, Any]) -> Page[Item]:
        size = params.get("limit") or 10
        ids = [item.id for item in self.items]
        if before := params.get("ending_before"):
            end = ids.index(before)
            start = max(0, end - size)
            return Page(data=self.items[start:end], has_more=start > 0)
        start = ids.index(params["starting_after"]) + 1 if params.get("starting_after") else 0
        return Page(data=self.items[start : start + size], has_more=start + size < len(ids))

    def walk(self, **arguments: Any) -> Paginator[Item]:
        return Paginator(self.fetch, **arguments)


@given(
    total=st.integers(0, 30),
    limit=st.integers(1, 7),
    prefetch=st.booleans(),
    max_items=st.none() | st.integers(0, 35),
)
def test_a_walk_yields_each_item_once_and_in_order(
    total: int, limit: int, prefetch: bool, max_items: int | None
) -> None:
    """Page size and prefetching change the number of requests, never the items."""
    source = List(total)

    async def collect() -> list[Item]:
        walk = source.walk(limit=limit, prefetch=prefetch, max_items=max_items)
        return [item async for item in walk]

    assert asyncio.run(collect()) == source.items[:max_items]
    wanted = total if max_items is None else min(total, max_items)
    assert len(source.requests) <= max(1, -(-wanted // limit))


@given(total=st.integers(1, 30), limit=st.integers(1, 7), data=st.data())
def test_a_walk_backwards_yields_the_items_before_in_reverse(
    total: int, limit: int, data: st.DataObject
) -> None:
    """From any item, ending_before yields the items before it, nearest first."""
    source = List(total)
    start = data.draw(st.integers(0, total - 1))

    async def collect() -> ItemList[Item]:
        return await source.walk(limit=limit, ending_before=f"fca_{start}").collect()

    assert asyncio.run(collect()) == source.items[:start][::-1]


async def test_awaiting_fetches_one_page_of_stripes_size() -> None:
    """`await` sends one request; without a limit Stripe decides the number of items."""
    source = List(30)
    page = await source.walk()
    assert (len(page.data), page.has_more, page.next_cursor) == (10, True, "fca_9")
    assert [dict(params) for params in source.requests] == [{"limit": None}]


async def test_a_collected_list_is_a_table_in_a_notebook() -> None:
    """It equals the list of its items, and looks like a page."""
    accounts = [Account(id=f"fca_{n}", status="active") for n in range(3)]

    async def fetch(params: Mapping[str, Any]) -> Page[Account]:
        return Page(data=accounts)

    collected = await Paginator(fetch).collect()
    assert collected == accounts
    html = collected._repr_html_()
    assert "3 Accounts" in html
    assert html.count("<tr>") == 4


async def test_awaiting_keeps_to_max_items() -> None:
    """A page holds at most `max_items` items."""
    page = await List(30).walk(max_items=3)
    assert len(page.data) == 3


async def test_a_walk_fetches_the_largest_pages() -> None:
    """Without a limit a walk sends the fewest requests; a small `max_items` makes a small page."""
    source = List(250)
    assert len(await source.walk().collect()) == 250
    assert [params["limit"] for params in source.requests] == [100, 100, 100]
    source.requests.clear()
    assert len(await source.walk().collect(max_items=3)) == 3
    assert [params["limit"] for params in source.requests] == [3]


async def test_pages_are_walked_one_by_one() -> None:
    """`pages()` yields pages in Stripe's order."""
    pages = [page async for page in List(5).walk(limit=2).pages()]
    assert [[item.id for item in page.data] for page in pages] == [
        ["fca_0", "fca_1"],
        ["fca_2", "fca_3"],
        ["fca_4"],
    ]


async def test_one_page_is_fetched_ahead_and_never_more() -> None:
    """During the first item the second page is being fetched, but the third is not."""
    source = List(30)
    walk = aiter(source.walk(limit=5))
    await anext(walk)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(source.requests) == 2
    await walk.aclose()


async def test_without_prefetch_nothing_is_fetched_ahead() -> None:
    """`prefetch=False` fetches only pages that are needed."""
    source = List(30)
    walk = aiter(source.walk(limit=5, prefetch=False))
    await anext(walk)
    for _ in range(10):
        await asyncio.sleep(0)
    assert len(source.requests) == 1
    await walk.aclose()


async def test_leaving_a_loop_early_leaves_no_task_behind() -> None:
    """A `break` cancels the request in flight, and no request follows."""
    source = List(30)
    before = asyncio.all_tasks()
    async for _ in source.walk(limit=5):
        break
    for _ in range(10):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == before
    assert source.under_way == 0
    assert len(source.requests) <= 2


async def test_a_cancelled_consumer_cancels_its_request() -> None:
    """Cancellation reaches the page that is being fetched, and is not swallowed."""
    source = List(30)
    hang = asyncio.Event()

    async def fetch(params: Mapping[str, Any]) -> Page[Item]:
        page = await source.fetch(params)
        if len(source.requests) == 2:
            source.under_way += 1
            try:
                hang.set()
                await asyncio.Event().wait()
            finally:
                source.under_way -= 1
        return page

    walk: Paginator[Item] = Paginator(fetch, limit=5)
    task = asyncio.create_task(walk.collect())
    await hang.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert source.under_way == 0


@pytest.mark.parametrize("prefetch", [True, False])
async def test_an_error_in_a_walk_says_where_to_resume(prefetch: bool) -> None:
    """All items before the failed page arrive first; `.cursor` resumes without a gap."""
    source = List(12)

    async def fetch(params: Mapping[str, Any]) -> Page[Item]:
        if params.get("starting_after") == "fca_7":
            raise ServerError("no", status=500)
        return await source.fetch(params)

    seen: list[Item] = []
    walk: Paginator[Item] = Paginator(fetch, limit=4, prefetch=prefetch)
    with pytest.raises(ServerError) as caught:
        async for item in walk:
            seen.append(item)
    rest = await source.walk(starting_after=caught.value.cursor).collect()
    assert seen + rest == source.items


async def test_an_error_after_the_end_is_not_reported(
    caplog: pytest.LogCaptureFixture,
) -> None:
    """A page fetched ahead may fail after the consumer has left; the error is discarded."""
    source = List(12)

    async def fetch(params: Mapping[str, Any]) -> Page[Item]:
        if params.get("starting_after"):
            raise ServerError("no", status=500)
        return await source.fetch(params)

    walk: Paginator[Item] = Paginator(fetch, limit=4)
    items = aiter(walk)
    await anext(items)
    await asyncio.sleep(0)
    await items.aclose()
    assert caplog.text == ""


@pytest.mark.parametrize(
    "page",
    [
        Page(data=[Item("fca_1")], has_more=True),
        Page[Item](data=[], has_more=True),
    ],
    ids=["same-cursor", "empty"],
)
async def test_a_list_without_progress_is_an_error(page: Page[Item]) -> None:
    """list-loop: a repeated cursor or an empty page with has_more ends the walk."""
    requests: list[Mapping[str, Any]] = []

    async def fetch(params: Mapping[str, Any]) -> Page[Item]:
        requests.append(params)
        return Page(data=[Item("fca_1")], has_more=True) if len(requests) == 1 else page

    walk: Paginator[Item] = Paginator(fetch)
    with pytest.raises(PaginationError) as caught:
        await walk.collect()
    assert caught.value.cursor == "fca_1"
    assert len(requests) == 2


@pytest.mark.parametrize("length", [2, 3, 7])
async def test_a_list_that_goes_in_circles_is_an_error(length: int) -> None:
    """list-loop: the walk ends after a few rounds, whatever the length of the circle."""
    requests = 0

    async def fetch(params: Mapping[str, Any]) -> Page[Item]:
        nonlocal requests
        requests += 1
        return Page(data=[Item(f"fca_{requests % length}")], has_more=True)

    with pytest.raises(PaginationError, match="earlier one ended"):
        await Paginator(fetch).collect()
    assert requests <= 4 * length


async def test_a_long_walk_neither_recurses_nor_grows() -> None:
    """A walk of 2 000 pages sends 2 000 requests and keeps its stack flat."""
    source = List(2000)
    count = 0
    async for _ in source.walk(limit=1):
        count += 1
    assert (count, len(source.requests)) == (2000, 2000)


@pytest.mark.parametrize(
    "bad",
    [
        {"limit": 0},
        {"limit": 101},
        {"max_items": -1},
        {"max_items": "3"},
        {"starting_after": "a", "ending_before": "b"},
        {"starting_after": "../x"},
    ],
)
def test_an_invalid_argument_is_refused_immediately(bad: dict[str, Any]) -> None:
    """It is refused before any request, not in the middle of a loop."""
    with pytest.raises(InvalidArgumentError):
        List(3).walk(**bad)


def test_a_list_that_was_not_awaited_says_so() -> None:
    """Whoever asks it for a page's attribute learns what is missing."""
    walk = List(3).walk()
    with pytest.raises(AttributeError, match="no attribute 'data': await it for one page"):
        walk.data  # noqa: B018
    with pytest.raises(AttributeError, match=r"no attribute 'dta'$"):
        walk.dta  # noqa: B018
