"""The base of all resources: it turns a method into a call."""

from collections.abc import Awaitable, Callable, Coroutine, Mapping
from typing import Any, ParamSpec, Self, TypeVar, cast

import attrs

from fcasync._rules.raw import with_extra
from fcasync._rules.request import Operation, Options, Request, Response, build
from fcasync._wire.engine import Engine
from fcasync.models import Page
from fcasync.models._columns import item_type
from fcasync.resources._arguments import (
    ListOptions,
    PageOptions,
    PostOptions,
    check_names,
)
from fcasync.resources._paginator import Paginator

P = ParamSpec("P")
T = TypeVar("T")

LEAST_DEADLINE = 5.0
"""Seconds; with less time than this, a poll would mostly time out."""


class Resource:
    """Methods that share an engine and a set of options."""

    def __init__(self, engine: Engine, options: Options, *, is_raw: bool = False) -> None:
        self._engine = engine
        self._options = options
        self._is_raw = is_raw

    def _raw(self) -> Self:
        """Return a copy whose methods return a :class:`fcasync.Response` at run time."""
        return type(self)(self._engine, self._options, is_raw=True)

    def _within(self, seconds: float) -> Self:
        """Return a copy whose calls end within *seconds*, or LEAST_DEADLINE if that is more."""
        deadline = min(self._options.deadline, max(seconds, LEAST_DEADLINE))
        options = attrs.evolve(self._options, deadline=deadline)
        return type(self)(self._engine, options, is_raw=self._is_raw)

    def _call(
        self,
        operation: Operation[T],
        object_id: object = None,
        params: Mapping[str, Any] | None = None,
        idempotency_key: str | None = None,
    ) -> Coroutine[Any, Any, T]:
        """Check and build the request now, and return the coroutine that sends it."""
        request = build(
            operation,
            self._options,
            object_id=object_id,
            params=params,
            idempotency_key=idempotency_key,
        )
        return self._send(request)

    def _send(self, request: Request[T]) -> Coroutine[Any, Any, T]:
        if self._is_raw:
            # as_raw() gives the methods of a raw twin the type that this cast hides.
            return cast(Coroutine[Any, Any, T], self._engine.call(request))
        return self._engine.value(request)

    def _retrieve(
        self, operation: Operation[T], object_id: object, expand: object, extra: object
    ) -> Coroutine[Any, Any, T]:
        return self._call(operation, object_id, with_extra({"expand": expand}, extra))

    def _post(
        self,
        operation: Operation[T],
        object_id: object,
        params: Mapping[str, Any],
        options: PostOptions,
    ) -> Coroutine[Any, Any, T]:
        check_names(options, PostOptions, operation.name)
        params = with_extra(
            {**params, "expand": options.get("expand")}, options.get("extra_params")
        )
        return self._call(operation, object_id, params, options.get("idempotency_key"))

    def _list(
        self,
        operation: Operation[Page[T]],
        object_id: object,
        params: Mapping[str, Any],
        options: ListOptions | PageOptions,
        *,
        has_tokens: bool = False,
    ) -> Paginator[T]:
        check_names(options, PageOptions if has_tokens else ListOptions, operation.name)
        paging: dict[str, Any] = {**options}
        extra = paging.pop("extra_params", None)
        cursors = ("page",) if has_tokens else ("starting_after", "ending_before")
        own = dict.fromkeys(("limit", *cursors))
        params = with_extra({**own, **params, "expand": paging.pop("expand", None)}, extra)
        # An invalid id or filter is refused here, not in the middle of a loop.
        build(operation, self._options, object_id=object_id, params=params)

        def fetch(page_params: Mapping[str, Any]) -> Coroutine[Any, Any, Page[T]]:
            return self._call(operation, object_id, {**params, **page_params})

        of = item_type(operation.decode)
        paginator = Paginator(fetch, **paging, of=of, has_tokens=has_tokens)
        # A raw list is one response; as_raw_page() gives it its true type.
        return cast(Paginator[T], _first_page(paginator)) if self._is_raw else paginator


async def _first_page(paginator: Paginator[T]) -> Page[T]:
    return await paginator


def as_raw(method: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[Response[T]]]:
    """Give a method of a raw copy its true type: it returns a response that holds the value."""
    return cast(Callable[P, Awaitable[Response[T]]], method)


def as_raw_page(method: Callable[P, Paginator[T]]) -> Callable[P, Awaitable[Response[Page[T]]]]:
    """Give a list method of a raw copy its true type: awaiting it returns one page's response."""
    return cast(Callable[P, Awaitable[Response[Page[T]]]], method)
