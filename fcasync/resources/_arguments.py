"""Arguments that many methods share, described once.

Type checkers and editors read them from ``Unpack``; :func:`spelled_out` shows them to ``help()``,
notebooks and `inspect.signature`, which would see only ``**options``.
"""

import inspect
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Literal, TypeAlias, TypedDict, TypeVar

F = TypeVar("F", bound=Callable[..., Any])

# Editors complete what is listed; a word that Stripe adds later is accepted as well.
RefreshFeatures: TypeAlias = Sequence[Literal["balance", "ownership", "transactions"] | str]
Subscriptions: TypeAlias = Sequence[Literal["transactions"] | str]
Permissions: TypeAlias = Sequence[
    Literal["balances", "ownership", "payment_method", "transactions"] | str
]
Prefetches: TypeAlias = Sequence[Literal["balances", "ownership", "transactions"] | str]


class ListOptions(TypedDict, total=False):
    """Which part of a list to read, and in what steps.

    Options:
        limit: Items per page, 1 to 100.
        max_items: The most items that a walk yields.
        starting_after: The id after which to start.
        ending_before: The id from which to walk backwards; excludes *starting_after*.
        expand: Fields to include as objects, such as ``["data.ownership"]``.
        prefetch: Whether a walk fetches the next page while you process the current one.
        extra_params: Parameters that fcasync does not know, such as those of a preview version.
    """

    limit: int | None
    max_items: int | None
    starting_after: str | None
    ending_before: str | None
    expand: Sequence[str] | None
    prefetch: bool
    extra_params: Mapping[str, Any] | None


class PageOptions(TypedDict, total=False):
    """Which part of a list of the v2 API to read, and in what steps.

    Options:
        limit: Items per page, 1 to 100.
        max_items: The most items that a walk yields.
        page: The page at which to start: a page's ``next_cursor``, or an error's ``cursor``.
        prefetch: Whether a walk fetches the next page while you process the current one.
        extra_params: Parameters that fcasync does not know, such as those of a preview version.
    """

    limit: int | None
    max_items: int | None
    page: str | None
    prefetch: bool
    extra_params: Mapping[str, Any] | None


class PostOptions(TypedDict, total=False):
    """How to send a change.

    Options:
        expand: Fields to include as objects, such as ``["ownership"]``.
        idempotency_key: 1 to 255 printable characters; None generates one.
        extra_params: Parameters that fcasync does not know, such as those of a preview version.
    """

    expand: Sequence[str] | None
    idempotency_key: str | None
    extra_params: Mapping[str, Any] | None


_DEFAULTS: Final[Mapping[str, object]] = {"prefetch": True}
"""The defaults that are not None."""
_REFERENCE: Final = re.compile(r"^ +(?:\*\*)?options: See :class:`\w+`\.\n?", re.MULTILINE)
"""Where a docstring has what :func:`spelled_out` writes, for those who read the source."""


def spelled_out(*options: type, defaults: Mapping[str, object] = _DEFAULTS) -> Callable[[F], F]:
    """Write the keys of *options* into the signature and the documentation of a method.

    Args:
        options: TypedDicts, each of which describes its own keys in a section ``Options``.
        defaults: Those that are not None, by name.
    """
    kinds = {name: kind for each in options for name, kind in each.__annotations__.items()}
    shared = [
        inspect.Parameter(
            name, inspect.Parameter.KEYWORD_ONLY, default=defaults.get(name), annotation=kind
        )
        for name, kind in kinds.items()
    ]
    rows = "\n".join(_rows(each) for each in options)

    def spell_out(method: F) -> F:
        signature = inspect.signature(method)
        own = [each for each in signature.parameters.values() if each.kind is not each.VAR_KEYWORD]
        described: Any = method
        described.__signature__ = signature.replace(parameters=[*own, *shared])
        if method.__doc__ and rows:  # python -OO removes both
            text = inspect.cleandoc(method.__doc__)
            written, times = _REFERENCE.subn(lambda _: f"{rows}\n", f"{text}\n", count=1)
            described.__doc__ = written.rstrip() if times else f"{text}\n\nOptions:\n{rows}"
        return method

    return spell_out


def _rows(options: type) -> str:
    """Return what *options* says of its keys, without the heading."""
    return inspect.cleandoc(options.__doc__ or "").partition("Options:\n")[2]


def check_names(options: Mapping[str, object], known: type, method: str) -> None:
    """Refuse a misspelt argument, as Python does for arguments without ``Unpack``.

    Raises:
        TypeError: A key of *options* is not one of *known*.
    """
    for name in options:
        if name not in known.__annotations__:
            raise TypeError(f"{method}() got an unexpected keyword argument {name!r}")
