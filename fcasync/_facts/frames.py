"""Keeps secrets out of the local variables that tracebacks, rich and error reporters show."""

import sys
from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, TypeVar

P = ParamSpec("P")
T = TypeVar("T")


def forget_frames(error: BaseException, outer: BaseException | None) -> None:
    """Drop the frames of *error* and of what led to it, up to *outer*, which is the caller's.

    Their local variables hold what was handed in or came back; what went wrong is all in the
    messages.
    """
    links: list[BaseException | None] = [error]
    while links:
        link = links.pop()
        if link is not None and link is not outer and link.__traceback__ is not None:
            link.__traceback__ = None
            links += [link.__cause__, link.__context__]


def forgets_frames(function: Callable[P, T]) -> Callable[P, T]:
    """Make *function*, which is handed secrets, raise its errors without its own frames."""

    @wraps(function)
    def without_frames(*args: P.args, **kwargs: P.kwargs) -> T:
        outer = sys.exception()
        try:
            return function(*args, **kwargs)
        except Exception as error:  # noqa: BLE001 - it is raised again, a few lines below
            failure = error
        forget_frames(failure, outer)
        del args, kwargs
        raise failure

    return without_frames
