"""Where the accounts come from: anything that yields ids or accounts."""

from collections.abc import AsyncGenerator, AsyncIterable, Iterable, Sized
from contextlib import AsyncExitStack, aclosing
from typing import Any, TypeAlias

from fcasync.errors import InvalidArgumentError, describe
from fcasync.models import Account

Source: TypeAlias = (
    Iterable[str | Account] | AsyncIterable[str | Account] | AsyncIterable[Account] | Iterable[str]
)


def check(source: object) -> None:
    """Raise InvalidArgumentError unless *source* can be read."""
    if isinstance(source, str | bytes) or not isinstance(source, Iterable | AsyncIterable):
        raise InvalidArgumentError(
            f"source must be an iterable of ids or Accounts, not {describe(source)}"
        )


def length(source: Any) -> int | None:
    """Return how many items there are, if that can be known without reading them."""
    return len(source) if isinstance(source, Sized) else None


async def read(source: Any) -> AsyncGenerator[object, None]:
    """Yield the items of *source*; an asynchronous generator is closed at the end."""
    if not isinstance(source, AsyncIterable):
        for item in source:
            yield item
        return
    async with AsyncExitStack() as stack:
        items = aiter(source)
        if isinstance(items, AsyncGenerator):
            await stack.enter_async_context(aclosing(items))
        async for item in items:
            yield item
